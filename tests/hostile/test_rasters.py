"""Files of any channels with any bytes: the numbers of a picture, or one line."""

import io
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import hrnet
from hrnet.errors import InputError
from hrnet.rasters import read_raster, read_raster_header, read_view
from hrnet.skeleton import Skeleton
from hrnet.spec import MAX_CHANNELS
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.weights.checkpoint import save_checkpoint

from .conftest import few, hostile

TYPES = (np.uint8, np.uint16, np.int16, np.float32, np.float64, np.int64, bool, complex, object)
FLOATS = (float("nan"), float("inf"), -float("inf"), 1e300, -1e31, 1e-320)
HEADER_BYTES = 140


def as_npy(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, pixels, allow_pickle=True)
    return file.getvalue()


def as_tiff(pixels: np.ndarray, compression: str) -> bytes:
    """Pages of a TIFF; empty where Pillow cannot write them."""
    file = io.BytesIO()
    try:
        first, *others = (Image.fromarray(one) for one in np.moveaxis(pixels, 2, 0).copy())
        first.save(
            file, "TIFF", save_all=True, append_images=others, compression=compression or None
        )
    except (TypeError, ValueError, OSError, KeyError):
        return b""
    return file.getvalue()


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A name and its content: a picture of any numbers, perhaps cut off or with changed bytes."""
    kind = np.dtype(draw(st.sampled_from(TYPES)))
    shape = tuple(draw(st.integers(0, most)) for most in (9, 9, MAX_CHANNELS + 2))
    pixels = np.random.default_rng(draw(st.integers(0, 9))).integers(0, 2000, shape).astype(kind)
    if kind.kind == "f" and pixels.size and draw(st.booleans()):
        with np.errstate(over="ignore"):  # what is too large becomes infinity
            odd = np.array([draw(st.sampled_from(FLOATS))]).astype(kind)
        pixels.reshape(-1)[draw(st.integers(0, pixels.size - 1))] = odd[0]
    is_npy = draw(st.booleans())
    compressions = st.sampled_from(("", "tiff_lzw", "tiff_deflate", "packbits"))
    data = bytearray(as_npy(pixels) if is_npy else as_tiff(pixels, draw(compressions)))
    how = draw(st.sampled_from(("whole", "cut", "changed", "changed", "grown", "any")))
    if how == "any" or not data:
        data = bytearray(draw(st.binary(max_size=60)))
    elif how == "cut":
        data = data[: draw(st.integers(0, len(data)))]
    elif how == "grown":
        data += draw(st.binary(min_size=1, max_size=9))
    for _ in range(draw(st.integers(1, 6)) if how == "changed" and data else 0):
        # The header of a .npy is at its start, the list of pages of a TIFF anywhere.
        most = min(HEADER_BYTES, len(data) - 1) if is_npy else len(data) - 1
        data[draw(st.integers(0, most))] = draw(st.integers(0, 255))
    return "a.npy" if is_npy else "a.tif", bytes(data)


@hostile
@given(file=files())
def test_any_bytes_are_pixels_or_one_line(tmp_path, file):
    name, content = file
    path = tmp_path / name
    path.write_bytes(content)
    for read in (read_raster, read_raster_header, read_view):
        try:
            found = read(path)
        except InputError as error:
            assert str(error) == str(error).splitlines()[0] and name in str(error)
            continue
        if read is read_raster:
            assert found.ndim == 3 and found.size and 1 <= found.shape[2] <= MAX_CHANNELS
            assert found.dtype in (np.uint8, np.uint16, np.int16, np.float32)
            assert np.isfinite(found).all()
        if read is read_view:
            assert found.dtype == np.uint8 and found.shape[2] == 3


@few
@given(file=files())
def test_no_file_stops_those_of_a_batch(ask, tmp_path, file):
    model = tmp_path / "m.safetensors"
    if not model.exists():
        network = hrnet.create_model("litehrnet_18", num_outputs=2, in_channels=1)
        spec = PoseSpec(
            name="grey", network=network.spec, input_size=(32, 32), mean=(0.5,), std=(0.2,),
            pixel_range=(0, 2000), skeleton=Skeleton(("a", "b")), subjects="picture",
        )  # fmt: skip
        save_checkpoint(model, network, spec)
    (tmp_path / "in").mkdir(exist_ok=True)
    for old in (tmp_path / "in").iterdir():
        old.unlink()
    name, content = file
    good = [tmp_path / "in" / "0.npy", tmp_path / "in" / "b.npy"]
    for path in good:
        np.save(path, np.full((9, 8), 1000, np.uint16))
    (tmp_path / "in" / name).write_bytes(content)
    where = ("--json", tmp_path / "k.json", "--out", tmp_path / "out", "--model", model)
    ask("predict", tmp_path / "in", *where)
    entries = json.loads((tmp_path / "k.json").read_text())
    assert {str(path) for path in good} <= {one["file_name"] for one in entries}
    assert not list(tmp_path.rglob("*.tmp"))
