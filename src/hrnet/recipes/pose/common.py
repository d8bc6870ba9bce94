"""The common part of the pose recipes: folders of the data sets, and the rest of an experiment."""

from pathlib import Path
from typing import Literal

from hrnet.codecs.heatmap import CodecKind
from hrnet.geometry import Size
from hrnet.spec import NetworkOptions
from hrnet.tasks.pose.config import (
    KeypointData,
    PoseAugmentation,
    PoseExperiment,
    PoseModelConfig,
    PoseTrain,
)

_COCO = Path("data/coco")
_MPII = Path("data/mpii")
_AP10K, _ANIMALPOSE = Path("data/ap10k"), Path("data/animalpose")

COCO_2017 = KeypointData(
    annotations=_COCO / "annotations/person_keypoints_train2017.json",
    images=_COCO / "train2017",
    val_annotations=_COCO / "annotations/person_keypoints_val2017.json",
    val_images=_COCO / "val2017",
)
"""As COCO's own archives unpack in data/coco/."""

MPII = KeypointData(
    annotations=_MPII / "annotations/train.json",
    images=_MPII / "images",
    val_annotations=_MPII / "annotations/valid.json",
    val_images=_MPII / "images",
)
"""The files that `hrnet data import --format mpii` makes of the official train.json and valid.json:

    hrnet data import data/mpii/annot/train.json --format mpii --images data/mpii/images \\
        --out data/mpii/annotations/train.json
    hrnet data import data/mpii/annot/valid.json --format mpii --images data/mpii/images \\
        --heads data/mpii/annot/gt_valid.mat --out data/mpii/annotations/valid.json
"""

AP10K = KeypointData(
    annotations=_AP10K / "annotations/train.json",
    images=_AP10K / "data",
    val_annotations=_AP10K / "annotations/val.json",
    val_images=_AP10K / "data",
)
"""Its files with the published names; `hrnet.recipes.pose.mmpose` shows the import."""

ANIMALPOSE = KeypointData(
    annotations=_ANIMALPOSE / "annotations/animalpose_train.json",
    images=_ANIMALPOSE,
    val_annotations=_ANIMALPOSE / "annotations/animalpose_val.json",
    val_images=_ANIMALPOSE,
)
"""The files that mmpose offers."""

COCO_WHOLEBODY = KeypointData(
    annotations=_COCO / "annotations/wholebody_train.json",
    images=_COCO / "train2017",
    val_annotations=_COCO / "annotations/wholebody_val.json",
    val_images=_COCO / "val2017",
)
"""Its files with all 133 keypoints; `hrnet.recipes.pose.mmpose` shows the import."""

DatasetName = Literal["coco", "mpii", "ap10k", "animalpose", "coco_wholebody"]

DATA: dict[DatasetName, KeypointData] = {
    "coco": COCO_2017,
    "mpii": MPII,
    "ap10k": AP10K,
    "animalpose": ANIMALPOSE,
    "coco_wholebody": COCO_WHOLEBODY,
}

MPII_SIZE = (256, 256)


def experiment(
    variant: str,
    dataset: DatasetName,
    *,
    input_size: Size,
    augmentation: PoseAugmentation,
    train: PoseTrain,
    drop_path: float | None = None,
) -> PoseExperiment:
    """Put a published training together: the classic codec, sigma 3 at 384x288 and 2 else.

    dataset: its name and settings. drop_path: None takes the variant's own.
    """
    # The name is that of the recipe's function.
    height, width = input_size
    return PoseExperiment(
        name=f"{variant}_{dataset}_{height}x{width}",
        model=PoseModelConfig(
            variant=variant,
            input_size=input_size,
            sigma=3 if input_size == (384, 288) else 2,
            options=NetworkOptions(drop_path=drop_path),
        ),
        data=DATA[dataset],
        augmentation=augmentation,
        train=train,
    )


def few(
    variant: str, input_size: Size, *, codec: CodecKind, sigma: float, train: PoseTrain
) -> PoseExperiment:
    """Put a training on a few thousand persons together: averaged weights, mild augmentation.

    The augmentation is milder than the published one: so few epochs could not make use of more. The
    model card has the figures.
    """
    height, width = input_size
    return PoseExperiment(
        name=f"{variant}_few_{height}x{width}",
        model=PoseModelConfig(variant=variant, input_size=input_size, codec=codec, sigma=sigma),
        data=COCO_2017,
        augmentation=PoseAugmentation(
            scale=0.3,
            rotation_deg=30,
            half_body=0.2,
            shift=0.03,
            colour=0.2,
            sharpness=0.5,
            grey=0.03,
            cutout=0.25,
        ),
        train=train,
    )
