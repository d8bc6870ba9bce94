"""Whatever people give `hrnet predict`: a right result, or one clear line and exit code 2."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from hrnet.errors import InputError
from hrnet.predict import load
from hrnet.runtime import read_spec
from hrnet.skeleton import Skeleton

ONNX_WITHOUT_SPEC = "expected a model exported by hrnet"
NO_MODEL = "expected an ONNX model"


def bomb() -> bytes:
    """A PNG file of 10 gigapixels in 60 bytes."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def truncated_jpeg(folder: Path) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    return whole[: len(whole) // 2]


BAD_IMAGES: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "text": (lambda _: b"this is no picture", "none that can be read"),
    "truncated": (truncated_jpeg, "damaged"),
    "empty": (lambda _: b"", "0 bytes"),
    "bomb": (lambda _: bomb(), "decompression bomb"),
}


@pytest.fixture
def predict(run, spot_model: Path):
    """Run `hrnet predict`; checks that errors are lines of text and returns them."""

    def command(*arguments: object, model: object = spot_model) -> tuple[int, str, list[str]]:
        code, out, errors = run("predict", *arguments, "--model", model)
        assert "Traceback" not in errors
        return code, out, errors.splitlines()

    return command


@pytest.fixture
def photo(spots, tmp_path: Path) -> Path:
    spots().save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def expect_one_line(result: tuple[int, str, list[str]], words: str) -> None:
    code, _, errors = result
    assert code == 2
    assert len(errors) == 1
    assert errors[0].startswith("hrnet: error: ")
    assert words in errors[0]


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_bad_image_files(predict, tmp_path: Path, kind: str) -> None:
    make, words = BAD_IMAGES[kind]
    (tmp_path / "bad.jpg").write_bytes(make(tmp_path))
    result = predict(tmp_path / "bad.jpg", "--out", tmp_path / "out")
    expect_one_line(result, words)
    assert "bad.jpg" in result[2][0]
    assert not list((tmp_path / "out").iterdir())


def test_missing_file(predict, tmp_path: Path) -> None:
    expect_one_line(predict(tmp_path / "no.jpg"), "does not exist")


def test_folder_without_images(predict, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    expect_one_line(predict(tmp_path), "found none")


def test_pattern_without_images(predict, tmp_path: Path) -> None:
    expect_one_line(predict(tmp_path / "*.jpg"), "found none")


def test_good_images_of_a_batch_are_done(predict, spots, photo: Path, tmp_path: Path) -> None:
    bad = []
    for kind, (make, _) in BAD_IMAGES.items():
        bad.append(tmp_path / f"{kind}.jpg")
        bad[-1].write_bytes(make(tmp_path))
    (tmp_path / "whole.jpg").unlink()
    spots((100, 20)).save(tmp_path / "other.png")
    empty = tmp_path / "empty_folder"
    empty.mkdir()
    out = tmp_path / "out"
    code, text, errors = predict(tmp_path, tmp_path / "missing.jpg", empty, "--out", out)
    assert code == 2
    assert errors[0] == "hrnet: 6 of 8 sources could not be used:"
    assert len(errors) == 7
    for name in [*(path.name for path in bad), "missing.jpg", "empty_folder"]:
        assert sum(name in line for line in errors[1:]) == 1
    entries = json.loads((out / "keypoints.json").read_text())
    assert [Path(entry["file_name"]).name for entry in entries] == ["other.png", photo.name]
    assert (out / "photo_pose.jpg").is_file()
    assert (out / "other_pose.jpg").is_file()
    assert "photo.png 240x160" in text


def odd_pictures(folder: Path, image: Image.Image) -> dict[str, Path]:
    """The same picture in formats that are often read wrongly."""
    grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(folder / "grey16.png")
    image.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    image.quantize(16).save(folder / "palette.png")
    frames = [Image.new("RGB", image.size, color) for color in ("navy", "white")]
    image.save(folder / "animated.gif", save_all=True, append_images=frames)
    image.convert("RGBA").save(folder / "rgba.png")
    return {path.stem: path for path in folder.iterdir()}


@pytest.mark.parametrize("kind", ["grey16", "cmyk", "palette", "animated", "rgba"])
def test_odd_pictures_give_the_right_result(
    predict, spots, spot_points, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "odd").mkdir()
    path = odd_pictures(tmp_path / "odd", spots())[kind]
    file = tmp_path / "k.json"
    code, _, _ = predict(path, "--boxes", "20,10,70,100", "--json", file)
    assert code == 0
    found = np.reshape(json.loads(file.read_text())[0]["keypoints"], (3, 3))
    if kind == "grey16":  # without colours all keypoints see the brightest spot, the green one
        assert np.abs(found[:, :2] - spot_points[1]).max() < 3
        assert np.allclose(found[:, 2], 150 / 255, atol=0.1)
    else:
        assert np.abs(found[:, :2] - spot_points).max() < 3


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        ("500,0,10,10", "outside the image"),
        ("0,0,0,10", "no area"),
        ("0,0,nan,10", "NaN"),
        ("0,0,inf,10", "infinity"),
        ("0,0,ten,10", "four numbers"),
        ("1,2,3", "four numbers"),
        ("[[1,2,3]]", "four numbers"),
        ("[[1,2,3,4],[1,2,3,null]]", "four numbers"),
        ("[[1,2,3,4],5]", "four numbers"),
        ("[1,2", "expected JSON in --boxes"),
    ],
)
def test_bad_box(predict, photo: Path, boxes: str, words: str) -> None:
    expect_one_line(predict(photo, "--boxes", boxes), words)


