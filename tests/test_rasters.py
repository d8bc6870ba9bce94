"""Pictures of any channels: the stored numbers come back whole, and what is none is refused."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.errors import InputError
from hrnet.images import read_image
from hrnet.rasters import (
    RasterHeader,
    as_rgb,
    read_picture,
    read_raster,
    read_raster_header,
    read_view,
)
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.pose.spec import PoseSpec

from .test_images import STORED, write_tiff

DTYPES = ("uint8", "uint16", "int16", "float32", "float64", ">u2", ">f4")


def numbers(shape: tuple[int, ...], dtype: str = "uint16") -> np.ndarray:
    """Random numbers over the whole range of 16 bits, or around 0 of other types."""
    rng = np.random.default_rng(0)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return rng.normal(0, 1000, shape).astype(kind)
    limits = np.iinfo(kind)
    return rng.integers(limits.min, limits.max, shape, endpoint=True).astype(kind)


def spec_of(channels: int | None, pixel_range=None) -> PoseSpec:
    count = channels or 3
    network = NetworkSpec(variant="litehrnet_18", task="pose", num_outputs=2, in_channels=channels)
    return PoseSpec(
        name="any",
        network=network,
        input_size=(64, 64),
        mean=(0.5,) * count,
        std=(0.2,) * count,
        pixel_range=pixel_range,
        skeleton=Skeleton(("a", "b")),
    )


def write_pages(path: Path, pages: np.ndarray) -> Path:
    """Write channels (H, W, C) as the pages of a TIFF."""
    first, *others = (
        Image.fromarray(np.ascontiguousarray(one)) for one in np.moveaxis(pages, 2, 0)
    )
    first.save(path, save_all=True, append_images=others)
    return path


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 1), (7, 5, 3), (7, 5, 32), (1, 1, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back_as_they_were_saved(tmp_path: Path, dtype, shape, order) -> None:
    stored = np.asarray(numbers(shape, dtype), order=order)
    np.save(tmp_path / "a.npy", stored)
    raster = read_raster(tmp_path / "a.npy")
    assert raster.dtype.isnative and raster.ndim == 3
    assert np.array_equal(raster, stored.reshape(*shape[:2], -1).astype(raster.dtype))
    assert raster.dtype == (
        np.float32 if stored.dtype.kind == "f" else stored.dtype.newbyteorder("=")
    )
    assert np.array_equal(read_raster(stored), raster)
    header = read_raster_header(tmp_path / "a.npy")
    assert header.channels == raster.shape[2]
    assert header.numbers == {1: "8 bits", 2: "16 bits"}.get(raster.itemsize, "floating point")


@pytest.mark.parametrize("dtype", ["uint8", "<u2", ">u2", "<i2", ">i2", "<f4", ">f4"])
def test_tiff_of_one_page(tmp_path: Path, dtype) -> None:
    stored = numbers((20, 31), dtype)
    write_tiff(tmp_path / "a.tif", stored)
    raster = read_raster(tmp_path / "a.tif")
    assert raster.shape == (20, 31, 1) and np.array_equal(raster[..., 0], stored)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [2, 5, 32])
def test_pages_of_a_tiff_are_channels(tmp_path: Path, dtype, channels) -> None:
    stored = numbers((9, 12, channels), dtype)
    path = write_pages(tmp_path / "a.tiff", stored)
    assert np.array_equal(read_raster(path), stored)
    assert read_raster_header(path).channels == channels
    assert not read_raster_header(path).is_rgb


def test_smaller_copies_of_a_page_are_no_channels(tmp_path: Path) -> None:
    pages = [Image.fromarray(numbers((20, 30))), Image.fromarray(numbers((10, 15)))]
    pages[1].encoderinfo = {"tiffinfo": {254: 1}}
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert read_raster(tmp_path / "a.tif").shape == (20, 30, 1)
    assert read_raster_header(tmp_path / "a.tif").channels == 1


def test_grey_png_of_16_bits_keeps_its_depth(tmp_path: Path) -> None:
    stored = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(stored).save(tmp_path / "a.png")
    raster = read_raster(tmp_path / "a.png")
    assert raster.dtype == np.uint16 and np.array_equal(raster[..., 0], stored)
    assert read_raster_header(tmp_path / "a.png") == RasterHeader(1, "16 bits", is_rgb=True)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
def test_rasters_are_turned_upright(tmp_path: Path, orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    grey = Image.fromarray(np.ascontiguousarray(STORED[orientation][..., 0]))
    grey.save(tmp_path / f"a.{kind}", exif=exif)
    found = read_raster(tmp_path / f"a.{kind}")
    assert np.array_equal(np.repeat(found, 3, axis=2), read_image(tmp_path / f"a.{kind}"))
    assert found.shape == (20, 30, 1)


@pytest.mark.parametrize(
    ("mode", "channels"),
    [("1", 1), ("L", 1), ("LA", 2), ("P", 3), ("RGB", 3), ("RGBA", 4), ("CMYK", 4), ("F", 1)],
)
def test_channels_of_an_open_picture(mode, channels) -> None:
    image = Image.fromarray(numbers((8, 9, 3), "uint8")).convert(mode)
    assert read_raster(image).shape == (8, 9, channels)


class _Trap:
    """An object that writes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[_Trap(tmp_path / "ran")]]), allow_pickle=True)
    with pytest.raises(InputError, match="holds Python objects, which are never read"):
        read_raster(tmp_path / "a.npy")
    with pytest.raises(InputError, match="holds Python objects"):
        read_raster_header(tmp_path / "a.npy")
    assert not (tmp_path / "ran").exists()


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def lying(shape: str) -> bytes:
    """An array file of 4 pixels whose header has another shape."""
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (63 - (10 + len(head)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(4)


GOOD = saved(np.zeros((4, 5), np.uint16))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\x93NUMPY", "is no readable .npy array"),
        (b"P5 2 2 255 abcd", "is no readable .npy array"),
        (b"\x93NUMPY\x03\x00" + GOOD[8:], "is no readable .npy array"),
        (b"\x93NUMPY\x01\x00\xff\xff{" + b"(" * 70_000, "is no readable .npy array"),
        (GOOD[:-1], "expected 40 bytes of pixels, got 39"),
        (GOOD + b"x", "expected 40 bytes of pixels, got 41"),
        (lying("(100000, 1000)"), "expected 100,000,000 bytes of pixels, got 4"),
        (lying("(10000000, 10000000)"), "has more than 178 million pixels"),
        (lying("(2, -2)"), "expected an array (height, width)"),
        (lying("(4,)"), "expected an array (height, width)"),
        (lying("()"), "expected an array (height, width)"),
        (lying("(1, 1, 1, 4)"), "expected an array (height, width)"),
        (saved(np.zeros((4, 5, 33), np.uint8)), "of 1 to 32 channels, got (4, 5, 33)"),
        (saved(np.zeros((0, 5), np.uint8)), "got (0, 5)"),
        (saved(np.zeros((4, 5), bool)), "expected numbers of uint8"),
        (saved(np.zeros((4, 5), np.int64)), "got int64"),
        (saved(np.zeros((4, 5), np.float16)), "got float16"),
        (saved(np.zeros((4, 5), complex)), "got complex128"),
        (saved(np.zeros((4, 5), "U3")), "got <U3"),
        (saved(np.zeros((4, 5), [("a", "u1")])), "expected numbers of uint8"),
        (saved(np.full((4, 5), np.nan)), "holds NaN, infinity"),
        (saved(np.full((4, 5), np.inf, np.float32)), "holds NaN, infinity"),
        (saved(np.full((4, 5), 1e200)), "numbers beyond 1e+30"),
    ],
)
def test_what_is_no_array_of_pixels_is_refused_in_a_line(tmp_path: Path, content, problem) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_raster(path)
    assert problem in str(caught.value) and "a.npy" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_header_of_python_2_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(lying("(2L, 2L)"))
    assert read_raster(tmp_path / "a.npy").shape == (2, 2, 1)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for name, problem in (("a.npy", "does not exist"), ("b.tif", "does not exist")):
        with pytest.raises(InputError, match=problem):
            read_raster(tmp_path / name)
    (tmp_path / "c.npy").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        read_raster(tmp_path / "c.npy")
    with pytest.raises(InputError, match="expected a path, a Pillow image"):
        read_raster(7)  # type: ignore[arg-type]


