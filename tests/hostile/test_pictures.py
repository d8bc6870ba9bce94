"""A batch with pictures of any name and content: those that are good are done, whatever comes."""

import io
import json
import os

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from . import odd
from .conftest import few, hostile


def encoded(mode: str, size: tuple[int, int], form: str) -> bytes:
    """A picture of noise in a mode and a form; empty where Pillow cannot write it."""
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0]), dtype=np.uint8)
    file = io.BytesIO()
    try:
        Image.fromarray(noise).convert(mode).save(file, format=form)
    except (OSError, ValueError, KeyError):
        return b""
    return file.getvalue()


modes = st.sampled_from("1 L LA P PA RGB RGBA RGBX CMYK YCbCr LAB HSV I F I;16".split())
forms = st.sampled_from("PNG JPEG TIFF GIF WEBP BMP PPM JPEG2000 ICO TGA SGI PCX".split())
sizes = st.sampled_from(((1, 1), (3, 1), (1, 900), (900, 1), (40, 30), (2, 3000)))


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """A picture, perhaps cut off or with some bytes changed; or any bytes."""
    data = bytearray(encoded(draw(modes), draw(sizes), draw(forms)))
    kind = draw(st.sampled_from(("whole", "cut", "changed", "any")))
    if kind == "any" or not data:
        return draw(st.binary(max_size=40))
    if kind == "cut":
        return bytes(data[: draw(st.integers(0, len(data)))])
    for _ in range(draw(st.integers(1, 6)) if kind == "changed" else 0):
        data[draw(st.integers(0, min(200, len(data) - 1)))] = draw(st.integers(0, 255))
    return bytes(data)


def expect_the_good(folder, names) -> None:
    """The results hold the pictures of these names, and nothing unfinished was left."""
    entries = json.loads((folder / "k.json").read_bytes().decode("utf-8", "replace"))
    assert {os.path.basename(one["file_name"]) for one in entries} >= set(names)  # noqa: PTH119
    assert not list(folder.rglob("*.tmp"))


@few
@given(content=contents())
def test_any_content_stops_no_other(ask, dataset, spot_model, content):
    (dataset / "1.png").write_bytes(content)
    where = ("--json", dataset / "k.json", "--out", dataset / "out", "--model", spot_model)
    ask("predict", *(dataset / f"{n}.png" for n in range(3)), *where)
    expect_the_good(dataset, ("0.png", "2.png"))
    assert {"0_pose.jpg", "2_pose.jpg"} <= {one.name for one in (dataset / "out").iterdir()}


@hostile
@given(name=odd.file_names, good=st.booleans())
def test_any_name_stops_no_other(ask, dataset, spot_model, name, good):
    picture = dataset / "in" / f"{name}.png"
    picture.parent.mkdir(exist_ok=True)
    for old in picture.parent.iterdir():
        old.unlink()
    whole = (dataset / "0.png").read_bytes()
    for place, content in ((picture.with_name("0.png"), whole), (picture, whole if good else b"")):
        place.write_bytes(content)
    where = ("--json", dataset / "k.json", "--out", dataset / "out", "--model", spot_model)
    code, _, _ = ask("predict", picture.parent, picture.with_name("0.png"), *where)
    hidden = name.startswith(".")
    assert code == (0 if good or hidden or name == "0" else 2) or name == "0"
    expect_the_good(dataset, ("0.png",) if name != "0" or good else ())


@hostile
@given(text=st.one_of(st.sampled_from(odd.TEXTS), st.text(max_size=20)))
def test_any_source_model_and_box(ask, dataset, spot_model, text):
    text = text.replace("\0", "\x01")  # the system takes no null byte in an argument
    photo = dataset / "0.png"
    ask("predict", f"./{text}", "--model", spot_model)
    ask("predict", photo, f"--model=./{text}")
    ask("predict", photo, f"--boxes=1,{text}", "--model", spot_model)
    ask("predict", photo, f"--boxes=[[1,2,3,{text}]]", "--model", spot_model)
