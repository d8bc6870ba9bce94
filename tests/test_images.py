"""Reading pictures: every kind of file that people have gives the pixels that they see."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hrnet.errors import InputError
from hrnet.images import find_images, read_image

UPRIGHT = np.zeros((20, 30, 3), dtype=np.uint8)
UPRIGHT[:6, :10] = (255, 0, 0)
UPRIGHT[-6:, -10:] = (0, 0, 255)

# How a camera held that way stores the upright picture: EXIF orientation -> numpy steps.
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.transpose(1, 0, 2),
    6: np.rot90(UPRIGHT, 1),
    7: UPRIGHT[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(UPRIGHT, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    stored.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), UPRIGHT)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(read_image(image), UPRIGHT)


def test_a_broken_exif_block_does_not_hide_the_picture(tmp_path: Path) -> None:
    Image.fromarray(UPRIGHT).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff junk")
    assert read_image(tmp_path / "a.jpg").shape == UPRIGHT.shape


def test_16_bit_grey_keeps_its_whole_range(tmp_path: Path) -> None:
    levels = np.array([[0, 128, 257, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png")
    grey = read_image(tmp_path / "a.png")
    assert grey.shape == (1, 5, 3)
    assert grey[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_16_bit_grey_tiff_of_the_other_byte_order(tmp_path: Path) -> None:
    levels = np.array([[0, 32768, 65535]], dtype=">u2")
    header = b"MM\0*" + (8).to_bytes(4, "big")
    entries = [(256, 3), (257, 1), (258, 16), (259, 1), (262, 1), (273, 122), (277, 1), (278, 1)]
    entries.append((279, 6))
    table = len(entries).to_bytes(2, "big")
    for tag, value in entries:
        table += tag.to_bytes(2, "big") + (4).to_bytes(2, "big") + (1).to_bytes(4, "big")
        table += value.to_bytes(4, "big")
    file = header + table + bytes(4)
    assert len(file) == 122
    (tmp_path / "a.tif").write_bytes(file + levels.tobytes())
    assert read_image(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 128, 255]


def test_cmyk(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    red, green, blue = read_image(tmp_path / "a.jpg")[4, 4].tolist()
    assert red > 200
    assert max(green, blue) < 60


def test_palette(tmp_path: Path) -> None:
    Image.fromarray(UPRIGHT).quantize(8).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), UPRIGHT)


def test_one_bit(tmp_path: Path) -> None:
    Image.new("1", (4, 4), 1).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == 255).all()


@pytest.mark.parametrize(
    ("mode", "color"), [("RGBA", (10, 20, 30, 0)), ("LA", (10, 0)), ("RGBA", (255, 255, 255, 9))]
)
def test_transparent_is_white(tmp_path: Path, mode: str, color: tuple[int, ...]) -> None:
    Image.new(mode, (4, 4), color).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == 255).all()


def test_half_transparent_is_mixed_with_white() -> None:
    image = np.full((2, 2, 4), (0, 0, 0, 128), dtype=np.uint8)
    assert abs(int(read_image(image)[0, 0, 0]) - 127) <= 1


def test_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 3)
    image.putpalette([0, 0, 0] * 256)
    image.save(tmp_path / "a.png", transparency=3)
    assert (read_image(tmp_path / "a.png") == 255).all()


def test_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


def test_arrays_and_pillow_images() -> None:
    assert read_image(UPRIGHT) is UPRIGHT
    np.testing.assert_array_equal(read_image(Image.fromarray(UPRIGHT)), UPRIGHT)
    grey = UPRIGHT[..., 0]
    for image in (grey, grey[..., None]):
        np.testing.assert_array_equal(read_image(image), np.stack([grey] * 3, axis=-1))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.zeros((4, 4, 3)), "uint8"),
        (np.zeros((4, 4), dtype=bool), "uint8"),
        (np.zeros((3, 40, 50), dtype=np.uint8), "channels last"),
        (np.zeros((2, 4, 4, 3), dtype=np.uint8), "list"),
        (np.zeros((0, 4, 3), dtype=np.uint8), "shape"),
    ],
)
def test_other_arrays_are_refused(image: np.ndarray, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read_image(image)


def test_floating_point_pictures_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), dtype=np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match="floating point"):
        read_image(tmp_path / "a.tif")


def test_find_images_expands_and_keeps_order(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "sub.jpg").mkdir(parents=True)
    for name in ("b.JPG", "a.png", ".hidden.png", "notes.txt"):
        (folder / name).touch()
    (tmp_path / "odd[1].jpg").touch()
    missing = tmp_path / "missing.jpg"
    paths, errors = find_images([missing, tmp_path / "odd[1].jpg", folder, folder / "*.png"])
    assert [path.name for path in paths] == ["missing.jpg", "odd[1].jpg", "a.png", "b.JPG"]
    assert errors == []


def test_find_images_reports_what_is_empty(tmp_path: Path) -> None:
    paths, errors = find_images([tmp_path, tmp_path / "*.jpg"])
    assert paths == []
    assert [str(tmp_path) in str(error) for error in errors] == [True, True]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    paths, errors = find_images([tmp_path / ("x" * 300 + ".jpg")])
    for path in paths:
        with pytest.raises(InputError, match=r"does not exist|cannot be read"):
            read_image(path)
    assert len(paths) + len(errors) == 1


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "webp", "bmp", "tif"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_files_give_pixels_or_an_input_error(
    tmp_path: Path, kind: str, changes: list[tuple[float, int]]
) -> None:
    path = tmp_path / f"a.{kind}"
    Image.fromarray(UPRIGHT).save(path)
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    path.write_bytes(content)
    try:
        assert read_image(path).dtype == np.uint8
    except InputError as error:
        assert "\n" not in str(error)