IMAGES = [{"id": 1, "file_name": "photo.png"}]
BAD_BOX_FILES = {
    "not json": ("{", "expected JSON"),
    "binary": (b"\xff\xfe\x00", "expected JSON"),
    "a number": ("3", "got something else"),
    "no persons": ({"images": IMAGES, "annotations": []}, "at least one person"),
    "no entries": ({}, "at least one person"),
    "no detections": ([], "at least one person"),
    "dangling id": (
        {"images": IMAGES, "annotations": [{"image_id": 9, "bbox": [0, 0, 5, 5]}]},
        "annotations of images that are not listed: 1",
    ),
    "three numbers": ({"photo.png": [[1, 2, 3]]}, "[x, y, width, height]"),
    "words": ({"photo.png": "left"}, "[x, y, width, height]"),
    "no bbox": ([{"image_id": 1}], "detection 1, bbox: expected 4 finite numbers"),
    "a list of lists": ([[1, 2, 3, 4]], "got something else"),
    "other image": ({"other.png": [[1, 2, 3, 4]]}, "has no boxes for it"),
    "nan": ('{"photo.png": [[NaN, 0, 5, 5]]}', "NaN"),
    "null": ({"photo.png": [[None, 0, 5, 5]]}, "NaN"),
    "outside": ({"photo.png": [[0, 0, 5, 5], [900, 900, 5, 5]]}, "box 2"),
    "names": ([{"image_id": 1, "bbox": [0, 0, 5, 5]}], "by number"),
    "huge id": ([{"image_id": 10**400, "bbox": [0, 0, 5, 5]}], "image_id: expected a whole"),
    "endless id": ('[{"image_id": Infinity, "bbox": [0, 0, 5, 5]}]', "image_id: expected a wh"),
    "endless category": (
        '[{"image_id": 1, "category_id": Infinity, "bbox": [0, 0, 5, 5]}]',
        "category_id: expected a number",
    ),
    "other folder": ({"other/photo.png": [[1, 2, 3, 4]]}, "lists other/photo.png, in another"),
}


@pytest.mark.parametrize("kind", BAD_BOX_FILES)
def test_bad_box_files(predict, photo: Path, tmp_path: Path, kind: str) -> None:
    content, words = BAD_BOX_FILES[kind]
    file = tmp_path / "boxes.json"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        file.write_text(content if isinstance(content, str) else json.dumps(content))
    expect_one_line(predict(photo, "--boxes", file), words)


