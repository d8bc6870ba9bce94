"""The common part of the detection recipes: the COCO data, and the rest of an experiment."""

from pathlib import Path

from hrnet.config import ParameterGroup, RunConfig
from hrnet.spec import NetworkOptions
from hrnet.tasks.detection.config import (
    BoxAugmentation,
    BoxData,
    DetectionExperiment,
    DetectionModelConfig,
    DetectionTrain,
)

_COCO = Path("data/coco")

COCO_BOXES = BoxData(
    annotations=_COCO / "annotations/instances_train2017.json",
    images=_COCO / "train2017",
    val_annotations=_COCO / "annotations/instances_val2017.json",
    val_images=_COCO / "val2017",
)
"""As COCO's own archives unpack in data/coco/."""

ON_COCO = RunConfig(workers=8, cache_images=False)
"""118,287 decoded pictures fit into no memory."""

DECAY = 1e-4

SGD = DetectionTrain(
    optimizer="sgd",
    lr=0.02,
    batch_size=16,
    weight_decay=DECAY,
    groups=(ParameterGroup(pattern="*", weight_decay=DECAY),),
    warmup_steps=500,
    init_head=False,
    evaluate_every=1,
)
"""SGD with 0.02 for 16 pictures, and a weight decay of 1e-4 of all parameters, norms and biases
too."""


_SCALES = (0.6, 0.75, 0.9, 1.0, 1.15, 1.35, 1.6)
"""Of a picture for the light head, beside its usual size."""


def jittered(fit: tuple[int, int]) -> BoxAugmentation:
    """Return pictures of 0.6 to 1.6 times their usual size, cut to little more than that size."""
    short, long = fit
    return BoxAugmentation(
        colour=0.3,
        grey=0.05,
        fits=tuple((round(short * scale), round(long * scale)) for scale in _SCALES),
        crop=(short + 32, long),
    )


def experiment(
    variant: str,
    head: str,
    name: str,
    train: DetectionTrain,
    *,
    model: DetectionModelConfig | None = None,
    augmentation: BoxAugmentation | None = None,
    freeze_norms: bool = True,
) -> DetectionExperiment:
    """Put a training on COCO together, from the variant's ImageNet weights.

    name: what follows variant and head in the recipe's name. model: its settings beside variant and
    head. freeze_norms: batch norms keep the statistics of these weights.
    """
    changes = {"variant": variant, "options": NetworkOptions(head=head)}
    usual = model or DetectionModelConfig(variant=variant)
    return DetectionExperiment(
        name=f"{variant}_{head}_coco_{name}",
        model=usual.model_copy(update=changes),
        data=COCO_BOXES,
        augmentation=augmentation or BoxAugmentation(),
        train=train.model_copy(
            update={"init": f"{variant}-imagenet", "freeze_norms": freeze_norms}
        ),
        run=ON_COCO,
    )
