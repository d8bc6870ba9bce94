"""The check of pictures with masks: classes, oddities, copies and leaks, and the contact sheet."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.check.run import check_data, write_report
from hrnet.data.source import DataSource
from hrnet.errors import InputError


def write(root: Path, count: int = 3, *, seed: int = 0, classes=("road", "sky", "car")) -> Path:
    """Write pictures of noise with masks of stripes, of the classes 0 and 1."""
    rng = np.random.default_rng(seed)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "images" / f"{number}.png")
        mask = np.resize(np.array([0, 1], np.uint8), 40)[None].repeat(30, axis=0)
        Image.fromarray(mask).save(root / "masks" / f"{number}.png")
    (root / "classes.json").write_text(json.dumps({"classes": list(classes)}))
    return root


def set_mask(root: Path, name: str, mask: np.ndarray) -> None:
    Image.fromarray(mask.astype(np.uint8)).save(root / "masks" / f"{name}.png")


def whats(findings) -> list[str]:
    return [one.what for one in findings]


def test_good_data_have_counts_and_no_errors(tmp_path):
    result = check_data(DataSource(write(tmp_path / "data")))
    assert not result.errors
    assert whats(result.warnings) == ["classes without a pixel"]
    (part,) = result.facts()["parts"]
    assert part["classes"]["road"] == {"images": 3, "pixels": 1800}
    assert part["classes"]["car"] == {"images": 0, "pixels": 0}
    assert part["ignored_pixels"] == 0


def test_each_oddity_is_found_and_all_are_found_at_once(tmp_path):
    root = write(tmp_path / "data", 9)
    set_mask(root, "0", np.full((30, 40), 255))
    set_mask(root, "1", np.full((30, 40), 1))
    set_mask(root, "2", np.full((30, 40), 9))
    set_mask(root, "3", np.zeros((31, 40)))
    rare = np.tile([0, 1], (30, 20))
    rare[0, 0] = 2
    set_mask(root, "4", rare)
    (root / "masks" / "5.png").unlink()
    (root / "images" / "6.png").write_bytes((root / "images" / "7.png").read_bytes())
    near = np.asarray(Image.open(root / "images" / "7.png")).copy()
    near[0, 0] = 0
    Image.fromarray(near).save(root / "images" / "8.png")
    result = check_data(DataSource(root))
    assert whats(result.errors) == [
        "pictures without a mask",
        "masks of another size (width x height) than their picture",
        "masks that cannot be used",
    ]
    assert "values of no class (9)" in result.errors[2].line
    assert whats(result.warnings) == [
        "masks without a pixel that counts",
        "masks of one class alone",
        "classes with less than 0.1% of the pixels",
        "pictures with a copy",
        "pictures that hardly differ from another one",
    ]
    assert "1.png (sky)" in result.warnings[1].line


def test_both_parts_are_compared(tmp_path):
    root = tmp_path / "data"
    write(root / "train", 3)
    write(root / "val", 2, seed=1, classes=("road", "sky", "bus"))
    copy = root / "train" / "images" / "0.png"
    (root / "val" / "images" / "0.png").write_bytes(copy.read_bytes())
    result = check_data(DataSource(root))
    assert [part["part"] for part in result.facts()["parts"]] == ["train", "val"]
    assert whats(result.errors) == [
        "classes of val that train does not have",
        "pictures with a copy in the other part",
    ]
    # The same by two paths, and one part by itself.
    by_path = check_data(DataSource(root / "train"), val=root / "val")
    assert len(by_path.errors) == 2
    assert not check_data(DataSource(root, split="train")).errors


def test_the_report_shows_pictures_under_their_masks(tmp_path):
    root = write(tmp_path / "data")
    for number in range(3):
        Image.new("RGB", (40, 30), "white").save(root / "images" / f"{number}.png")
        set_mask(root, str(number), np.zeros((30, 40)))
    result = check_data(DataSource(root))
    files = write_report(result, tmp_path / "report")
    assert [file.name for file in files] == ["check.json", "contact_sheet.jpg"]
    sheet = np.asarray(Image.open(files[1])).astype(int)
    # White under the first class's colour is tinted, and no longer grey.
    tinted = (sheet.max(axis=2) > 200) & (sheet.max(axis=2) - sheet.min(axis=2) > 60)
    assert tinted.sum() > 3 * 30 * 40 / 2
    assert json.loads(files[0].read_text())["parts"][0]["images"] == 3


def test_no_such_data_is_one_line(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match="without a common name"):
        check_data(DataSource(tmp_path))
    with pytest.raises(InputError, match=r"expected a folder, but .* is none"):
        check_data(DataSource(tmp_path, labels=tmp_path / "drawn"))
