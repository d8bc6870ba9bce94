"""Teach a pose network by a trained one of the same form, part by part, then as a whole.

python imitate.py teacher.safetensors --data persons.json --images images/ --out student.safetensors

The parts are the stem, each transition and module of the stages, and the head. First each part of
the student learns to turn the teacher's input of that part into the teacher's output of it: many
shallow regressions at once, which new weights learn in minutes. Then the student runs by itself,
and learns from the teacher's streams after each part, its heatmaps and the labels together. The
error of a part is the mean squared error of a channel over the variance of the teacher's.
Finish with `hrnet train pose/wider_naive_litehrnet_18_few_256x192 --set
train.init=student.safetensors`. The weights of the teacher are never copied.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

import hrnet
from hrnet.config import override
from hrnet.tasks.pose.network import target_maps
from hrnet.training.distributed import World
from hrnet.training.loader import loaded, normalised
from hrnet.training.prepare import prepare
from hrnet.training.run import Run, start
from hrnet.training.train import settled

Streams = list[Tensor]
ALONE = World(torch.device("cpu"))
"""One process."""
RECIPE = "pose/wider_naive_litehrnet_18_few_256x192"
SHARES = {"streams": 1.0, "heatmaps": 3.0, "labels": 0.5}
"""Of the second phase; the errors of heatmaps are in units of `UNIT`."""
UNIT = 0.004
FLOOR = 2e-3
"""Of a channel's variance, as a share of the mean variance: nearly constant ones count less."""


def parts_of(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the parts in their order; each takes what the one before gives."""
    yield "stem", network.backbone.stem
    for stage, module in network.backbone.stages.named_children():
        for name, part in module.named_children():
            yield f"{stage}.{name}", part
    yield "head", network.head


def call(part: nn.Module, inputs: Tensor | Streams) -> Streams:
    """Run a part; copies go in, because some activations work in place."""
    copies = inputs.clone() if isinstance(inputs, Tensor) else [one.clone() for one in inputs]
    outputs = part(copies)
    return [outputs] if isinstance(outputs, Tensor) else list(outputs)


def error(outputs: Streams, targets: Streams) -> Tensor:
    """Return the mean error of streams (N, C, h, w), 1 for the mean of each channel."""
    errors = []
    for output, target in zip(outputs, targets, strict=True):
        square = (output.float() - target.float()).square().mean((0, 2, 3))
        variance = target.float().var((0, 2, 3))
        errors.append((square / (variance + FLOOR * variance.mean())).mean())
    return torch.stack(errors).mean()


def new_weights(network: nn.Module) -> None:
    """Draw weights that keep the size of the activations, so that every part learns at once."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            mode = "fan_out" if module.groups == 1 else "fan_in"
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
    nn.init.normal_(network.head.conv.weight, std=1e-3)


def losses(run: Run, images: Tensor, *, alone: bool) -> tuple[dict[str, Tensor], Streams, Streams]:
    """Return the error of each part, and the last outputs of student and teacher.

    alone: each part of the student reads what the student's part before it gave.
    """
    assert run.teacher is not None
    pairs = zip(parts_of(run.network), parts_of(run.teacher.network), strict=True)
    found: dict[str, Tensor] = {}
    own: Tensor | Streams = images
    taught: Tensor | Streams = images
    for (name, part), (_, teacher) in pairs:
        with torch.no_grad():
            target = call(teacher, taught)
        own = call(part, own if alone else taught)
        found[name] = error(own, target)
        taught = target
    return found, own, taught  # type: ignore[return-value]


def teach(run: Run, experiment: hrnet.Experiment, steps: int, *, alone: bool) -> None:
    """Train for some steps; prints the mean errors of the parts."""
    data = prepare(experiment, ALONE)
    data.batches.stop = 10**6
    run.network.train()
    for step, batch in enumerate(itertools.islice(loaded(data.loader), steps)):
        images = normalised(batch.inputs, run.spec, channels_last=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=experiment.train.precision == "bf16"):
            parts, (own,), (taught,) = losses(run, images, alone=alone)
        # The first phase has the parts alone; the second the whole, with the labels.
        loss = torch.stack(list(parts.values())).mean() * SHARES["streams"]
        if alone:
            wrong = (own.float() - taught.float()).square().mean() / UNIT
            heatmaps, weights = target_maps(batch.targets), batch.targets["weights"]
            off = ((own.float() - heatmaps).square().mean((2, 3)) * weights).mean() / UNIT
            loss = loss + SHARES["heatmaps"] * wrong + SHARES["labels"] * off
        # One update, with a short warm-up.
        for group in run.optimizer.param_groups:
            group["lr"] = experiment.train.lr * min(1, (step + 1) / 50)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(run.network.parameters(), 5)
        run.optimizer.step()
        if run.average is not None:
            run.average.update_parameters(run.network)
        if step % 20 == 19:
            errors = " ".join(f"{name} {value:.2f}" for name, value in parts.items())
            print(f"step {step + 1}: loss {loss:.3f}; {errors}", flush=True)


def main() -> None:
    """Teach, and write the student."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("teacher", help="a checkpoint, or the name of published weights")
    parser.add_argument("--data", type=Path, required=True, help="a COCO keypoint file")
    parser.add_argument("--images", type=Path, required=True, help="the folder of its images")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument("--parts", type=int, default=2000, help="steps of parts (%(default)s)")
    parser.add_argument("--whole", type=int, default=8000, help="steps of the whole (%(default)s)")
    asked = parser.parse_args()
    settings = {
        "data.annotations": asked.data,
        "data.images": asked.images,
        "data.val_annotations": "null",
        "train.teacher": asked.teacher,
        "train.init": "null",
        "train.lr": 2e-3,
        "train.batch_size": 16,
    }
    experiment = override(hrnet.get_recipe(RECIPE), [f"{k}={v}" for k, v in settings.items()])
    experiment = settled(experiment, ALONE.device)
    run = start(experiment, prepare(experiment, ALONE).spec, world=ALONE)
    new_weights(run.network)
    teach(run, experiment, asked.parts, alone=False)
    teach(run, experiment, asked.whole, alone=True)
    hrnet.save_checkpoint(asked.out, run.smoothed().eval(), run.spec)


if __name__ == "__main__":
    main()
