"""Training from end to end on pictures of coloured discs, and what must stop it."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import hrnet
from hrnet.config import override
from hrnet.errors import InputError
from hrnet.exporters.onnx import export_onnx
from hrnet.tasks import read_experiment
from hrnet.tasks.pose.network import LOSSES
from hrnet.training.train import train
from hrnet.weights.checkpoint import load_checkpoint, read_checkpoint

from .discs import differ, draw_discs, experiment_of, rows_of, write_discs


@pytest.fixture(scope="module")
def discs(tmp_path_factory) -> Path:
    """Annotations of 64 training pictures."""
    return write_discs(tmp_path_factory.mktemp("train"), 64)


@pytest.fixture(scope="module")
def val_discs(tmp_path_factory) -> Path:
    """Annotations of 12 other pictures."""
    return write_discs(tmp_path_factory.mktemp("val"), 12, seed=1)


@pytest.fixture
def few(tmp_path) -> Path:
    """Annotations of 8 pictures: one step an epoch."""
    return write_discs(tmp_path / "few", 8)


@pytest.fixture(scope="module")
def trained(discs, val_discs, tmp_path_factory) -> Path:
    """The folder of a training that learns to find the discs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "discs"
    settings = {"epochs": 16, "evaluate_every": 8, "ema": 0.9, "warmup_steps": 8}
    settings |= {"batch_size": 4, "lr": 6e-3}
    assert train(experiment_of(discs, val_discs, **settings), out) == out / "best.safetensors"
    torch.set_num_threads(threads)
    return out


def test_it_learns(trained):
    rows = rows_of(trained)
    floor = np.log(2 * np.pi * np.e * 1.5**2)  # the entropy of a target, in nats
    excess = [row["loss"] - floor for row in rows]
    assert floor < rows[-1]["loss"] < rows[0]["loss"] < np.log(16 * 16)
    assert excess[-1] < 0.3 * excess[0]
    assert rows[-1]["AP"] > 0.5


def test_the_log_says_what_happened(trained):
    rows = [row for row in rows_of(trained) if row["kind"] == "epoch"]
    steps = [row["step"] for row in rows_of(trained) if row["kind"] == "step"]
    assert steps == [50, 100, 150, 200, 250]
    always = ["kind", "step", "epoch", "loss", "lr", "images_per_s", "data_wait", "memory_mb"]
    always += ["seconds", "skipped"]
    for number, row in enumerate(rows, start=1):
        assert list(row)[:10] == always
        assert (row["kind"], row["epoch"], row["step"]) == ("epoch", number, 16 * number)
        assert 0 < row["data_wait"] < 1
        assert row["memory_mb"] > 50
        assert row["skipped"] == 0
        assert row["seconds"] * row["images_per_s"] == pytest.approx(64)
        assert ("AP" in row) == (number in (8, 16))
    assert {"AP", "AP50", "AP75", "AR"} <= rows[-1].keys()
    assert rows[0]["lr"] > rows[-1]["lr"]


def test_the_folder_holds_what_is_promised(trained):
    names = [".lock", "best.safetensors", "environment.json", "experiment.json", "last.safetensors"]
    names += ["log.jsonl", "pictures", "state.safetensors"]
    assert sorted(path.name for path in trained.iterdir()) == names
    _, spec = read_checkpoint(trained / "last.safetensors")
    assert (spec.network.variant, spec.name, spec.input_size) == (
        "small_hrnet_w16",
        "discs",
        (64, 64),
    )
    assert (spec.codec, spec.sigma, spec.activation) == ("udp", 1.5, "softmax")
    assert spec.skeleton.names == ("disc 0", "disc 1", "disc 2")


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("export") / "discs.onnx"
    export_onnx(*load_checkpoint(trained / "best.safetensors"), path)
    return path


def test_evaluate_agrees_with_the_training(trained, exported, val_discs):
    best = max(row["AP"] for row in rows_of(trained) if "AP" in row)
    for model in (trained, trained / "best.safetensors", exported):
        result = hrnet.evaluate(model, data=val_discs, images=val_discs.parent)
        assert result.metrics["AP"] == pytest.approx(best, abs=1e-6 if model != exported else 0.02)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("flip_test", [False, True])
