"""Pictures with masks: folders, lists, classes.json, and every refusal in one line."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.data.findings import Findings
from hrnet.data.mask_dataset import IGNORED
from hrnet.data.mask_split import split_masks
from hrnet.data.masks import find_parts, holds_masks, read_masks
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.images import read_image

SIZE = (40, 30)


def write(
    root: Path, masks: dict[str, np.ndarray], classes: object = None, *, part: str = ""
) -> Path:
    """Write a noisy picture beside each mask, and classes.json where there are any."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / part / folder).mkdir(parents=True, exist_ok=True)
    for name, mask in masks.items():
        pixels = rng.integers(0, 256, (*mask.shape[:2], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / part / "images" / f"{name}.jpg")
        Image.fromarray(mask).save(root / part / "masks" / f"{name}.png")
    if classes is not None:
        (root / "classes.json").write_text(json.dumps(classes))
    return root


def mask_of(*values: int) -> np.ndarray:
    """A mask of stripes."""
    return np.resize(np.array(values, np.uint8), SIZE[1])[:, None].repeat(SIZE[0], axis=1).copy()


def labels_of(root: Path, **fields) -> np.ndarray:
    return read_masks(DataSource(root, **fields)).samples[0].labels()


def fails(root: Path, words: str, **fields) -> None:
    with pytest.raises(InputError, match=words) as caught:
        for sample in read_masks(DataSource(root, **fields)).samples:
            sample.labels()
    assert "\n" not in str(caught.value)


def test_a_folder_of_images_and_masks(tmp_path):
    write(tmp_path, {"b": mask_of(0, 1), "a": mask_of(1, 255)}, {"classes": ["road", "sky"]})
    data = read_masks(DataSource(tmp_path))
    assert data.class_names == ("road", "sky")
    assert [one.name for one in data.samples] == ["a.jpg", "b.jpg"]
    assert data.notes == ()
    np.testing.assert_array_equal(data.samples[0].labels()[:2, 0], [1, IGNORED])
    assert data.samples[0].labels().dtype == np.int16
    assert holds_masks(tmp_path)


def test_two_folders_by_name(tmp_path):
    write(tmp_path, {"a": mask_of(0, 1)}, {"classes": ["x", "y"]})
    for folder, name in (("images", "photos"), ("masks", "drawn")):
        (tmp_path / folder).rename(tmp_path / name)
    data = read_masks(DataSource(tmp_path / "photos", labels=tmp_path / "drawn"))
    assert data.class_names == ("x", "y")
    assert not holds_masks(tmp_path)


@pytest.mark.parametrize("inside", [True, False])
def test_parts(tmp_path, inside):
    for part in ("train", "val"):
        write(tmp_path, {part: mask_of(0, 1)}, {"classes": ["x", "y"]}, part=part)
    if not inside:  # images/train in place of train/images
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir()
            for part in ("train", "val"):
                (tmp_path / part / folder).rename(tmp_path / folder / part)
    assert find_parts(tmp_path) == ("train", "val")
    for part in ("train", "val"):
        (sample,) = read_masks(DataSource(tmp_path, split=part)).samples
        assert sample.name == f"{part}.jpg"
    if inside:
        fails(tmp_path, "name a part: train or val")
        fails(tmp_path, "for the part test", split="test")


@pytest.mark.parametrize(
    ("classes", "names", "expected"),
    [
        ({"classes": ["a", "b", "c"]}, ("a", "b", "c"), [0, 1, 2]),
        ({"classes": ["a", "b"], "ignore": [2]}, ("a", "b"), [0, 1, IGNORED]),
        (
            {
                "classes": [
                    {"name": "b", "value": 1},
                    {"name": "a", "value": 0},
                    {"name": "b", "value": 2},
                ]
            },
            ("b", "a"),
            [1, 0, 0],
        ),
        ({"0": None, "1": "x", "2": "y"}, ("x", "y"), [IGNORED, 0, 1]),
        ({"0": "unlabeled", "1": "x", "2": "y"}, ("x", "y"), [IGNORED, 0, 1]),
        ({"0": "x", "1": "y", "2": "x"}, ("x", "y"), [0, 1, 0]),
    ],
    ids=str,
)
def test_classes_json(tmp_path, classes, names, expected):
    write(tmp_path, {"a": mask_of(0, 1, 2)}, classes)
    assert read_masks(DataSource(tmp_path)).class_names == names
    np.testing.assert_array_equal(labels_of(tmp_path)[:3, 0], expected)


def test_masks_of_colours(tmp_path):
    colors = np.array([(128, 64, 128), (0, 0, 142), (0, 0, 0)], np.uint8)
    mask = colors[mask_of(0, 1, 2)]
    classes = {
        "classes": [{"name": "road", "color": "#804080"}, {"name": "car", "color": "#00008E"}],
        "ignore": ["#000000"],
        "mirror": [["road", "car"]],
    }
    write(tmp_path, {"a": mask}, classes)
    data = read_masks(DataSource(tmp_path))
    assert data.colors == ((128, 64, 128), (0, 0, 142))
    assert data.mirror_pairs == ((0, 1),)
    np.testing.assert_array_equal(labels_of(tmp_path)[:3, 0], [0, 1, IGNORED])
    mask[0, 0] = (1, 2, 3)
    write(tmp_path, {"a": mask})
    fails(tmp_path, r"1 pixels have values of no class \(#010203\)")


def test_indices_with_a_palette_are_indices(tmp_path):
    write(tmp_path, {"a": mask_of(0, 1)}, {"classes": ["x", "y"]})
    mask = Image.fromarray(mask_of(1, 0))
    mask.putpalette([9, 9, 9, 200, 0, 0])
    mask.save(tmp_path / "masks" / "a.png")
    np.testing.assert_array_equal(labels_of(tmp_path)[:2, 0], [1, 0])


def test_without_classes_json_the_values_are_the_names(tmp_path):
    write(tmp_path, {"a": mask_of(0, 3, 255)})
    data = read_masks(DataSource(tmp_path))
    assert data.class_names == ("class 0", "class 1", "class 2", "class 3")
    assert "named after the values" in data.notes[0]
    np.testing.assert_array_equal(labels_of(tmp_path)[:3, 0], [0, 3, IGNORED])


def test_masks_that_need_a_guess_are_refused(tmp_path):
    classes = {"classes": ["x", "y"]}

    def with_mask(name: str, mask: Image.Image, suffix: str = ".png") -> Path:
        root = write(tmp_path / name, {"a": mask_of(0, 1)}, classes)
        (root / "masks" / "a.png").unlink()
        mask.save(root / "masks" / f"a{suffix}")
        return root

    grey = Image.fromarray(mask_of(0, 1))
    colours = r"one class number a pixel, got colours \(RGB\)"
    fails(with_mask("rgb", grey.convert("RGB")), colours)
    fails(with_mask("rgba", grey.convert("RGBA")), r"got colours \(RGBA\)")
    deep = Image.fromarray(mask_of(0, 1).astype(np.uint16) * 300)
    fails(with_mask("deep", deep), "expected a mask of 8 bits")
    fails(with_mask("jpeg", grey, ".jpg"), "got JPEG, which changes values")
    fails(with_mask("large", grey.resize((SIZE[0] + 1, SIZE[1]))), "a.png is 41x30, not 40x30")
    unknown = Image.fromarray(mask_of(0, 1, 7))
    fails(with_mask("unknown", unknown), r"400 pixels have values of no class \(7\)")
    root = write(tmp_path / "broken", {"a": mask_of(0, 1)}, classes)
    (root / "masks" / "a.png").write_bytes(b"no picture")
    fails(root, "none that can be read")


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_few_bits_is_refused(tmp_path, bits):
    root = write(tmp_path, {"a": mask_of(0, 1)})
    rows = np.zeros((SIZE[1], 1 + SIZE[0] * bits // 8), np.uint8)  # a filter byte before each row
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", *SIZE, bits, 0, 0, 0, 0)),
        (
            b"IDAT",
            zlib.compress(rows.tobytes()),
        ),
    )
    packed = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (*parts, (b"IEND", b""))
    )
    (root / "masks" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + packed)
    fails(root, "grey of 2 or 4 bits")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_are_turned_as_their_pictures(tmp_path, orientation):
    root = write(tmp_path, {"a": mask_of(0, 1, 2, 255)[:, :7]})
    mask = np.arange(12, dtype=np.uint8).reshape(3, 4)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(np.repeat(mask[..., None], 3, axis=2))
    (root / "images" / "a.jpg").unlink()
    picture.save(root / "images" / "a.png", exif=exif)
    Image.fromarray(mask).save(root / "masks" / "a.png", exif=exif)
    (sample,) = read_masks(DataSource(root)).samples
    np.testing.assert_array_equal(sample.labels(), read_image(sample.image_path)[..., 0])


@pytest.mark.parametrize("kind", ["folder", "link to nothing"])
def test_a_classes_json_that_is_no_file_is_not_passed_over(tmp_path, kind):
    root = write(tmp_path, {"a": mask_of(0, 1)})
    file = root / "classes.json"
    file.mkdir() if kind == "folder" else file.symlink_to(tmp_path / "nothing")
    fails(root, "classes.json")


@pytest.mark.parametrize("name", ["a.csv", "a.lst", "a.txt"])
@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
@pytest.mark.parametrize("command", ["check", "split"])
def test_an_empty_list_is_one_line(run, tmp_path, name, text, command):
    file = tmp_path / name
    file.write_text(text)
    out = tmp_path / "out"
    extra = ("--out", out) if command == "split" else ()
    code, _, err = run("data", command, file, *extra)
    assert code == 2
    assert "expected" in err and len(err.splitlines()) <= 2  # the check heads its errors
    assert not out.exists()


def test_pictures_and_masks_without_the_other(tmp_path):
    root = write(tmp_path, {"a": mask_of(0, 1), "b": mask_of(0, 1)}, {"classes": ["x", "y"]})
    (root / "images" / "b.jpg").unlink()
    assert "masks without a picture: 1 (b.png)" in read_masks(DataSource(root)).notes[0]
    (root / "images" / "b.jpg").write_bytes((root / "images" / "a.jpg").read_bytes())
    (root / "masks" / "b.png").unlink()
    fails(root, r"pictures without a mask: 1 \(b.jpg\)")
    # A check goes on, and lists it.
    findings = Findings(path=root)
    assert len(read_masks(DataSource(root), findings).samples) == 1
    assert [one.what for one in findings.errors] == ["pictures without a mask"]
    (root / "masks" / "a.png").unlink()
    fails(root, "without a common name")


def test_wrong_places(tmp_path):
    fails(tmp_path, "expected a folder with images/ and masks/, found none")
    fails(tmp_path / "none", "expected a folder of pictures")
    fails(tmp_path, "expected a folder, but .* is none", labels=tmp_path / "none")
    fails(tmp_path, "expected no boxes and no category", category="x")
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    fails(tmp_path, "found 0 pictures and 0 masks")
    # Nothing that was given is passed over.
    fails(tmp_path, "expected --images with --masks or a list", images=tmp_path)
    fails(tmp_path, "either --masks or --part", labels=tmp_path / "masks", split="val")
    (tmp_path / "a.csv").write_text("image,mask\n")
    fails(tmp_path / "a.csv", "leave out --masks and --part", split="val")
    fails(tmp_path / "a.csv", "leave out --masks and --part", labels=tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON|JSON"),
        ("[]", "expected {"),
        ('{"classes": "ab"}', "expected classes as a list"),
        ('{"classes": ["a"]}', "at least two classes, got 1"),
        ('{"classes": ["a", " "]}', "names of 1 to"),
        ('{"classes": ["a", 5]}', "names of 1 to"),
        ('{"classes": ["a", "b"], "ignore": 255}', "expected ignore as a list"),
        ('{"classes": ["a", "b"], "ignore": [256]}', "values 0 to 255, got 256"),
        ('{"classes": ["a", "b"], "ignore": [1]}', "each value once, got 1 twice"),
        ('{"classes": [{"name": "a"}, {"name": "b"}]}', '"value" or "color"'),
        ('{"classes": [{"name": "a", "color": "red"}, {"name": "b"}]}', "#rrggbb"),
        ('{"classes": ["a", "b"], "mirror": [["a"]]}', "mirror as pairs"),
        ('{"classes": ["a", "b"], "mirror": [["a", "a"]]}', "one pair of mirror"),
        ('{"x": "a"}', "values 0 to 255 as keys"),
        ('{"dataset": "mine"}', "expected the masks of cityscapes"),
    ],
)
def test_a_wrong_classes_json_is_one_line(tmp_path, text, words):
    root = write(tmp_path, {"a": mask_of(0, 1)})
    (root / "classes.json").write_text(text)
    fails(root, words)


