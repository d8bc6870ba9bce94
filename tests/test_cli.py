"""`hrnet predict` from the outside: what it prints, writes and returns."""

import json
import subprocess
import sys
from pathlib import Path


def test_predict_prints_a_table_and_writes(run, spots, spot_model: Path, tmp_path: Path) -> None:
    spots().save(tmp_path / "photo.png")
    out = tmp_path / "demo"
    code, text, errors = run("predict", tmp_path / "photo.png", "--model", spot_model, "--out", out)
    assert (code, errors) == (0, "")
    assert "photo.png 240x160: 1 person (the whole image)" in text
    assert "no boxes given: each whole image was taken as one person" in text
    assert all(word in text for word in ("keypoint", "person 1", "red", "green", "blue", "mean"))
    assert sorted(path.name for path in out.iterdir()) == ["keypoints.json", "photo_pose.jpg"]


def test_predict_with_one_box(run, spots, spot_model: Path, tmp_path: Path) -> None:
    spots().save(tmp_path / "photo.png")
    file = tmp_path / "k.json"
    arguments = ("--boxes", "-5,10,95.5,100", "--json", file, "--flip-test")
    code, text, _ = run("predict", tmp_path / "photo.png", "--model", spot_model, *arguments)
    assert code == 0
    assert "whole image" not in text
    assert json.loads(file.read_text())[0]["bbox"] == [-5, 10, 95.5, 100]


def test_predict_folder_with_a_box_file(run, spots, spot_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    boxes = {}
    for number in range(9):
        name = f"{number}.png"
        spots().save(folder / name)
        boxes[name] = [[20, 10, 70, 100]] * (number % 3)
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    options = ("--model", spot_model, "--boxes", tmp_path / "boxes.json", "--out", tmp_path / "o")
    code, text, _ = run("predict", folder, *options)
    assert code == 0
    lines = text.splitlines()
    assert len(lines) == 11  # one an image, and where the results are
    assert "no persons" in lines[0]
    assert "2 persons" in lines[2]
    assert len(json.loads((tmp_path / "o" / "keypoints.json").read_text())) == 9


def test_many_persons_get_several_tables(run, spots, spot_model: Path, tmp_path: Path) -> None:
    spots().save(tmp_path / "a.png")
    (tmp_path / "b.json").write_text(json.dumps({"a.png": [[20, 10, 70, 100]] * 6}))
    options = ("--model", spot_model, "--boxes", tmp_path / "b.json")
    code, text, _ = run("predict", tmp_path / "a.png", *options)
    assert code == 0
    assert "person 6" in text
    assert max(map(len, text.splitlines()[1:])) <= 80


def test_version_and_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hrnet", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("hrnet ")


def test_the_commands_are_these(run) -> None:
    code, text, _ = run("--help")
    assert code == 0
    assert [name for name in ("predict", "evaluate", "train", "export") if name not in text] == []