def test_the_exported_model_predicts_the_same(trained, exported, engine, flip_test):
    pictures, truth = zip(*(draw_discs(np.random.default_rng(s), 3) for s in (7, 8)), strict=True)
    boxes = [[[4, 4, 88, 72]], [[4, 4, 88, 72], [0, 0, 96, 80]]]
    options = {"boxes": boxes, "flip_test": flip_test}
    by_torch = hrnet.load(trained).predict(list(pictures), **options)
    by_engine = hrnet.load(exported, engine=engine).predict(list(pictures), **options)
    for one, other, points in zip(by_torch, by_engine, truth, strict=True):
        assert one.skeleton == other.skeleton
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=0.05)
        np.testing.assert_allclose(one.keypoint_scores, other.keypoint_scores, atol=1e-3)
        # Most discs are found: half of all points within 6 pixels, the radius of a disc.
        assert np.median(np.linalg.norm(one.keypoints - points, axis=-1)) < 6


def test_experiment_json_repeats_the_run_bit_by_bit(few, tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    first, second = tmp_path / "first", tmp_path / "second"
    train(experiment_of(few, ema=0.9, seed=5), first)
    torch.rand(3)  # what happened before must not matter
    train(read_experiment(first / "experiment.json"), second)
    torch.set_num_threads(threads)
    assert (first / "experiment.json").read_text() == (second / "experiment.json").read_text()
    one, other = (load_file(run / "last.safetensors") for run in (first, second))
    assert one.keys() == other.keys()
    assert not differ(one, other)
    for one, other in zip(rows_of(first), rows_of(second), strict=True):
        assert one["loss"] == other["loss"]


def weights_after(few, out, **settings) -> dict[str, torch.Tensor]:
    path = train(experiment_of(few, **({"epochs": 1} | settings)), out)
    assert path == out / "last.safetensors"
    assert not (out / "best.safetensors").exists()
    return read_checkpoint(path)[0]


def test_the_average_lags_behind_and_can_be_switched_off(few, tmp_path):
    plain = weights_after(few, tmp_path / "plain", batch_size=4)
    averaged = weights_after(few, tmp_path / "averaged", batch_size=4, ema=0.5)
    key = "head.conv.weight"
    assert not torch.equal(plain[key], averaged[key])
    assert plain.keys() == averaged.keys()


def test_seeds_differ(few, tmp_path):
    one = weights_after(few, tmp_path / "one", seed=1)
    assert differ(one, weights_after(few, tmp_path / "two", seed=2))


@pytest.mark.parametrize("loss", ["mse", "ohkm", "cross_entropy"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_every_loss_and_precision_runs(few, tmp_path, loss, precision):
    state = weights_after(few, tmp_path / "run", loss=loss, precision=precision)
    assert all(value.isfinite().all() for value in state.values())
    assert {value.dtype for value in state.values()} == {torch.float32, torch.int64}
    assert np.isfinite(rows_of(tmp_path / "run")[0]["loss"])
    _, spec = read_checkpoint(tmp_path / "run" / "last.safetensors")
    assert spec.activation == ("softmax" if loss == "cross_entropy" else "none")


@pytest.mark.parametrize("layout", [True, False])
def test_a_worker_and_the_layout_of_memory_are_no_matter_of_results(few, tmp_path, layout):
    one = weights_after(few, tmp_path / "one", workers=0, channels_last=layout)
    assert not differ(one, weights_after(few, tmp_path / "two", workers=1, channels_last=layout))


def test_it_starts_from_a_checkpoint(few, tmp_path, trained):
    start = trained / "best.safetensors"
    before = read_checkpoint(start)[0]
    after = weights_after(few, tmp_path / "run", init=str(start), lr=1e-12)
    weights = [key for key in before if key.endswith((".weight", ".bias"))]
    for key in weights:
        torch.testing.assert_close(after[key], before[key], rtol=0, atol=1e-9)
    assert rows_of(tmp_path / "run")[0]["loss"] < 0.8 * np.log(16 * 16)


def test_a_training_that_makes_it_worse_keeps_what_it_started_from(
    discs, val_discs, tmp_path, trained, capsys
):
    out, start = tmp_path / "run", trained / "best.safetensors"
    settings = {"init": str(start), "epochs": 1, "batch_size": 16, "lr": 0.5, "optimizer": "sgd"}
    train(experiment_of(discs, val_discs, **settings), out)
    first, *rest = rows_of(out)
    assert first["kind"] == "start"
    assert first["AP"] == rows_of(trained)[-1]["AP"] > rest[-1]["AP"]
    assert not differ(read_checkpoint(out / "best.safetensors")[0], read_checkpoint(start)[0])
    said = capsys.readouterr().out
    assert f"before training  AP {first['AP']:.4f}" in said
    assert "no evaluated epoch was better than the start weights" in said


@pytest.mark.parametrize("count", [1, 5])
def test_any_number_of_keypoints(tmp_path, count):
    data = write_discs(tmp_path / "data", 8, count)
    out = tmp_path / "run"
    train(experiment_of(data, data, epochs=1), out)
    poses = hrnet.load(out).predict(str(data.parent / "0.png"), boxes=[[4, 4, 88, 72]])
    assert poses.keypoints.shape == (1, count, 2)
    assert "AP" in rows_of(out)[0]


def test_a_loss_that_is_no_number_stops(few, tmp_path, monkeypatch):
    monkeypatch.setitem(LOSSES, "mse", lambda *args: args[0].sum() * float("nan"))
    with pytest.raises(InputError, match=r"the loss became nan .* lower train\.lr"):
        train(experiment_of(few, loss="mse", batch_size=4), tmp_path / "run")
    with safe_open(tmp_path / "run" / "bad_batch.safetensors", "np") as file:
        assert file.get_tensor("inputs").shape == (4, 64, 64, 3)
        assert len(json.loads(file.metadata()["names"])) == 4
        assert file.metadata()["step"] == "0"


def test_a_learning_rate_that_breaks_it_stops(few, tmp_path):
    with pytest.raises(InputError, match="the loss became") as caught:
        train(experiment_of(few, lr=1e30, epochs=6), tmp_path / "run")
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_no_experiment_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"expected an Experiment, got str; get one by hrnet\.get_"
    ):
        train("pose/hrnet_w32_coco_256x192", tmp_path / "run")


def change_names(path: Path) -> None:
    content = json.loads(path.read_text())
    content["categories"][0]["keypoints"] = ["x", "y", "z"]
    path.write_text(json.dumps(content))


def test_validation_with_other_keypoints_is_refused(few, tmp_path):
    val = write_discs(tmp_path / "val", 2)
    change_names(val)
    with pytest.raises(InputError, match="other keypoints"):
        train(experiment_of(few, val), tmp_path / "run")


def test_a_checkpoint_of_another_network_is_refused(tmp_path, trained):
    data = write_discs(tmp_path / "data", 2, 5)
    with pytest.raises(InputError, match="2 of another shape") as caught:
        train(experiment_of(data, init=str(trained / "best.safetensors")), tmp_path / "run")
    assert "best.safetensors" in str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_picture_is_named(few, tmp_path, workers):
    (few.parent / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(InputError, match=r"3\.png") as caught:
        train(experiment_of(few, workers=workers), tmp_path / "run")
    assert len(str(caught.value).splitlines()) == 1


def test_a_picture_of_another_size_than_annotated_stops(few, tmp_path):
    content = json.loads(few.read_text())
    content["images"][2]["width"] *= 2
    few.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"2\.png has 96x80 pixels .* but the annotations say"):
        train(experiment_of(few), tmp_path / "run")


def test_half_floats_need_a_gpu(few, tmp_path):
    with pytest.raises(InputError, match="fp16 needs a GPU; on a CPU take bf16"):
        train(experiment_of(few, precision="fp16"), tmp_path / "run")


def test_a_folder_of_other_things_is_refused(few):
    with pytest.raises(InputError, match=r"holds other things \(0\.png\); name a new folder"):
        train(experiment_of(few), few.parent)


@pytest.mark.parametrize("workers", [0, 1])
def test_broken_pictures_can_be_skipped(few, tmp_path, workers):
    (few.parent / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (few.parent / "4.png").unlink()
    experiment = experiment_of(few, workers=workers, broken_images="skip", epochs=2)
    train(experiment, tmp_path / "run")
    assert [row["skipped"] for row in rows_of(tmp_path / "run")] == [2, 2]


def test_curves_and_pictures_for_tensorboard(few, tmp_path, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "run"
    experiment = experiment_of(few, few, tensorboard=True, batch_size=4, log_every=1)
    train(experiment, out)
    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"train/loss", "train/lr", "train/images_per_s", "train/data_wait"} <= {*tags["scalars"]}
    assert {"epoch/loss", "epoch/AP"} <= {*tags["scalars"]}
    rows = [row for row in rows_of(out) if row["kind"] == "step"]
    curve = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert curve == [(row["step"], pytest.approx(row["loss"], rel=1e-6)) for row in rows]
    assert len(tags["images"]) == 8
    assert len(list((out / "pictures").glob("*.jpg"))) == 8


def test_without_tensorboard_it_is_one_line(few, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"run\.tensorboard=true needs tensorboard"):
        train(experiment_of(few, tensorboard=True), tmp_path / "run")


def test_parts_of_a_batch_add_up_to_the_whole(few, tmp_path):
    """With norms that are frozen nothing but the order of the sums differs."""
    settings = {"freeze": ("*.norm.*",), "optimizer": "sgd", "lr": 1e-3, "channels_last": False}
    whole = weights_after(few, tmp_path / "whole", **settings)
    parts = weights_after(few, tmp_path / "parts", accumulate=4, **settings)
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_clipping_bounds_the_step(few, tmp_path):
    settings = {"optimizer": "sgd", "lr": 1.0, "batch_size": 8, "epochs": 1, "momentum": 0}
    start = weights_after(few, tmp_path / "start", **(settings | {"lr": 1e-12}))
    moved = weights_after(few, tmp_path / "moved", **settings, clip_norm=0.01)
    names = [name for name in start if "running" not in name and "num_batches" not in name]
    step = sum(float((moved[name] - start[name]).square().sum()) for name in names) ** 0.5
    assert step == pytest.approx(0.01, rel=1e-3)


def test_missing_pictures_are_told_before_the_work(few, tmp_path):
    (few.parent / "3.png").unlink()
    with pytest.raises(InputError, match=r"missing.*3\.png"):
        train(experiment_of(few), tmp_path / "run")
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_a_folder_with_a_run_is_left_alone(few, trained):
    before = {path.name: path.stat().st_mtime_ns for path in trained.iterdir()}
    with pytest.raises(InputError, match="already holds a run"):
        train(experiment_of(few), trained)
    assert {path.name: path.stat().st_mtime_ns for path in trained.iterdir()} == before


@pytest.mark.skipif(
    os.name != "posix", reason="a file cannot be a folder elsewhere, said otherwise"
)
def test_an_output_folder_that_cannot_be(few, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        train(experiment_of(few), tmp_path / "file" / "run")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(few, tmp_path):
    with pytest.raises(InputError, match="device cuda cannot be used"):
        train(override(experiment_of(few), ["run.device=cuda"]), tmp_path / "run")


@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 9 GiB",
        "DefaultCPUAllocator: can't allocate memory: 9",
    ],
)
def test_want_of_memory_is_one_line(few, tmp_path, monkeypatch, message):
    def too_much(outputs, targets):
        raise RuntimeError(message)

    monkeypatch.setitem(LOSSES, "cross_entropy", too_much)
    with pytest.raises(InputError, match=r"the memory does not suffice for step 0.*accumulate"):
        train(experiment_of(few), tmp_path / "run")
