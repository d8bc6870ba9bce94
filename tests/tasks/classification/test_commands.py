"""The commands with an exported classification model, as a user runs them, also without torch."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

import hrnet

from .conftest import make_spec


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model whose logits are 20 times the mean red, green and blue of its input."""
    spec = make_spec(mean=(0, 0, 0), std=(0.05, 0.05, 0.05))
    pool = helper.make_node("GlobalAveragePool", ["images"], ["means"])
    flat = helper.make_node("Flatten", ["means"], ["logits"])
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 64, 64])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph([pool, flat], "colours", [images], [logits])
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(file, {"hrnet": spec.to_json()})
    path = tmp_path_factory.mktemp("model") / "colours.onnx"
    onnx.save(file, path)
    return path


@pytest.fixture
def pets(class_folder, tmp_path) -> Path:
    """Red cats, green dogs and blue owls; one owl is green."""
    root = class_folder(tmp_path / "pets", 2)
    picture = np.full((80, 90, 3), (40, 190, 70), np.uint8)
    Image.fromarray(picture).save(root / "owl" / "1.png")
    return root


def test_a_picture_has_a_line_and_a_table(run, model, pets):
    code, out, err = run("predict", pets / "cat" / "0.png", "--model", model)
    assert (code, err) == (0, "")
    assert "0.png 90x70: cat 1.00, dog 0.00, owl 0.00" in out
    assert "rank" in out


def test_results_are_written_and_drawn(run, model, pets, tmp_path):
    code, out, _ = run("predict", pets / "dog", "--model", model, "--out", tmp_path / "out")
    assert code == 0
    entries = json.loads((tmp_path / "out" / "classes.json").read_text())
    assert [entry["class"] for entry in entries] == ["dog", "dog"]
    assert entries[0]["top"][0]["class"] == "dog"
    assert entries[0]["file_name"].endswith("pets/dog/0.png")
    assert (tmp_path / "out" / "0_classification.jpg").exists()
    assert "classes written to" in out


def test_boxes_are_refused_in_one_line(run, model, pets):
    code, _, err = run("predict", pets / "cat" / "0.png", "--model", model, "--boxes", "1,2,3,4")
    assert code == 2
    assert "expected no boxes: pets takes whole pictures; leave them out" in err
    assert len(err.splitlines()) == 1


def test_metrics_details_and_protocol_are_written(run, model, pets, tmp_path):
    code, out, err = run("evaluate", model, "--data", pets, "--json", tmp_path / "found.json")
    assert (code, err) == (0, "")
    assert "0.8333" in out
    found = json.loads((tmp_path / "found.json").read_text())
    assert list(found)[:2] == ["top-1", "class mean"]  # of three classes
    assert found["confusions"] == [{"class": "owl", "predicted": "dog", "images": 1}]
    assert found["classes"][2] == {"class": "owl", "images": 2, "accuracy": 0.5}
    protocol = found["protocol"]
    assert protocol["classification"]["resize"] == 72
    assert protocol["classification"]["interpolation"] == "bilinear"
    assert protocol["data"]["images"] == 6


def test_data_of_other_classes_are_refused_in_one_line(run, model, pets):
    (pets / "cat").rename(pets / "cow")
    code, _, err = run("evaluate", model, "--data", pets)
    assert code == 2
    assert "got 1 others (cow)" in err
    assert len(err.splitlines()) == 1


def test_predicting_and_evaluating_need_no_torch(run_without_torch, model, pets):
    for arguments in (
        ("predict", pets / "cat", "--model", model),
        ("evaluate", model, "--data", pets),
    ):
        done = run_without_torch(*arguments)
        assert done.returncode == 0, done.stderr


def test_in_python_labels_come_out(model, pets):
    labels = hrnet.load(model).predict(pets / "owl" / "0.png")
    assert labels.name == "owl"
    assert labels.top(2)[0] == ("owl", pytest.approx(labels.score))


def test_boxes_for_many_pictures_are_refused_once(run, model, pets, tmp_path):
    """No picture is read, and no file of results is written."""
    boxes = tmp_path / "boxes.json"
    boxes.write_text('{"other.png": [[1, 2, 3, 4]]}')
    for value in ("1,2,30,40", boxes):
        code, out, err = run(
            *("predict", pets / "dog", pets / "cat", "--model", model, "--boxes", value),
            *("--json", tmp_path / "out.json"),
        )
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert "expected no boxes: pets takes whole pictures; leave them out" in err
    assert not (tmp_path / "out.json").exists()


def test_a_pose_model_refuses_a_folder_of_classes(run, pets):
    code, _, err = run("evaluate", "default", "--data", pets, "--images", pets)
    assert code == 2
    assert "expected keypoints in a COCO keypoint file, got the folder" in err


def test_a_classification_model_refuses_a_keypoint_file(run, model, tmp_path):
    (tmp_path / "my.json").write_text('{"images": [], "annotations": [], "categories": []}')
    code, _, err = run("evaluate", model, "--data", tmp_path / "my.json")
    assert code == 2
    assert "or a list of pictures and classes" in err
