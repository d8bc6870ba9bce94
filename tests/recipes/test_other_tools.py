"""`train --data` on data of other tools: imported into the run's folder, with their parts."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from hrnet.data.imports.training import is_of_another_tool
from hrnet.errors import InputError
from hrnet.recipes import finetune
from hrnet.recipes.finetune import own_experiment


@pytest.fixture(autouse=True)
def nothing_is_downloaded(monkeypatch):
    monkeypatch.setattr(finetune, "find_model", lambda name: None)


def choose(data: Path, tmp_path: Path, **more):
    images, val = more.pop("images", None), more.pop("val", None)
    return own_experiment(data, images, val=val, out=tmp_path / "run", **more)


def pictures(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number}.png" for number in range(count)]
    for file in files:
        Image.new("RGB", (200, 100), "teal").save(file)
    return files


def write_yolo(root: Path, counts: dict[str, int], line: str = "0 0.5 0.5 0.4 0.6\n") -> Path:
    """Labels below folders of parts, which data.yaml names."""
    for part, count in counts.items():
        labels = root / "labels" / part
        labels.mkdir(parents=True)
        for file in pictures(root / "images" / part, count):
            (labels / f"{file.stem}.txt").write_text(line)
    parts = "".join(f"{part}: images/{part}\n" for part in counts)
    (root / "data.yaml").write_text(f"{parts}names: [dog, cat]\n")
    return root / "data.yaml"


def write_voc(root: Path, count: int) -> Path:
    (root / "Annotations").mkdir(parents=True)
    sides = "<xmin>1</xmin><ymin>1</ymin><xmax>50</xmax><ymax>60</ymax>"
    thing = f"<object><name>dog</name><bndbox>{sides}</bndbox></object>"
    for file in pictures(root / "JPEGImages", count):
        text = f"<annotation><filename>{file.name}</filename>{thing}</annotation>"
        (root / "Annotations" / f"{file.stem}.xml").write_text(text)
    return root


def write_cvat(root: Path, count: int) -> Path:
    box = '<box label="dog" xtl="0" ytl="0" xbr="50" ybr="60"/>'
    images = [
        f'<image name="{file.name}" width="200" height="100">{box}</image>'
        for file in pictures(root / "images", count)
    ]
    (root / "annotations.xml").write_text(f"<annotations>{''.join(images)}</annotations>")
    return root / "annotations.xml"


def write_studio(root: Path, count: int) -> Path:
    value = {"x": 0, "y": 0, "width": 25, "height": 60, "rectanglelabels": ["dog"]}
    region = {"type": "rectanglelabels", "value": value}
    tasks = [
        {"id": n, "data": {"image": file.name}, "annotations": [{"id": n, "result": [region]}]}
        for n, file in enumerate(pictures(root, count))
    ]
    (root / "export.json").write_text(json.dumps(tasks))
    return root / "export.json"


@pytest.mark.parametrize("write", [write_voc, write_cvat, write_studio])
def test_boxes_of_other_tools_are_imported_and_split(write, tmp_path):
    data = write(tmp_path / "data", 20)
    experiment, lines = choose(data, tmp_path)
    assert experiment.task == "detection"
    assert lines[0].startswith(f"imported {data} to {tmp_path / 'run/data/imported.json'}: ")
    assert lines[0].endswith("20 images, 20 boxes of 1 class: dog")
    assert experiment.data.annotations == tmp_path / "run/data/train.json"
    part = json.loads((tmp_path / "run/data/val.json").read_text())
    assert len(part["images"]) == 2
    assert (experiment.data.images / part["images"][0]["file_name"]).is_file()
    assert any(line.startswith("data: 18 boxes in 18 images to train on, 2 b") for line in lines)
    # The same command makes the same files again.
    assert choose(data, tmp_path) == (experiment, lines)


def test_the_parts_of_the_source_are_taken(tmp_path):
    data = write_yolo(tmp_path / "data", {"train": 3, "val": 2, "test": 1})
    experiment, lines = choose(data, tmp_path)
    assert "parts: 3 images of train to train on, 2 of val; left out: 1 of test" in lines
    assert experiment.data.annotations == tmp_path / "run/data/imported_train.json"
    assert experiment.data.val_annotations == tmp_path / "run/data/imported_val.json"
    for file, part in (
        (experiment.data.annotations, "train"),
        (experiment.data.val_annotations, "val"),
    ):
        content = json.loads(file.read_text())
        assert {image["part"] for image in content["images"]} == {part}
        assert len(content["annotations"]) == len(content["images"])
        assert [one["name"] for one in content["categories"]] == ["dog", "cat"]
    assert (experiment.data.images / "val/0.png").is_file()
    # A folder is enough, and a class can be taken alone.
    experiment, lines = choose(tmp_path / "data", tmp_path, category="dog")
    assert "classes: 1: dog" in lines
    assert experiment.data.category is None


def test_one_part_alone_is_split(tmp_path):
    data = write_yolo(tmp_path / "data", {"train": 10})
    experiment, _ = choose(data, tmp_path)
    assert experiment.data.annotations == tmp_path / "run/data/train.json"


def test_validation_data_of_a_tool_beside_them(tmp_path):
    data = write_yolo(tmp_path / "one", {"train": 3, "val": 1})
    val = write_voc(tmp_path / "two/voc", 2)
    experiment, lines = choose(data, tmp_path, val=val)
    assert any(line.startswith("data: 4 boxes in 4 images to train on, 2 boxes") for line in lines)
    for file in (experiment.data.annotations, experiment.data.val_annotations):
        for image in json.loads(file.read_text())["images"]:
            assert (experiment.data.images / image["file_name"]).is_file()
    with pytest.raises(InputError, match=r"expected --val of an annotation tool as --data .* is"):
        choose(data, tmp_path, val=experiment.data.annotations)


def test_keypoints_of_other_tools_train_too(tmp_path):
    line = "0 0.5 0.5 0.4 0.6 0.5 0.5 2 0.4 0.4 1\n"
    data = write_yolo(tmp_path / "data", {"train": 3, "val": 2}, line)
    data.write_text(data.read_text() + "kpt_shape: [2, 3]\n")
    experiment, lines = choose(data, tmp_path)
    assert experiment.task == "pose"
    assert lines[0].endswith("yolo: 5 images, 5 subjects, 2 keypoints: kp_0, kp_1")
    assert any("3 subjects in 3 images to train on, 2 subjects in 2 images" in one for one in lines)


def test_a_project_of_a_tool_that_has_keypoints_alone(tmp_path):
    folder = tmp_path / "walks/labeled-data/walk"
    rows = [f"labeled-data/walk/{file.name},100,50,20,40" for file in pictures(folder, 10)]
    head = ["scorer,A,A,A,A", "bodyparts,nose,nose,tail,tail", "coords,x,y,x,y"]
    (folder / "CollectedData_A.csv").write_text("\n".join([*head, *rows, ""]))
    (tmp_path / "walks/config.yaml").write_text("Task: walks\n")
    experiment, lines = choose(tmp_path / "walks", tmp_path)
    assert experiment.task == "pose"
    assert "deeplabcut: 10 images, 10 subjects, 2 keypoints: nose, tail" in lines[0]
    assert any("9 subjects in 9 images to train on, 1 subjects in 1 images" in one for one in lines)


def test_bad_input_leaves_nothing(tmp_path):
    data = write_yolo(tmp_path / "data", {"train": 3})
    (tmp_path / "data/labels/train/0.txt").write_text("0 50 50 40 60\n")
    for number in (1, 2):
        (tmp_path / f"data/labels/train/{number}.txt").unlink()
    with pytest.raises(
        InputError, match=r"line 1: expected a box relative to the picture"
    ) as caught:
        choose(data, tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "data/labels/train/0.txt").write_text("0 0.5 0.5 0.4 0.6\n")
    with pytest.raises(InputError, match="expected boxes of class cow, found dog, cat"):
        choose(data, tmp_path, category="cow")
    with pytest.raises(InputError, match=r"setting train\.lr"):
        choose(data, tmp_path, settings=["train.lr=-1"])
    assert not (tmp_path / "run").exists()


def test_data_of_no_tool_and_of_two(tmp_path):
    with pytest.raises(InputError, match=r"or data of another tool \(see `hrnet data import -h`\)"):
        choose(tmp_path / "nothing", tmp_path)
    root = tmp_path / "data"
    write_yolo(root, {"train": 1})
    write_cvat(root, 1)
    with pytest.raises(InputError, match=r"looks like yolo or cvat; `hrnet data import --format N"):
        choose(root, tmp_path)


def test_coco_files_lists_and_folders_of_classes_are_of_no_tool(tmp_path):
    pictures(tmp_path / "pets/dog", 1)
    pictures(tmp_path / "pets/labels", 1)  # a class of that name
    coco = {"images": [], "annotations": [], "categories": []}
    for name, content in (
        ("coco.json", json.dumps(coco)),
        ("found.json", '[{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 1}]'),
        ("empty.json", ""),
        ("list.csv", "path,class\n"),
        ("list.txt", "a.png dog\n"),
        ("other.yaml", "lr: 1\n"),
    ):
        (tmp_path / name).write_text(content)
        assert not is_of_another_tool(tmp_path / name)
    assert not is_of_another_tool(tmp_path / "pets")
    assert not is_of_another_tool(tmp_path / "nothing.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_no_data(tmp_path):
    os.mkfifo(tmp_path / "data.json")
    assert not is_of_another_tool(tmp_path / "data.json")
