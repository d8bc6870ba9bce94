"""Cross-validation: folds that share nothing, and equal figures whether it was stopped or not."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from hrnet.data.split import split_folds
from hrnet.errors import InputError
from hrnet.folds import over_all, read_folds
from hrnet.run_folder import STATE
from hrnet.training import train as training
from hrnet.training.folds import start_folds, train_folds

from .discs import write_discs

SETTINGS = (
    *("model.variant=small_hrnet_w16", "train.init=null", "train.epochs=2", "train.batch_size=4"),
    *(
        "model.input_size=[64,64]",
        "run.workers=0",
        "train.precision=float32",
        "train.warmup_steps=0",
    ),
    *("train.evaluate_every=1", "run.tensorboard=false", "model.codec=udp"),
    'model.metrics=["px","coco"]',  # so short a training finds nothing by AP
)


@pytest.fixture
def discs(tmp_path) -> Path:
    """Twelve pictures of six patients."""
    file = write_discs(tmp_path / "discs", 12)
    content = json.loads(file.read_text())
    for row, image in enumerate(content["images"]):
        image["patient"] = f"p{row // 2}"
    file.write_text(json.dumps(content))
    return file


def start(file: Path, out: Path, say=lambda line: None, **options):
    options = {"folds": 3, "group": "patient", "settings": SETTINGS} | options
    return start_folds(file, file.parent, out=out, say=say, **options)


def images_of(file: Path) -> dict[str, str]:
    """Patient of each picture."""
    return {one["file_name"]: one["patient"] for one in json.loads(file.read_text())["images"]}


def test_folds_share_no_picture_and_no_group(discs, tmp_path):
    split_folds(discs, tmp_path / "data", ("a", "b", "c"), group="patient")
    folds = {name: images_of(tmp_path / "data" / f"{name}_val.json") for name in "abc"}
    assert sorted(name for own in folds.values() for name in own) == sorted(images_of(discs))
    patients = [set(own.values()) for own in folds.values()]
    assert [len(one) for one in patients] == [2, 2, 2]
    assert len(set.union(*patients)) == 6
    for name, own in folds.items():
        others = images_of(tmp_path / "data" / f"{name}_train.json")
        assert not own.keys() & others.keys()
        assert len(own) + len(others) == 12


def test_a_picture_that_is_listed_in_two_groups_joins_them(discs, tmp_path):
    """Else it would lie in two folds."""
    content = json.loads(discs.read_text())
    again = content["images"][0] | {"id": 99, "patient": "p5"}
    content["images"].append(again)
    discs.write_text(json.dumps(content))
    split_folds(discs, tmp_path / "data", ("a", "b", "c"), group="patient")
    for name in "abc":
        own = set(images_of(tmp_path / "data" / f"{name}_val.json").values())
        assert ("p0" in own) == ("p5" in own)


@pytest.mark.parametrize("killed", [False, True])
def test_stopped_and_resumed_it_gives_the_same_figures(discs, tmp_path, monkeypatch, killed):
    whole = start(discs, tmp_path / "whole")
    assert list(whole) == ["fold1", "fold2", "fold3"]
    assert len({one["error px"] for one in whole.values()}) == 3
    # Another one gets Ctrl-C in its second fold: each fold has two updates in each of two epochs.
    update, calls = training.update, []

    def interrupted(*args, **options):
        calls.append(None)
        if len(calls) == 6:
            signal.raise_signal(signal.SIGINT)
        return update(*args, **options)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(training, "update", interrupted)
    assert start(discs, tmp_path / "again") is None
    monkeypatch.undo()
    signal.signal(signal.SIGINT, before)
    assert list(read_folds(tmp_path / "again")[1]) == ["fold1"]
    if killed:  # before its first state was saved
        (tmp_path / "again" / "fold2" / STATE).unlink()
    said: list[str] = []
    assert train_folds(tmp_path / "again", said.append) == whole
    assert said[0] == "fold1: done before"
    # A finished one has nothing to do, and its file has mean and deviation.
    assert train_folds(tmp_path / "again", said.append) == whole
    content = json.loads((tmp_path / "again" / "folds.json").read_text())
    values = [one["error px"] for one in whole.values()]
    assert content["over_folds"]["error px"] == pytest.approx(
        {"mean": np.mean(values), "sd": np.std(values, ddof=1)}
    )


@pytest.mark.slow
def test_by_commands(discs, tmp_path, run):
    out = tmp_path / "folds"
    asked = ("train", "--data", discs, "--images", discs.parent, "--out", out)
    changes = [part for one in SETTINGS for part in ("--set", one)]
    code, text, err = run(*asked, "--folds", 2, "--group", "patient", *changes)
    assert code == 0, err
    assert "fold1" in text
    assert "sd" in text
    for words, more in (
        ("already holds a cross-validation", ("--folds", 2)),
        ("without --val", ("--folds", 2, "--val", discs)),
        ("--group with --folds alone", ("--group", "patient")),
    ):
        code, _, err = run(*asked, *more)
        assert code == 2
        assert words in err
        assert len(err.splitlines()) == 1
    code, _, err = run("train", "--resume", out, "--set", "train.epochs=3")
    assert code == 2
    assert "keeps the settings that it began with" in err
    code, text, _ = run("train", "--resume", out)
    assert code == 0
    assert text.count("done before") == 2


def test_its_report_and_its_folds_by_name(discs, tmp_path, run):
    """The page has each fold's figures; a model is that of one fold."""
    out = tmp_path / "folds"
    start(discs, out, folds=2, settings=(*SETTINGS, "train.epochs=1"))
    assert run("report", out / "fold1", "--no-figures")[0] == 0
    code, _, err = run("report", out)
    assert code == 0, err
    page = (out / "report.html").read_text()
    assert "2 of 2 folds are done" in page
    assert '<a href="fold1/report.html">fold1</a>' in page
    assert '<a href="fold2' not in page
    done = json.loads((out / "folds.json").read_text())["folds"]
    for figures in done.values():
        assert f"{figures['error px']:.2f}" in page
    code, _, err = run("report", out, "--data", discs, "--images", discs.parent)
    assert (code, "is a cross-validation; name one of its folds" in err) == (2, True)
    for command in (
        ("evaluate", out, "--data", discs, "--images", discs.parent),
        ("export", out, "--out", tmp_path / "a.onnx"),
        ("predict", discs.parent, "--model", out, "--out", tmp_path / "drawn"),
    ):
        code, _, err = run(*command)
        assert code == 2
        assert f"name one of them, such as {out / 'fold1'}" in err
        assert len(err.splitlines()) == 1