def test_detections_by_an_annotation_file(predict, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "boxes.json").write_text(json.dumps([{"image_id": 9, "bbox": [20, 10, 70, 100]}]))
    names = tmp_path / "names.json"
    names.write_text(json.dumps({"images": [{"id": 9, "file_name": "photo.png"}]}))
    boxes, written = ("--boxes", tmp_path / "boxes.json"), ("--json", tmp_path / "k.json")
    code, _, _ = predict(photo, *boxes, "--images-of", names, *written)
    (entry,) = json.loads((tmp_path / "k.json").read_text())
    assert (code, entry["image_id"], entry["bbox"]) == (0, 9, [20, 10, 70, 100])
    lost = predict(photo, *boxes, "--images-of", names, "--json", names)
    expect_one_line(lost, "is read by this command")
    expect_one_line(
        predict(photo, "--images-of", names), "expected --boxes FILE with COCO detections"
    )


def test_one_bad_box_in_a_batch(predict, spots, photo: Path, tmp_path: Path) -> None:
    spots().save(tmp_path / "good.png")
    boxes = {"photo.png": [[0, 0, 0, 0]], "good.png": [[20, 10, 70, 100]]}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    options = ("--boxes", tmp_path / "boxes.json", "--json", tmp_path / "k.json")
    code, _, errors = predict(photo, tmp_path / "good.png", *options)
    assert code == 2
    assert errors[0] == "hrnet: 1 of 2 sources could not be used:"
    assert "photo.png: box 1" in errors[1]
    assert len(json.loads((tmp_path / "k.json").read_text())) == 1


def bare_onnx(path: Path, **metadata: str) -> None:
    """A valid ONNX model with other metadata than ours."""
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [output]))
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)


BAD_MODELS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _: None, "expected a model's name or file"),
    "random bytes": (
        lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
        NO_MODEL,
    ),
    "empty": (lambda path: path.write_bytes(b""), NO_MODEL),
    "json": (lambda path: path.write_text('{"a": 1}'), NO_MODEL),
    "picture": (lambda path: Image.new("RGB", (9, 9)).save(path, format="PNG"), NO_MODEL),
    "zip": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(200)), NO_MODEL),
    "other onnx": (bare_onnx, ONNX_WITHOUT_SPEC),
    "spec of a later version": (
        lambda path: bare_onnx(path, hrnet='{"format": 3}'),
        "not the description of a model",
    ),
    "folder": (lambda path: path.mkdir(), "run folder"),
}