def test_lists(tmp_path):
    root = write(tmp_path, {"a": mask_of(0, 1), "b": mask_of(1, 0)}, {"classes": ["x", "y"]})
    (root / "some.csv").write_text("image,mask\nimages/b.jpg,masks/b.png\n")
    data = read_masks(DataSource(root / "some.csv"))
    assert [one.name for one in data.samples] == ["images/b.jpg"]
    assert data.class_names == ("x", "y")
    (root / "some.lst").write_text("images/a.jpg\tmasks/a.png\nimages/b.jpg masks/b.png\n")
    assert holds_masks(root / "some.csv") and holds_masks(root / "some.lst")
    assert len(read_masks(DataSource(root / "some.lst")).samples) == 2
    for suffix in (".csv", ".lst", ".txt"):
        (root / f"empty{suffix}").write_text("")
        assert not holds_masks(root / f"empty{suffix}")
    for text, words in (
        ("image,mask\nimages/a.jpg\n", "rows without a picture and its mask"),
        ("image,mask\nimages/c.jpg,masks/c.png\n", "files that are not in"),
        ("image,mask\n" + "images/a.jpg,masks/a.png\n" * 2, "listed twice"),
        ("file,class\n", "expected the header image,mask"),
        ("image,mask\n", "expected pictures with masks, found none"),
        ("", "expected the header image,mask, got nothing"),
    ):
        (root / "some.csv").write_text(text)
        fails(root / "some.csv", words)


