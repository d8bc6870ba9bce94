"""Reading pictures: every kind of file that people have gives the pixels that they see."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from hrnet.errors import InputError
from hrnet.image_files import find_images, list_left_out
from hrnet.images import read_header, read_image

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


def write_tiff(path: Path, levels: np.ndarray) -> None:
    """Write (H, W) or (H, W, C) integers or floats of any width and byte order as a TIFF file."""
    order = "big" if levels.dtype.str.startswith(">") else "little"
    height, width, channels = (*levels.shape, 1)[:3]
    bits, form = 8 * levels.dtype.itemsize, "uif".index(levels.dtype.kind) + 1
    entries = [(256, width), (257, height), (258, bits), (259, 1), (262, 2 if channels > 1 else 1)]
    start = 8 + 2 + 12 * 10 + 4
    entries += [(273, start), (277, channels), (278, height), (279, levels.nbytes), (339, form)]
    table = len(entries).to_bytes(2, order)
    for tag, value in entries:  # each one LONG; a value for all channels serves each of them
        table += tag.to_bytes(2, order) + (4).to_bytes(2, order) + (1).to_bytes(4, order)
        table += value.to_bytes(4, order)
    mark = (b"MM\0*" if order == "big" else b"II*\0") + (8).to_bytes(4, order)
    path.write_bytes(mark + table + bytes(4) + levels.tobytes())


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "webp", "avif", "mpo"])
@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int, kind: str) -> None:
    if kind == "avif" and "avif" not in features.get_supported():
        pytest.skip("this Pillow reads no AVIF")
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    path = tmp_path / f"a.{kind}"
    options = {"webp": {"lossless": True}, "mpo": {"save_all": True, "append_images": [stored]}}
    stored.save(path, exif=exif, **options.get(kind, {}))
    pixels = read_image(path)
    header = read_header(path)
    assert pixels.shape == UPRIGHT.shape
    assert (header.size, header.turned) == (UPRIGHT.shape[:2], orientation > 1)
    assert header.stored_size == STORED[orientation].shape[:2]
    lossy = kind in ("jpg", "avif", "mpo")
    assert np.abs(pixels.astype(int) - UPRIGHT).mean() <= (12 if lossy else 0)
    for loaded in (False, True):  # by the caller, before the picture is given to us
        with Image.open(path) as image:
            if loaded:
                image.load()
            np.testing.assert_array_equal(read_image(image), pixels)


@pytest.mark.parametrize("orientation", STORED)
def test_grey_tiff_is_turned_once(tmp_path: Path, orientation: int) -> None:
    """Pillow maps such a file into the memory, some releases by the size after the turn."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    grey = np.ascontiguousarray(STORED[orientation][..., 0])
    Image.fromarray(grey).save(tmp_path / "a.tif", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], UPRIGHT[..., 0])
    with Image.open(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(read_image(image)[..., 0], UPRIGHT[..., 0])
        assert image.filename


def test_a_broken_exif_block_does_not_hide_the_picture(tmp_path: Path) -> None:
    Image.fromarray(UPRIGHT).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff junk")
    assert read_image(tmp_path / "a.jpg").shape == UPRIGHT.shape


def test_16_bit_grey_keeps_its_whole_range(tmp_path: Path) -> None:
    levels = np.array([[0, 128, 257, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png")
    grey = read_image(tmp_path / "a.png")
    assert grey.shape == (1, 5, 3)
    assert grey[0, :, 0].tolist() == [0, 0, 1, 128, 255]


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.int16, ">u2"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_integer_grey_has_the_bits_of_its_largest_value(tmp_path: Path, bits, kind) -> None:
    if (kind, bits) == (np.int16, 16):
        pytest.skip("does not fit")
    top = 2**bits - 1
    levels = np.array([[0, top // 2, top]]).astype(kind)
    write_tiff(tmp_path / "a.tif", levels)
    assert read_image(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 127, 255]


def test_dark_16_bit_grey_is_not_stretched(tmp_path: Path) -> None:
    levels = np.linspace(0, 16500, 60).astype(np.uint16).reshape(6, 10)
    Image.fromarray(levels).save(tmp_path / "a.png")
    expected = np.rint(levels / 65535 * 255)
    assert np.abs(read_image(tmp_path / "a.png")[..., 0] - expected).max() <= 1


@pytest.mark.parametrize(("low", "high"), [(-1, 255), (0, 65536), (-(2**31), 2**31 - 1)])
def test_integer_grey_out_of_range_is_refused(tmp_path: Path, low: int, high: int) -> None:
    write_tiff(tmp_path / "a.tif", np.array([[low, high]], np.int32))
    with pytest.raises(InputError, match=f"holds {low} to {high}"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(("top", "fits"), [(65535, True), (20000, True), (4095, False)])
def test_16_bit_colours_that_come_out_black_are_refused(tmp_path: Path, top, fits) -> None:
    write_tiff(tmp_path / "a.tif", np.full((4, 4, 3), top, np.uint16))
    if fits:
        assert (read_image(tmp_path / "a.tif") == top >> 8).all()
    else:
        with pytest.raises(InputError, match="fill at most 12 bits"):
            read_image(tmp_path / "a.tif")


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


MODES = {
    "png": ["1", "L", "LA", "I;16", "P", "RGB", "RGBA"],
    "tif": ["1", "L", "LA", "I;16", "I;16B", "I", "P", "RGB", "RGBA", "CMYK", "YCbCr"],
    "webp": ["RGB", "RGBA"],
    "gif": ["L", "P", "RGB"],
    "bmp": ["1", "L", "P", "RGB"],
    "ppm": ["1", "L", "RGB"],
    "ico": ["RGB", "RGBA"],
    "jp2": ["L", "LA", "RGB", "RGBA"],
    "tga": ["L", "RGB", "RGBA"],
}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_header_has_the_size_of_the_picture(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever the format, the mode, the orientation, the pages and the transparency."""
    kind = data.draw(st.sampled_from(list(MODES)))
    mode = data.draw(st.sampled_from(MODES[kind]))
    sides = st.sampled_from([16, 32, 48]) if kind == "ico" else st.integers(1, 70)
    size = (data.draw(sides), data.draw(sides))
    grey = Image.linear_gradient("L").resize(size)
    image = grey.convert("I").convert(mode) if mode.startswith("I") else grey.convert(mode)
    options: dict[str, object] = {}
    if kind in ("png", "tif", "webp"):
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = data.draw(st.integers(0, 9))
    if kind in ("gif", "tif", "webp") and data.draw(st.booleans()):
        options |= {"save_all": True, "append_images": [image.resize((9, 5)).resize(size)]}
    if mode == "P" and kind != "bmp":
        options["transparency"] = data.draw(st.integers(0, 255))
    path = tmp_path / f"a.{kind}"
    image.save(path, **options)
    pixels, header = read_image(path), read_header(path)
    assert header.size == pixels.shape[:2]
    turned = header.size != header.stored_size
    assert header.stored_size == (pixels.shape[1::-1] if turned else pixels.shape[:2])
    assert pixels.flags.c_contiguous
    with Image.open(path) as opened:
        np.testing.assert_array_equal(read_image(opened), pixels)


def test_strips_join_without_a_trace(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (700, 300, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    layer = Image.alpha_composite(Image.new("RGBA", (300, 700), "white"), Image.fromarray(pixels))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.array(layer.convert("RGB")))


def test_floating_point_pictures_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), dtype=np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match="floating point"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("source", ["https://example.com/x.jpg", "rtsp://camera/1", "s3://a/b"])
def test_addresses_are_not_fetched(source: str, tmp_path: Path) -> None:
    (error,) = find_images([source]).errors
    assert f"{source} is an address, and addresses are not fetched" in str(error)
    for form in (source, Path(source)):
        with pytest.raises(InputError, match=f"{source} is an address"):
            read_image(form)


def test_videos_and_what_is_no_file(tmp_path: Path) -> None:
    video = tmp_path / "clip.MP4"
    video.write_bytes(b"\0\0\0\x18ftypmp42")
    with pytest.raises(InputError, match=r"clip\.MP4 is a video; make images .*ffmpeg -i"):
        read_image(video)
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(InputError, match="is no regular file"):
            read_image(tmp_path / "pipe.png")


def test_find_images_expands_and_keeps_order(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "sub.jpg").mkdir(parents=True)
    for name in ("b.JPG", "a.png", ".hidden.png", "notes.txt"):
        (folder / name).touch()
    (tmp_path / "odd[1].jpg").touch()
    missing = tmp_path / "missing.jpg"
    paths, errors, left_out = find_images(
        [missing, tmp_path / "odd[1].jpg", folder, folder / "*.png"]
    )
    assert [path.name for path in paths] == ["missing.jpg", "odd[1].jpg", "a.png", "b.JPG"]
    assert errors == []
    assert [path.name for path in left_out] == ["notes.txt", "sub.jpg"]


def test_find_images_counts_what_it_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    names = ["a.jpg", "b.mpo", "c.mp4", "d.HEIC", "deep/e.png", "deep/f.txt", "deep/deeper/g.jpg"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "deep" / "circle").symlink_to(tmp_path, target_is_directory=True)
    paths, errors, left_out = find_images([tmp_path])
    assert [path.name for path in paths] == ["a.jpg", "b.mpo"]
    assert list_left_out(left_out) == "2 files (c.mp4, d.HEIC) and 1 subfolder"
    paths, errors, left_out = find_images([tmp_path], recursive=True)
    assert [path.name for path in paths] == ["a.jpg", "b.mpo", "e.png", "g.jpg"]
    assert list_left_out(left_out) == "3 files (c.mp4, d.HEIC, f.txt) and 1 subfolder"
    assert errors == []
    for number in range(9):
        (tmp_path / f"{number}.txt").touch()
    assert list_left_out(find_images([tmp_path]).left_out).startswith("11 files (9 .txt, 1 ")


def test_a_folder_of_other_files_is_an_error_that_lists_them(tmp_path: Path) -> None:
    (tmp_path / "c.mp4").touch()
    (error,) = find_images([tmp_path]).errors
    assert str(error).endswith("found none, but 1 file (c.mp4) of no kind that is read")


def test_find_images_reports_what_is_empty(tmp_path: Path) -> None:
    paths, errors, _ = find_images([tmp_path, tmp_path / "*.jpg"])
    assert paths == []
    assert [str(tmp_path) in str(error) for error in errors] == [True, True]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    paths, errors, _ = find_images([tmp_path / ("x" * 300 + ".jpg")])
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