def test_colours_of_16_bits_are_refused_where_they_would_lose_their_depth(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif", numbers((6, 7, 3)))
    with pytest.raises(InputError, match=r"colours of 16 bits in .* cannot be read in full depth"):
        read_raster(tmp_path / "a.tif")


def test_pages_that_differ_are_refused(tmp_path: Path) -> None:
    one, other = Image.fromarray(numbers((6, 7))), Image.fromarray(numbers((6, 8)))
    one.save(tmp_path / "a.tif", save_all=True, append_images=[other])
    with pytest.raises(InputError, match=r"one size and type in .*7x6 uint16 and 8x6 uint16"):
        read_raster(tmp_path / "a.tif")
    write_pages(tmp_path / "b.tif", numbers((2, 2, 33), "uint8"))
    with pytest.raises(InputError, match="expected 1 to 32 pages"):
        read_raster(tmp_path / "b.tif")


def test_a_model_of_rgb_reads_what_it_always_read(tmp_path: Path) -> None:
    grey = Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64))
    grey.save(tmp_path / "grey.png")
    Image.fromarray(numbers((8, 9, 3), "uint8")).save(tmp_path / "rgb.png")
    for name in ("grey.png", "rgb.png"):
        found = read_picture(tmp_path / name, spec_of(None))
        assert found.dtype == np.uint8
        assert np.array_equal(found, read_image(tmp_path / name))
    for shape in ((8, 9, 3), (8, 9)):
        stored = numbers(shape, "uint8")
        np.save(tmp_path / "a.npy", stored)
        assert np.array_equal(read_picture(tmp_path / "a.npy", spec_of(3)), read_image(stored))


