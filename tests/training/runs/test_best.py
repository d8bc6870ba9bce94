"""The best checkpoint: by the first metric, in its direction."""

from pathlib import Path

import pytest

from hrnet.training import train as module
from hrnet.training.train import train
from hrnet.weights.checkpoint import read_checkpoint

from .discs import differ, experiment_of, write_discs


@pytest.fixture
def few(tmp_path) -> Path:
    """Annotations of 8 pictures: one step an epoch."""
    return write_discs(tmp_path / "few", 8)


def test_the_best_is_the_one_of_the_highest_ap(few, tmp_path, monkeypatch):
    scores, kept = iter([0.5, 0.1, 0.5, 0.3]), []  # the later of two equal ones

    def evaluate(run, validation):
        kept.append({key: value.clone() for key, value in run.weights().items()})
        return {"AP": next(scores)}, run.spec

    monkeypatch.setattr(module, "validate", evaluate)
    out = tmp_path / "run"
    path = train(experiment_of(few, few, epochs=4, evaluate_every=1), out)
    best, last = read_checkpoint(path)[0], read_checkpoint(out / "last.safetensors")[0]
    assert path.name == "best.safetensors"
    assert not differ(best, kept[2])
    assert not differ(last, kept[3])
    assert differ(best, last)


@pytest.mark.parametrize(
    ("names", "values", "best"),
    [
        (["NME"] * 4, [0.5, 0.1, 0.5, 0.1], 3),  # an error: the least, of equal ones the later
        (["NME"] * 4, [-1, 0.4, 0.9, -1], 1),  # below 0 nothing counted
        (["AP", "AP", "MRE mm", "MRE mm"], [0.5, 0.9, 7.0, 8.0], 2),  # another one begins anew
    ],
)
def test_the_best_by_the_direction_of_the_metric(few, tmp_path, monkeypatch, names, values, best):
    found, kept = iter(zip(names, values, strict=True)), []

    def evaluate(run, validation):
        kept.append({key: value.clone() for key, value in run.weights().items()})
        return dict([next(found)]), run.spec

    monkeypatch.setattr(module, "validate", evaluate)
    out = tmp_path / "run"
    train(experiment_of(few, few, epochs=4, evaluate_every=1), out)
    assert not differ(read_checkpoint(out / "best.safetensors")[0], kept[best])