def test_a_split_spreads_classes_and_is_read_again(tmp_path):
    masks = {f"{row:02}": mask_of(0, 2 if row % 5 == 0 else 1) for row in range(20)}
    classes = {
        "classes": [{"name": "x", "value": 0, "color": "#010203"}, {"name": "y", "value": 1}]
    }
    classes["classes"].append({"name": "rare", "value": 2})
    root = write(tmp_path / "data", masks, classes)
    parts = split_masks(DataSource(root), tmp_path / "parts", val=0.2)
    assert sorted(parts.values()) == [4, 16]
    names: list[str] = []
    for file in parts:
        data = read_masks(DataSource(file))
        assert data.class_names == ("x", "y", "rare")
        shown = {int(one) for sample in data.samples for one in np.unique(sample.labels())}
        assert shown == {0, 1, 2}
        names += [one.image_path.name for one in data.samples]
    assert sorted(names) == sorted(f"{name}.jpg" for name in masks)
    with pytest.raises(InputError, match="exists"):
        split_masks(DataSource(root), tmp_path / "parts", val=0.2)
    assert split_masks(DataSource(root), tmp_path / "parts", val=0.2, force=True) == parts
    one = write(tmp_path / "one", {"a": mask_of(0, 1)}, {"classes": ["x", "y"]})
    with pytest.raises(InputError, match="would get none"):
        split_masks(DataSource(one), tmp_path / "none", val=0.5)
    assert not (tmp_path / "none").exists()


def test_masks_without_a_pixel_that_counts(tmp_path):
    classes = {"classes": ["road", "sky"]}
    write(tmp_path, {"a": mask_of(255), "b": mask_of(255)}, classes)
    fails(tmp_path, "without a single pixel that counts")
    # One pixel is enough.
    one = mask_of(255)
    one[-1, -1] = 1
    write(tmp_path, {"b": one}, classes)
    assert (read_masks(DataSource(tmp_path)).samples[1].labels() >= 0).sum() == 1
