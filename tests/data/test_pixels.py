"""The way in which a training reads pictures is chosen from the pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.data.pixels import Pixels, choose_pixels, odd_pictures
from hrnet.errors import InputError
from hrnet.rasters import read_raster_header


def write(
    folder: Path, kind: str, count: int = 4, *, top: float = 200, low: float = 0
) -> list[Path]:
    """Write pictures of a kind whose values run evenly from `low` to `top`."""
    ramp = np.linspace(low, top, 20 * 30).reshape(20, 30)
    paths = []
    for index in range(count):
        path = folder / f"{kind}{index}"
        if kind.startswith("npy"):
            _, dtype, channels = kind.split("-")
            path = path.with_suffix(".npy")
            np.save(path, np.repeat(ramp[..., None], int(channels), axis=2).astype(dtype))
        elif kind == "pages":
            path = path.with_suffix(".tif")
            page = Image.fromarray(ramp.astype(np.uint8))
            page.save(path, save_all=True, append_images=[page, page])
        else:
            path = path.with_suffix(".png")
            dtype = np.uint16 if kind == "I;16" else np.uint8
            image = Image.fromarray(ramp.astype(dtype))
            (image if kind in ("L", "I;16") else image.convert(kind)).save(path)
        paths.append(path)
    return paths


@pytest.mark.parametrize("kind", ["RGB", "RGBA", "LA", "npy-uint8-3"])
def test_what_people_see_is_read_as_rgb(tmp_path: Path, kind: str) -> None:
    assert choose_pixels(write(tmp_path, kind)) == Pixels()
    assert choose_pixels([tmp_path / "missing.png"]) == Pixels()
    assert choose_pixels([]) == Pixels()


def test_grey_pictures_among_photos_stay_rgb(tmp_path: Path) -> None:
    paths = [*write(tmp_path, "RGB"), *write(tmp_path, "L"), *write(tmp_path, "I;16")]
    assert choose_pixels(paths).is_rgb
    assert odd_pictures({str(path): read_raster_header(path) for path in paths})[1] == {}


@pytest.mark.parametrize(
    ("kind", "top", "low", "channels", "limits", "unit"),
    [
        ("L", 200, 0, 1, None, 255),
        ("npy-uint8-1", 200, 0, 1, None, 255),
        ("npy-uint8-5", 200, 0, 5, None, 255),
        ("pages", 200, 0, 3, (0, 255), 255),
        ("I;16", 900, 0, 1, (0, 1023), 1023),
        ("I;16", 4000, 0, 1, (0, 4095), 4095),
        ("npy-uint16-3", 60000, 0, 3, (0, 65535), 65535),
        ("npy-int16-1", 3000, -1000, 1, (-1000, 3000), 4000),
        ("npy-float32-4", 1, 0, 4, (0, 1), 1),
        ("npy-float64-1", 80, -20, 1, (-20, 80), 100),
    ],
)
def test_the_range_follows_the_numbers(
    tmp_path: Path, kind, top, low, channels, limits, unit
) -> None:
    found = choose_pixels(write(tmp_path, kind, top=top, low=low))
    assert (found.in_channels, found.pixel_range) == (channels, limits)
    start = 0 if limits is None else limits[0]
    # An even run has its mean in the middle, and a deviation of its length / sqrt(12).
    np.testing.assert_allclose(found.mean, [((low + top) / 2 - start) / unit] * channels, atol=3e-3)
    np.testing.assert_allclose(found.std, [(top - low) / unit / 12**0.5] * channels, atol=3e-3)
    assert f"{channels} channel" in found.line() and f"{found.mean[0]:g}" in found.line()
    assert found.picture_bytes == 600 * channels * (1 if unit == 255 else 4)


def test_what_is_given_is_not_chosen(tmp_path: Path) -> None:
    grey = write(tmp_path, "L")
    assert choose_pixels(grey, in_channels=3) == Pixels()
    assert choose_pixels(write(tmp_path, "npy-uint16-5"), in_channels=3) == Pixels()
    assert choose_pixels(write(tmp_path, "npy-uint16-3"), in_channels=3).pixel_range == (0, 255)
    assert choose_pixels(grey, pixel_range=(0, 100)).pixel_range == (0, 100)
    assert choose_pixels(write(tmp_path, "RGB"), in_channels=1).in_channels == 1  # of equal ones
    assert choose_pixels(write(tmp_path, "RGBA"), in_channels=4).in_channels == 4


def test_flat_pictures_have_a_deviation_above_0(tmp_path: Path) -> None:
    found = choose_pixels(write(tmp_path, "npy-float32-1", top=-3, low=-3))
    assert min(found.std) > 0
    assert found.pixel_range[0] < found.pixel_range[1]


@pytest.mark.parametrize("other", ["npy-uint16-4", "npy-float32-5", "RGB"])
def test_pictures_of_several_kinds_are_refused(tmp_path: Path, other: str) -> None:
    paths = [*write(tmp_path, "npy-uint16-5", 5), *write(tmp_path, other, 1)]
    with pytest.raises(InputError, match=r"got 5 channels of 16 bits in most and .* in .*0"):
        choose_pixels(paths)


def test_broken_pictures_are_left_to_the_training(tmp_path: Path) -> None:
    paths = write(tmp_path, "npy-uint16-2")
    paths[0].write_bytes(b"nothing")
    found = choose_pixels(paths)
    assert (found.in_channels, found.measured) == (2, 3)
