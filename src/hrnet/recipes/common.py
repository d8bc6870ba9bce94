"""The common part of the recipes: places of the data sets, and the making of an experiment."""

from pathlib import Path
from typing import Literal

from hrnet.config import DataConfig, Experiment, ModelConfig, TrainConfig
from hrnet.data.augment import Augmentation
from hrnet.geometry import Size
from hrnet.spec import NetworkOptions

_COCO = Path("data/coco")
_MPII = Path("data/mpii")

COCO_2017 = DataConfig(
    annotations=_COCO / "annotations/person_keypoints_train2017.json",
    images=_COCO / "train2017",
    val_annotations=_COCO / "annotations/person_keypoints_val2017.json",
    val_images=_COCO / "val2017",
)
"""As COCO's own archives unpack in data/coco/."""

MPII = DataConfig(
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

Dataset = Literal["coco", "mpii"]

DATA: dict[Dataset, DataConfig] = {"coco": COCO_2017, "mpii": MPII}

MPII_SIZE = (256, 256)


def experiment(
    variant: str,
    dataset: Dataset,
    input_size: Size,
    augmentation: Augmentation,
    train: TrainConfig,
    drop_path: float | None = None,
) -> Experiment:
    """Put a published training together: the classic codec, sigma 3 at 384x288 and 2 else.

    drop_path: None takes the variant's own.
    """
    height, width = input_size
    return Experiment(
        name=f"{variant}_{dataset}_{height}x{width}",
        model=ModelConfig(
            variant=variant,
            input_size=input_size,
            sigma=3 if input_size == (384, 288) else 2,
            options=NetworkOptions(drop_path=drop_path),
        ),
        data=DATA[dataset],
        augmentation=augmentation,
        train=train,
    )
