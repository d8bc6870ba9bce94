"""Whatever stands in the files of a run folder, report and resume give a result or one line."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from hrnet.errors import InputError
from hrnet.reports import report
from hrnet.run_folder import ENVIRONMENT, EXPERIMENT, LOG, PICTURES, STATE
from hrnet.tasks import read_experiment
from hrnet.training import train as module
from hrnet.training.train import train

from .discs import experiment_of, write_discs

ODD = [None, -1, 10**30, 10**400, -0.5, 1e300, float("nan"), float("inf"), "", "x", "\x1b[2J"]
ODD += ["\ud800", "a" * 5000, "\0", [], [[]], {}, {"a": 1}, ["1", 2], "[" * 2000]
Values = st.sampled_from(ODD) | st.text(max_size=5)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A run of one epoch that could train on: its settings name two."""
    folder = tmp_path_factory.mktemp("tampered")
    data = write_discs(folder / "data", 8)
    experiment = experiment_of(data, data, epochs=1, ema=0.5, precision="float32", log_every=1)
    train(experiment, folder / "run")
    longer = experiment.model_copy(update={"train": experiment.train.model_copy(deep=True)})
    tree = json.loads(longer.to_json())
    tree["train"]["epochs"] = 2
    (folder / "run" / EXPERIMENT).write_text(json.dumps(tree))
    return folder / "run"


@pytest.fixture
def one_step(monkeypatch):
    """Let a training that goes on end after one step."""
    real = module.update

    def update(run, batch, **options):
        real(run, batch, **options)
        raise InputError("that is enough")

    monkeypatch.setattr(module, "update", update)


def places(tree: object) -> list[tuple[object, object]]:
    """Every container of a tree with each of its keys."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree))
    found = [(tree, key) for key in keys]
    for key in keys:
        if isinstance(tree[key], dict | list):
            found += places(tree[key])
    return found


def spoil(data: st.DataObject, text: str) -> str:
    """Change one value of a JSON text, or leave it out, or cut the text."""
    how = data.draw(st.sampled_from(["value", "value", "value", "without", "cut", "whole"]))
    if how == "cut":
        return text[: data.draw(st.integers(0, len(text)))]
    tree = json.loads(text)
    if how == "whole" or not places(tree):
        return json.dumps(data.draw(Values))
    container, key = data.draw(st.sampled_from(places(tree)))
    if how == "without":
        del container[key]
    else:
        container[key] = data.draw(Values)
    return json.dumps(tree)


def copy_of(run: Path) -> Path:
    copy = run.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(run, copy))


def expect_result_or_line(action) -> None:
    try:
        action()
    except InputError as error:
        assert str(error).strip()


def resume(run: Path) -> None:
    train(read_experiment(run / EXPERIMENT), run, resume=True, say=lambda line: None)


QUICK = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)


@settings(QUICK, max_examples=60)
@given(st.data())
def test_report_of_any_json(finished, data):
    run = copy_of(finished)
    name = data.draw(st.sampled_from([EXPERIMENT, ENVIRONMENT, LOG]))
    text = (run / name).read_text()
    if name == LOG:
        lines = text.splitlines()
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at] = spoil(data, lines[at])
        text = "\n".join(lines)
    else:
        text = spoil(data, text)
    (run / name).write_text(text)
    expect_result_or_line(lambda: report(run, figures=False))


@settings(QUICK, max_examples=12)
@given(st.data())
def test_resume_with_any_settings_and_log(finished, one_step, data):
    run = copy_of(finished)
    name = data.draw(st.sampled_from([EXPERIMENT, LOG]))
    (run / name).write_text(spoil(data, (run / name).read_text().splitlines()[-1] or "{}"))
    if name == EXPERIMENT:
        (run / name).write_text(spoil(data, (finished / name).read_text()))
    expect_result_or_line(lambda: resume(run))


def with_header(run: Path, **changes) -> None:
    from safetensors import safe_open

    with safe_open(run / STATE, "pt") as file:
        header = dict(file.metadata())
    save_file(load_file(run / STATE), run / STATE, header | changes)


def header_of(run: Path) -> dict:
    from safetensors import safe_open

    with safe_open(run / STATE, "pt") as file:
        return dict(file.metadata())


@settings(QUICK, max_examples=25)
@given(st.data())
def test_any_position_and_scaler(finished, one_step, data):
    run = copy_of(finished)
    name = data.draw(st.sampled_from(["position", "position", "scaler", "format"]))
    text = header_of(run)[name]
    is_json = name != "format"
    with_header(run, **{name: spoil(data, text) if is_json else data.draw(st.text(max_size=9))})
    expect_result_or_line(lambda: resume(run))


def unknown_part(tensors):
    tensors["evil"] = torch.zeros(1)
    return "is of no part"


def negative_index(tensors):
    tensors["optimizer.-1.exp_avg"] = torch.zeros(1)
    return "other trained parameters"


def index_that_is_no_number(tensors):
    tensors["optimizer.x.exp_avg"] = torch.zeros(1)
    return "other trained parameters"


def state_of_another_optimiser(tensors):
    tensors["optimizer.0.momentum_buffer"] = tensors["optimizer.0.exp_avg"].clone()
    return "another train.optimizer"


def part_of_a_state(tensors):
    del tensors["optimizer.0.exp_avg_sq"]
    return "another train.optimizer"


def moment_of_another_shape(tensors):
    tensors["optimizer.0.exp_avg"] = torch.zeros(3)
    return "damaged (optimizer.0.exp_avg)"


def negative_step(tensors):
    tensors["optimizer.0.step"] = torch.tensor(-3.0)
    return "damaged (optimizer.0.step)"


def weights_of_another_type(tensors):
    name = next(name for name in tensors if name.startswith("network."))
    tensors[name] = tensors[name].to(torch.complex64)
    return "is of torch.complex64"


def no_average(tensors):
    for name in [name for name in tensors if name.startswith("average.")]:
        del tensors[name]
    return "another train.ema"


@pytest.mark.parametrize(
    "change",
    [
        unknown_part,
        negative_index,
        index_that_is_no_number,
        state_of_another_optimiser,
        part_of_a_state,
        moment_of_another_shape,
        negative_step,
        weights_of_another_type,
        no_average,
    ],
)
def test_tensors_that_no_training_wrote(finished, change):
    run = copy_of(finished)
    header, tensors = header_of(run), load_file(run / STATE)
    words = change(tensors)
    save_file(tensors, run / STATE, header)
    with pytest.raises(InputError) as caught:
        resume(run)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def as_file(place: Path) -> None:
    place.write_bytes(b"\xff\x00")


def as_folder(place: Path) -> None:
    place.mkdir()


@pytest.mark.parametrize("make", [as_file, as_folder])
@pytest.mark.parametrize(
    "name", [STATE, LOG, EXPERIMENT, ENVIRONMENT, PICTURES, "last.safetensors", ".lock"]
)
def test_other_things_in_the_place_of_a_file(finished, name, make):
    run = copy_of(finished)
    place = run / name
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()
    make(place)
    expect_result_or_line(lambda: report(run, figures=False))
    expect_result_or_line(lambda: resume(run))