@pytest.mark.parametrize("kind", BAD_MODELS)
def test_bad_models(predict, photo: Path, tmp_path: Path, kind: str) -> None:
    make, words = BAD_MODELS[kind]
    make(tmp_path / "model.onnx")
    expect_one_line(predict(photo, model=tmp_path / "model.onnx"), words)


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"junk" * 100])
def test_bad_checkpoints(predict, photo: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    code, _, errors = predict(photo, model=tmp_path / "model.safetensors")
    assert code == 2
    assert len(errors) == 1


def test_outputs_are_checked_before_any_work(predict, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for option, path, words in (
        ("--out", tmp_path / "file", "is a file or lies below one"),
        ("--out", tmp_path / "file" / "deep", "is a file or lies below one"),
        ("--json", tmp_path, "is a folder"),
        ("--json", tmp_path / "file" / "k.json", "is a file or lies below one"),
    ):
        expect_one_line(predict(photo, option, path, model="no such model"), words)


def test_an_input_or_a_device_is_never_replaced(predict, photo: Path, tmp_path: Path) -> None:
    before = photo.read_bytes()
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({photo.name: [[0, 0, 50, 50]]}))
    link = tmp_path / "link.json"
    link.symlink_to(photo)
    for arguments, words in (
        (("--json", photo), "is read by this command"),
        (("--json", link), "is read by this command"),
        (("--boxes", boxes, "--json", boxes), "is read by this command"),
        (("--json", "/dev/null"), "name a regular file"),
    ):
        expect_one_line(predict(photo, *arguments), words)
    assert photo.read_bytes() == before
    assert json.loads(boxes.read_text()) == {photo.name: [[0, 0, 50, 50]]}


def test_a_linked_output_keeps_its_link(predict, photo: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    assert predict(photo, "--json", link)[0] == 0
    assert link.is_symlink()
    assert len(json.loads(target.read_text())) == 1


def test_a_network_that_does_not_fit_its_description(
    predict, photo: Path, spot_model: Path, tmp_path: Path
) -> None:
    model = onnx.load(spot_model)
    spec = read_spec(spot_model)
    for change, words in (
        ({"input_size": (256, 192)}, "does not fit its description"),
        ({"skeleton": Skeleton(("a", "b"))}, "the network has 3 keypoints and the skeleton 2"),
        (
            {
                "skeleton": Skeleton(("a", "b")),
                "network": spec.network.model_copy(update={"num_outputs": 2}),
            },
            "shape (1, 3, 32, 24), not (1, 2, 32, 24)",
        ),
    ):
        onnx.helper.set_model_props(model, {"hrnet": spec.model_copy(update=change).to_json()})
        onnx.save(model, tmp_path / "mixed.onnx")
        expect_one_line(predict(photo, model=tmp_path / "mixed.onnx"), words)


def test_a_network_that_answers_one_crop_where_two_were_asked(
    predict, photo: Path, spot_model: Path, tmp_path: Path
) -> None:
    model = onnx.load(spot_model)
    (pool,) = model.graph.node
    pool.output[0] = "pooled"
    for name, number in (("first", 0), ("second", 1)):
        value = onnx.numpy_helper.from_array(np.array([number]), name)
        model.graph.initializer.append(value)
    cut = onnx.helper.make_node("Slice", ["pooled", "first", "second", "first"], ["heatmaps"])
    model.graph.node.append(cut)
    onnx.save(model, tmp_path / "one.onnx")
    assert predict(photo, model=tmp_path / "one.onnx")[0] == 0
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({photo.name: [[0, 0, 50, 50], [10, 10, 50, 50]]}))
    result = predict(photo, "--boxes", boxes, model=tmp_path / "one.onnx")
    expect_one_line(result, "output has shape (1, 3, 32, 24), not (2, 3, 32, 24)")


def test_names_of_keypoints_are_printed_as_they_are(
    predict, photo: Path, spot_model: Path, tmp_path: Path
) -> None:
    model = onnx.load(spot_model)
    names = ("\x1b]0;owned\x07", "[/]", "[red]a:smile:")
    change = {"skeleton": Skeleton(names)}
    spec = read_spec(spot_model).model_copy(update=change)
    onnx.helper.set_model_props(model, {"hrnet": spec.to_json()})
    onnx.save(model, tmp_path / "named.onnx")
    code, text, errors = predict(photo, "--out", tmp_path / "out", model=tmp_path / "named.onnx")
    assert (code, errors) == (0, [])
    assert "\x1b" not in text
    for name in (r"\x1b]0;owned\x07", "[/]", "[red]a:smile:"):
        assert name in text
    (entry,) = json.loads((tmp_path / "out" / "keypoints.json").read_text(encoding="utf-8"))
    assert entry["keypoint_names"] == list(names)


def test_unknown_engine(spot_model: Path) -> None:
    with pytest.raises(InputError, match="onnxruntime or openvino as the engine, got 'tensorrt'"):
        load(spot_model, engine="tensorrt")  # type: ignore[arg-type]


def test_usage_errors_end_with_2(run) -> None:
    assert run("predict")[0] == 2
    assert run("predict", "a.jpg", "--nonsense")[0] == 2
