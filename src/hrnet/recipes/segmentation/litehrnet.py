"""Lite-HRNet for segmentation; nothing was published, so the settings are ours and untried there.

Networks of 1 to 2 million parameters for Cityscapes, from the backbones of published pose networks
on COCO. AdamW, poly, windows of pictures of half size that are scaled by 0.5 to 2, changed colours;
predictions look at pictures of half size.
"""

from hrnet.recipes.segmentation.common import CITYSCAPES, experiment
from hrnet.spec import NetworkOptions
from hrnet.tasks.segmentation.config import (
    MaskAugmentation,
    SegmentationExperiment,
    SegmentationModelConfig,
    SegmentationTrain,
)


def _cityscapes(variant: str) -> SegmentationExperiment:
    return experiment(
        CITYSCAPES,
        f"{variant}_cityscapes",
        model=SegmentationModelConfig(
            variant=variant,
            options=NetworkOptions(head="v2"),
            input_size=(512, 1024),
            long_side=1024,
        ),
        augmentation=MaskAugmentation(crop=(512, 1024), colour=0.3, most_of_one=0.75),
        train=SegmentationTrain(
            epochs=300,
            batch_size=16,
            optimizer="adamw",
            lr=1e-3,
            weight_decay=0.01,
            warmup_steps=500,
            init=f"{variant}-coco-384x288",
            init_head=False,
        ),
    )


def litehrnet_18_cityscapes() -> SegmentationExperiment:
    """Lite-HRNet-18 on Cityscapes, our own choice.

    Published: nothing.
    Command: hrnet train segmentation/litehrnet_18_cityscapes --out runs/lite18
    """
    return _cityscapes("litehrnet_18")


def litehrnet_30_cityscapes() -> SegmentationExperiment:
    """Lite-HRNet-30 on Cityscapes, our own choice.

    Published: nothing.
    Command: hrnet train segmentation/litehrnet_30_cityscapes --out runs/lite30
    """
    return _cityscapes("litehrnet_30")