def test_all_folds_have_the_settings_of_the_first(discs, tmp_path):
    """Also those that are chosen by the data, such as the size of the input."""
    chosen = tuple(one for one in SETTINGS if not one.startswith("model.input_size"))
    start(discs, tmp_path / "run", settings=(*chosen, "train.epochs=1"))
    first, *others = (
        json.loads((tmp_path / "run" / f"fold{number}" / "experiment.json").read_text())
        for number in (1, 2, 3)
    )
    for number, other in enumerate(others, 2):
        files = other.pop("data")
        assert Path(files["annotations"]).name == f"fold{number}_train.json"
        assert Path(files["val_annotations"]).name == f"fold{number}_val.json"
        assert other == {name: value for name, value in first.items() if name != "data"}


def test_a_wrong_setting_leaves_nothing_behind(discs, tmp_path):
    """Neither one that the settings refuse nor one that the training refuses; then it can begin."""
    out = tmp_path / "run"
    for wrong in ("model.codec=foo", 'model.metrics=["mm"]'):
        with pytest.raises(InputError):
            start(discs, out, settings=(*SETTINGS, wrong))
        assert not out.exists()
    assert start(discs, out, folds=2, settings=(*SETTINGS, "train.epochs=1"))


def test_images_without_the_key_are_counted(discs, tmp_path):
    content = json.loads(discs.read_text())
    for image in content["images"][:3]:
        del image["patient"]
    discs.write_text(json.dumps(content))
    assert split_folds(discs, tmp_path / "data", ("a", "b"), group="patient") == 3
    assert split_folds(discs, tmp_path / "other", ("a", "b")) == 0


def test_mean_and_deviation_by_hand():
    done = {"fold1": {"AP": 0.2, "MRE mm": 1.0}, "fold2": {"AP": 0.4, "MRE mm": -1.0}}
    found = over_all(done)
    assert found["AP"] == pytest.approx((0.3, np.sqrt(0.02)))
    assert found["MRE mm"][0] == 1
    assert np.isnan(found["MRE mm"][1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, "--folds from 2 to 100, got 1"),
        ({"folds": 7}, "expected 7 groups of images or more for as many folds, found 6"),
        ({"group": "hospital"}, "no image has the key 'hospital' of --group"),
    ],
)
def test_what_cannot_be_dealt_out_is_refused_before_anything_is_written(
    discs, tmp_path, options, message
):
    with pytest.raises(InputError, match=message):
        start(discs, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_the_folder_of_a_run_is_not_taken(discs, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / STATE).write_text("a state")
    with pytest.raises(InputError, match="already holds a run"):
        start(discs, tmp_path / "run")
    assert [one.name for one in (tmp_path / "run").iterdir()] == [STATE]


def test_a_damaged_plan_is_one_line(tmp_path):
    (tmp_path / "folds.json").write_text('{"plan": {"names": 3}, "folds": {}}')
    with pytest.raises(InputError, match=r"folds\.json is damaged"):
        read_folds(tmp_path)
