"""Pictures are all decoded: what is missing, broken, turned or of another size is told."""

import numpy as np
import pytest
from PIL import Image

from hrnet.check.keypoints import check_keypoints


def lines(result):
    return [finding.line for finding in result.errors], [f.line for f in result.warnings]


@pytest.mark.parametrize("kind", ["cut", "empty", "text"])
def test_broken_pictures(data, kind):
    file, images = data()
    broken = images / "2.png"
    whole = broken.read_bytes()
    broken.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"no"}[kind])
    errors, warnings = lines(check_keypoints(file, images))
    assert len(errors) == 1
    assert errors[0].startswith("images that cannot be decoded: 1 (")
    assert "2.png" in errors[0]
    assert "training would stop; get the files again" in errors[0]
    assert warnings == []


@pytest.mark.parametrize(
    ("orientation", "annotated", "words"),
    [
        (6, (60, 40), None),  # upright: higher than wide
        (6, (40, 60), "EXIF turns, annotated as they lie in the file: 1 (1.png is 40x60, not 60x"),
        (3, (40, 60), "EXIF turns or mirrors without changing their size: 1 (1.png); see by"),
        (1, (40, 60), None),
        (1, (80, 120), "images of another size (width x height) than annotated: 1 (1.png is 60x40"),
    ],
)
def test_turned_pictures(data, orientation, annotated, words):
    def spoil(content):
        content["images"][0].update(height=annotated[0], width=annotated[1])

    file, images = data(spoil)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.zeros((40, 60, 3), dtype=np.uint8)).save(images / "1.png", exif=exif)
    errors, warnings = lines(check_keypoints(file, images))
    found = errors + warnings
    assert bool(found) == (words is not None)
    assert words is None or words in found[0]
    assert bool(errors) == (words is not None and orientation != 3)


def test_progress_counts_every_picture(data):
    calls = []
    check_keypoints(*data(), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]
