"""The common part of the segmentation recipes: data sets, and the rest of an experiment."""

from dataclasses import dataclass
from pathlib import Path

from hrnet.config import ParameterGroup, RunConfig
from hrnet.tasks.segmentation.config import (
    MaskAugmentation,
    MaskData,
    SegmentationExperiment,
    SegmentationModelConfig,
    SegmentationTrain,
)

CITYSCAPES_WEIGHTS = (
    *(0.8373, 0.918, 0.866, 1.0345, 1.0166, 0.9969, 0.9754, 1.0489, 0.8786, 1.0023),
    *(0.9539, 0.9843, 1.1116, 0.9037, 1.0865, 1.0955, 1.0865, 1.1529, 1.0507),
)
"""Factors of the 19 classes of Cityscapes in the loss, of HRNet and HRFormer."""

CUDA_RUN = RunConfig(workers=8, cache_images=False)
"""Several workers; the decoded pictures of these data sets fit into no memory."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set as the recipes find it: its folder below data/, and how many pictures train."""

    name: str
    pictures: int

    @property
    def data(self) -> MaskData:
        """The parts train and val of the folder."""
        return MaskData(path=Path("data", self.name), split="train", val_split="val")

    def epochs(self, updates: int, batch_size: int) -> int:
        """Return the epochs that come nearest to a number of updates."""
        return round(updates / (self.pictures // batch_size))


CITYSCAPES = DataSet("cityscapes", 2975)
LIP = DataSet("lip", 30_462)
CONTEXT59 = DataSet("pascal_context59", 4998)
CONTEXT60 = DataSet("pascal_context60", 4998)
COCO_STUFF = DataSet("cocostuff", 9000)
ADE20K = DataSet("ade20k", 20_210)


def decayed(weight_decay: float, *, head: float = 1.0) -> dict[str, object]:
    """Return settings of a weight decay of all parameters, norms and biases too.

    head: factor on the learning rate of the head.
    """
    usual = ParameterGroup(pattern="*", weight_decay=weight_decay)
    own = ParameterGroup(pattern="head.*", lr_scale=head, weight_decay=weight_decay)
    return {"weight_decay": weight_decay, "groups": (own, usual) if head != 1 else (usual,)}


def experiment(
    data: DataSet,
    name: str,
    *,
    model: SegmentationModelConfig,
    augmentation: MaskAugmentation,
    train: SegmentationTrain,
) -> SegmentationExperiment:
    """Put a training together, from the variant's ImageNet weights unless `train` has others.

    name: of the recipe.
    """
    init = train.init or f"{model.variant}-imagenet"
    return SegmentationExperiment(
        name=name,
        model=model,
        data=data.data,
        augmentation=augmentation,
        train=train.model_copy(update={"init": init, "init_head": False}),
        run=CUDA_RUN,
    )
