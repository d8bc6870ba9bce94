"""A task that shared code has never seen: train, resume, evaluate, predict, export and report."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import hrnet
from hrnet.config import ModelConfig, RunConfig
from hrnet.models import HEADS
from hrnet.tasks import TASKS, read_experiment
from hrnet.training import train as module
from hrnet.training.train import train

from . import shades
from .discs import differ, rows_of
from .shades import ShadeData, ShadeExperiment, ShadeTrain, write_shades


@pytest.fixture(scope="module", autouse=True)
def known():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, "shades", shades.__name__)
        patch.setitem(HEADS, ("shades", None), HEADS["classification", None])
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> ShadeExperiment:
    folder = tmp_path_factory.mktemp("shades")
    data = ShadeData(
        folder=write_shades(folder / "train", 16), val=write_shades(folder / "val", 6, seed=1)
    )
    how = {"device": "cpu", "workers": 0, "tensorboard": False, "checkpoint_minutes": 0}
    return ShadeExperiment(
        name="shades",
        model=ModelConfig(variant="small_hrnet_w16", input_size=(32, 32)),
        data=data,
        train=ShadeTrain(epochs=8, batch_size=4, lr=2e-3, evaluate_every=4, warmup_steps=4),
        run=RunConfig(**how),
    )


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def trained(experiment, said, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train(experiment, out, say=said.append) == out / "best.safetensors"
    return out


def test_the_first_metric_chooses_the_best(experiment, trained, said):
    rows = rows_of(trained)
    evaluated = [row for row in rows if len(row) > 10]
    assert [row["epoch"] for row in evaluated] == [4, 8]
    assert {tuple(row)[10:] for row in evaluated} == {("accuracy", "pictures")}
    assert {row["pictures"] for row in evaluated} == {6.0}
    best = max(reversed(evaluated), key=lambda row: row["accuracy"])  # the last of equal ones
    assert f"the best was epoch {best['epoch']} of 8 with {best['accuracy']:.4f}" in said[-1]
    assert said[:3:2] == ["note: train: shades have no colours", "two shades of shades"]


def test_its_settings_and_facts_are_written_down(experiment, trained):
    facts = json.loads((trained / "environment.json").read_text())["data"]["training"]
    assert (facts["samples"], facts["shades"]) == (16, ["dark", "bright"])
    assert read_experiment(trained / "experiment.json") == experiment


def test_it_learns_and_predicts(experiment, trained):
    rows = rows_of(trained)
    # Norms over four pictures make single epochs noisy.
    assert min(row["loss"] for row in rows[1:]) < rows[0]["loss"]
    assert rows[-1]["accuracy"] == 1
    model = hrnet.load(trained / "last.safetensors")
    for index, name in enumerate(("dark_0.png", "bright_1.png")):
        assert model.predict(experiment.data.val / name).label == index


def test_it_resumes_bit_by_bit(experiment, trained, tmp_path, monkeypatch):
    out, update = tmp_path / "run", module.update

    def falls_over(run, batch, **options):
        if run.position.step == 18:
            raise KeyboardInterrupt
        return update(run, batch, **options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "update", falls_over)
        train(experiment, out)
    train(experiment, out, resume=True)
    for name in ("state.safetensors", "last.safetensors", "best.safetensors"):
        assert not differ(load_file(trained / name), load_file(out / name)), name


def test_it_is_evaluated_by_the_command(experiment, trained, run, tmp_path):
    written = tmp_path / "metrics.json"
    code, out, _ = run("evaluate", trained, "--data", experiment.data.val, "--json", written)
    assert code == 0
    assert "6 shades" in out
    content = json.loads(written.read_text())
    assert content["pictures"] == 6
    assert content["protocol"]["data"] == {"shades": ["dark", "bright"]}
    assert content["protocol"]["shades"]["input_size"] == [32, 32]


def test_it_predicts_by_the_command_and_as_an_exported_file(experiment, trained, run, tmp_path):
    """Drawings and JSON have names of the task, and the file without torch finds the same."""
    exported = tmp_path / "shades.onnx"
    assert run("export", trained / "last.safetensors", "--out", exported)[0] == 0
    assert hrnet.evaluate(exported, data=experiment.data.val).metrics["accuracy"] == 1
    options = ["--model", exported, "--out", tmp_path / "drawn"]
    code, out, _ = run("predict", experiment.data.val, *options)
    assert code == 0
    assert "bright_1.png 40x40: it is bright" in out
    entries = json.loads((tmp_path / "drawn" / "results.json").read_text())
    assert [entry["shade"] for entry in entries] == ["bright"] * 3 + ["dark"] * 3
    assert (tmp_path / "drawn" / "bright_1_shades.jpg").is_file()
    code, _, error = run("predict", experiment.data.val / "nothing.png", "--model", exported)
    assert (code, len(error.splitlines())) == (2, 1)


def test_its_run_has_a_report(trained, run, tmp_path):
    code, _, _ = run("report", trained, "--out", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert code == 0
    for words in ("best accuracy in the log", "6 shades", "small_hrnet_w16"):
        assert words in page