def test_grey_is_read_without_the_way_over_rgb(tmp_path: Path) -> None:
    stored = numbers((8, 9), "uint8")
    Image.fromarray(stored).save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png", spec_of(1))
    assert found.dtype == np.uint8 and np.array_equal(found, stored[..., None])
    Image.fromarray(np.repeat(stored[..., None], 3, axis=2)).save(tmp_path / "b.png")
    assert np.array_equal(read_picture(tmp_path / "b.png", spec_of(1)), found)


@pytest.mark.parametrize(
    ("shape", "dtype", "channels", "pixel_range", "problem"),
    [
        ((8, 9, 3), "uint8", 1, None, "expected 1 channel, got 3 that differ"),
        ((8, 9, 3), "uint8", 4, None, "expected 4 channels, got 3"),
        ((8, 9, 5), "uint8", None, None, "expected 3 channels, got 5"),
        ((8, 9, 4), "uint8", None, None, "expected 3 channels, got 4"),
        ((8, 9), "uint8", 3, (0, 255), "expected 3 channels, got 1"),
        ((8, 9), "uint16", 1, None, "expected pixels of 8 bits, got uint16"),
        ((8, 9, 3), "float32", None, None, "expected pixels of 8 bits, got float32"),
        ((8, 9), "uint8", 1, (0, 4095), "expected pixels within 0 to 4095, got 8 bits"),
    ],
)
def test_other_channels_or_numbers_than_the_models_are_refused(
    tmp_path: Path, shape, dtype, channels, pixel_range, problem
) -> None:
    np.save(tmp_path / "a.npy", numbers(shape, dtype))
    with pytest.raises(InputError) as caught:
        read_picture(tmp_path / "a.npy", spec_of(channels, pixel_range))
    assert problem in str(caught.value) and "a.npy" in str(caught.value)


@pytest.mark.parametrize("limits", [(0, 4095), (-1000, 3000), (0.25, 0.5), (0, 255)])
def test_the_range_is_mapped_evenly(limits) -> None:
    low, high = limits
    stored = np.array([[low, (low + high) / 2, high, high + (high - low)]], np.float32)
    found = read_picture(stored, spec_of(1, limits))
    np.testing.assert_allclose(found[0, :, 0], [0, 127.5, 255, 510], atol=1e-3)
    assert found.dtype == np.float32


def test_bytes_stay_bytes_in_their_own_range() -> None:
    stored = numbers((6, 7, 5), "uint8")
    assert read_picture(stored, spec_of(5, (0, 255))) is stored
    assert read_picture(stored, spec_of(5, (10, 200))).dtype == np.float32


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_view_has_the_first_three_channels(channels, dtype) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (6, 7, channels)).astype(dtype)
    view = as_rgb(picture)
    assert view.shape == (6, 7, 3) and view.dtype == np.uint8
    for index in range(3):
        source = 0 if channels == 1 else index
        expected = picture[..., source] if source < channels else 0
        assert (view[..., index] == expected).all()


def test_the_view_without_a_model_is_stretched(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.linspace(-5, 20, 256, dtype=np.float32).reshape(16, 16))
    view = read_view(tmp_path / "a.npy")
    assert np.array_equal(view[..., 0].ravel(), np.arange(256))
    np.save(tmp_path / "flat.npy", np.full((4, 4), 7, np.uint16))
    assert (read_view(tmp_path / "flat.npy") == 0).all()
    Image.fromarray(numbers((8, 9), "uint16")).save(tmp_path / "a.png")
    assert np.array_equal(read_view(tmp_path / "a.png"), read_image(tmp_path / "a.png"))
    view = read_view(tmp_path / "a.png", spec_of(1, (0, 65535)))
    assert np.array_equal(view, as_rgb(read_picture(tmp_path / "a.png", spec_of(1, (0, 65535)))))
