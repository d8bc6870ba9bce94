"""Training the presence output: with the rest, and alone on a finished network."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file

import hrnet
from hrnet.config import override
from hrnet.evaluation import evaluate
from hrnet.exporters.onnx import export_onnx
from hrnet.reports.evaluated import evaluate_run
from hrnet.tasks import DataSource
from hrnet.tasks.pose.config import NO_AUGMENTATION
from hrnet.tasks.pose.task import PoseTask
from hrnet.training.train import train
from hrnet.weights.checkpoint import load_checkpoint

from .discs import experiment_of, write_discs


def hide(file, share: float, seed: int = 0) -> None:
    """Leave keypoints unlabelled, and paint over their discs: they are not there."""
    from PIL import Image

    content = json.loads(file.read_text())
    rng = np.random.default_rng(seed)
    for entry in content["annotations"]:
        picture = np.array(Image.open(file.parent / f"{entry['image_id']}.png"))
        y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
        points = np.reshape(entry["keypoints"], (-1, 3))
        for row in np.flatnonzero(rng.random(len(points)) < share)[: len(points) - 1]:
            px, py, _ = points[row]
            disc = (x - px) ** 2 + (y - py) ** 2 < 40
            picture[disc] = rng.integers(0, 60, (int(disc.sum()), 3), dtype=np.uint8)
            points[row] = 0
        entry["keypoints"] = points.ravel().tolist()
        Image.fromarray(picture).save(file.parent / f"{entry['image_id']}.png")
    file.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Training and validation data in which half of the discs are missing."""
    files = []
    for seed, images in ((0, 120), (1, 40)):
        file = write_discs(tmp_path_factory.mktemp("data"), images, seed=seed)
        hide(file, 0.5, seed)
        files.append(file)
    return files


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A network without the output, which finds the discs."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    return train(experiment_of(data[0], epochs=10, batch_size=4, lr=6e-3), out)


@pytest.fixture(scope="module")
def alone(data, finished, tmp_path_factory):
    """The output trained alone on that network; its folder, and what was printed."""
    experiment = experiment_of(
        data[0],
        epochs=16,
        lr=1e-2,
        init=str(finished),
        freeze=("backbone.*", "head.*"),
        presence_weight=1,
    )
    experiment = override(experiment, ["model.options.presence=true"])
    out, lines = tmp_path_factory.mktemp("runs") / "alone", []
    train(experiment, out, say=lines.append)
    return out, lines


def test_the_part_is_trained_alone_on_a_finished_network(finished, alone):
    out, lines = alone
    assert any("train.init: a new presence part" in line for line in lines)
    before, after = load_file(finished), load_file(out / "last.safetensors")
    assert after.keys() - before.keys() == {
        *("presence.linear.weight", "presence.linear.bias", "presence.norm.weight"),
        *("presence.norm.bias", "presence.norm.running_mean", "presence.norm.running_var"),
        "presence.norm.num_batches_tracked",
    }
    for name, values in before.items():  # norms' statistics too
        np.testing.assert_array_equal(values, after[name])


def test_it_learns_what_is_there(data, alone):
    out, _ = alone
    metrics = evaluate(out, data=data[1], images=data[1].parent).metrics
    assert next(iter(metrics)) == "AP"
    assert metrics["presence AUC"] > 0.9
    assert 0 <= metrics["presence ECE"] < 0.3
    page = evaluate_run(out, DataSource(data[1], data[1].parent))
    assert "presence AUC" in page.meanings
    (section,) = [one for one in page.sections if one.name == "presence"]
    assert "Reliability" in section.content


def test_it_is_exported_and_runs_in_both_engines(alone, tmp_path):
    out, _ = alone
    network, spec = load_checkpoint(out / "last.safetensors")
    export_onnx(network, spec, tmp_path / "discs.onnx")
    picture = np.random.default_rng(0).integers(0, 256, (80, 96, 3), dtype=np.uint8)
    expected = hrnet.load(out).predict(picture).presence
    for engine in ("onnxruntime", "openvino"):
        found = hrnet.load(tmp_path / "discs.onnx", engine=engine).predict(picture).presence
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_with_the_rest_a_small_weight_trains_it_too(data, tmp_path):
    experiment = override(experiment_of(data[0], epochs=1), ["model.options.presence=true"])
    file = train(experiment, tmp_path / "joint")
    assert load_file(file)["presence.linear.weight"].abs().max() > 0


def test_targets_count_what_is_labelled_and_inside(data):
    experiment = override(experiment_of(data[0]), ["model.options.presence=true"])
    experiment = experiment.model_copy(update={"augmentation": NO_AUGMENTATION})
    dataset = PoseTask.dataset(experiment.data.training())
    from hrnet.tasks.pose.config import make_spec

    task = PoseTask(make_spec(experiment, dataset), experiment)
    sample = dataset.samples[0]
    far = sample.box_xywh * 0 + [30, 20, 8, 8]  # a crop of a few pixels
    import dataclasses

    samples = [sample, dataclasses.replace(sample, box_xywh=far)]
    picture = np.zeros((*sample.image_size, 3), np.uint8)
    rngs = [np.random.default_rng(0)] * 2
    _, targets = task.batch(samples, [picture] * 2, rngs)
    labelled = sample.visibility > 0
    np.testing.assert_array_equal(targets["present"][0], labelled)
    assert targets["present"][1].sum() < labelled.sum()
    assert (targets["presence_weights"] == np.float32(1e-3)).all()


def test_a_network_without_it_leaves_the_part_of_a_file_out(alone, tmp_path):
    model = hrnet.create_model("small_hrnet_w16", num_outputs=3)
    notes = hrnet.load_weights(model, alone[0] / "last.safetensors")
    assert len(notes) == 1
    assert "7 x tensors of the presence part left out" in notes[0]
