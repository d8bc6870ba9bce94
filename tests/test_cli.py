"""`hrnet predict` from the outside: what it prints, writes and returns."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from hrnet.cli import app


def test_predict_prints_a_table_and_writes(run, spots, spot_model: Path, tmp_path: Path) -> None:
    spots().save(tmp_path / "photo.png")
    out = tmp_path / "demo"
    code, text, errors = run("predict", tmp_path / "photo.png", "--model", spot_model, "--out", out)
    assert (code, errors) == (0, "")
    assert "photo.png 240x160: 1 subject (the whole image)" in text
    assert "no boxes given: each whole image was taken as one subject" in text
    assert all(word in text for word in ("keypoint", "subject 1", "red", "green", "blue", "mean"))
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
    assert "no subjects" in lines[0]
    assert "2 subjects" in lines[2]
    assert len(json.loads((tmp_path / "o" / "keypoints.json").read_text())) == 9


def test_many_persons_get_several_tables(run, spots, spot_model: Path, tmp_path: Path) -> None:
    spots().save(tmp_path / "a.png")
    (tmp_path / "b.json").write_text(json.dumps({"a.png": [[20, 10, 70, 100]] * 6}))
    options = ("--model", spot_model, "--boxes", tmp_path / "b.json")
    code, text, _ = run("predict", tmp_path / "a.png", *options)
    assert code == 0
    assert "subject 6" in text
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


def test_json_alone_on_stdout(run, spots, spot_model: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        spots().save(tmp_path / name)
    (tmp_path / "c.png").touch()
    paths = [tmp_path / f"{letter}.png" for letter in "abc"]
    boxes = "[[20, 10, 70, 100], [0, 0, 240, 160]]"
    code, text, errors = run("predict", *paths, "-m", spot_model, "-b", boxes, "-j", "-")
    assert code == 2
    entries = json.loads(text)
    assert [entry["image_id"] for entry in entries] == [1, 1, 2, 2]
    assert entries[0]["bbox"] == [20, 10, 70, 100]
    assert "a.png 240x160: 2 subjects" in errors
    assert "1 of 3 sources could not be used" in errors


INTERRUPTED = """
import os
from hrnet import cli
from hrnet.predict import Model
stream = Model.stream

def slow(self, *arguments, **options):
    for count, poses in enumerate(stream(self, *arguments, **options), 1):
        yield poses
        if count == 3:
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))

Model.stream = slow
cli.main()
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 129)],
)
def test_a_signal_keeps_what_is_finished(
    spots, spot_model: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    paths = [tmp_path / f"{count}.png" for count in range(9)]
    for path in paths:
        spots().save(path)
    out = tmp_path / "out"
    arguments = ["predict", *map(str, paths), "-m", str(spot_model), "-o", str(out)]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *arguments],
        env={**os.environ, "SIGNAL": str(int(number))},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.returncode == code, done.stderr
    assert done.stderr == "hrnet: stopped after 3 of 9 images\n"
    assert f"keypoints written to {out / 'keypoints.json'}" in done.stdout
    assert len(json.loads((out / "keypoints.json").read_text())) == 3
    assert sorted(path.name for path in out.iterdir()) == [
        *(f"{count}_pose.jpg" for count in range(3)),
        "keypoints.json",
    ]


def commands() -> dict[str, Any]:
    """Every command by its words, those in groups too."""
    found = {}
    for name, command in get_command(app).commands.items():
        parts = getattr(command, "commands", {"": command})
        found |= {f"{name} {part}".strip(): each for part, each in parts.items()}
    return found


SHORT = {
    "--out": "-o",
    "--model": "-m",
    "--data": "-d",
    "--images": "-i",
    "--json": "-j",
    "--boxes": "-b",
    "--threads": "-t",
    "--recursive": "-r",
    "--set": "-s",
}


@pytest.mark.parametrize("words", commands())
def test_every_command_has_examples_and_short_help(run, words: str) -> None:
    code, text, _ = run(*words.split(), "-h")
    assert code == 0
    assert f"hrnet {words}" in text.partition("Examples:")[2]


@pytest.mark.parametrize("words", commands())
def test_examples_name_options_that_exist(words: str) -> None:
    command = commands()[words]
    params = command.params
    known = {name for one in params for name in (*one.opts, *one.secondary_opts)}
    lines = [line for line in command.epilog.splitlines() if f"hrnet {words}" in line]
    assert {word for line in lines for word in line.split() if word.startswith("--")} <= known


@pytest.mark.parametrize("words", commands())
def test_options_are_called_alike_everywhere(words: str) -> None:
    """Same short options, a help text for each, and placeholders of one style.

    A placeholder is a word in capitals to fill in (FILE, N, NAME=VALUE), or lower-case choices.
    """
    for parameter in commands()[words].params:
        name = parameter.opts[0]
        assert parameter.help, name
        short = SHORT.get(name)
        assert [option for option in parameter.opts if option[1] != "-"][:1] == (
            [short] if short else [] if name.startswith("-") else parameter.opts[:1]
        )
        if getattr(parameter, "is_flag", False):
            continue
        word = r"[A-Z]+([=,][A-Z]+)*(,\.\.\.)?"
        assert re.fullmatch(rf"HxW|({word}|[a-z0-9_]+)(\|({word}|[a-z0-9_]+))*", parameter.metavar)


def test_summaries_in_the_list_of_commands_are_whole(run) -> None:
    for group in ((), ("data",), ("weights",)):
        _, text, _ = run(*group, "-h")
        assert "..." not in text.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("predict", "a.jpg", "--fold"), "No such option: --fold"),
        (("predict",), "Missing argument 'IMAGE"),
        (("evaluate", "default"), "Missing option '--data' / '-d'"),
        (("predict", "a.jpg", "--batch-size", "0"), "Invalid value for '--batch-size': "),
        (("predict", "a.jpg", "--engine", "x"), "'x' is not one of 'onnxruntime', 'openvino'"),
        (("predictt",), "No such command 'predictt'"),
    ],
)
def test_wrong_arguments_are_one_line(run, arguments: tuple[str, ...], words: str) -> None:
    code, text, errors = run(*arguments)
    assert (code, text) == (2, "")
    assert errors.startswith("hrnet: error: ")
    assert words in errors
    assert len(errors.splitlines()) == 1
    assert errors.endswith(" --help`\n")


def test_keypoints_are_not_evaluated_without_an_image_folder(
    run, spot_model: Path, tmp_path: Path
) -> None:
    code, text, errors = run("evaluate", spot_model, "--data", tmp_path / "val.json")
    assert (code, text) == (2, "")
    assert "expected the image folder of" in errors
    assert "--images" in errors
    assert len(errors.splitlines()) == 1


def test_a_group_without_a_command_shows_its_help(run) -> None:
    code, text, errors = run("data")
    assert code in (0, 2)  # by the release of typer
    assert "Commands:" in text + errors
    assert "hrnet: error" not in errors


def test_ctrl_c_while_the_program_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "-m", "hrnet", "--version"],
        env={
            **os.environ,
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
