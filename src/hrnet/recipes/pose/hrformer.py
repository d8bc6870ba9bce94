"""HRFormer for pose, as published (Yuan et al. 2021).

Source: pose/configs/top_down/hrt/coco and the README of https://github.com/HRNet/HRFormer. AdamW
with 5e-4 after 500 updates of warm-up, a tenth at epochs 170 and 200 of 210, in half precision,
which needs a GPU (`--set train.precision=float32` does not).

The weight decay of 0.01 is of all parameters but the tables of position biases: of norms and biases
too. The published code for pose has the tables and does not add them, and neither do we.

All start from ImageNet weights, downloaded from mmpose's copy, since those of the authors need a
person to fetch them (hrformer_small-imagenet, hrformer_base-imagenet). The authors' file for the
small network at 384x288 names the weights of the base one, which cannot fit.
"""

from hrnet.config import ParameterGroup
from hrnet.geometry import Size
from hrnet.recipes.pose.common import experiment
from hrnet.tasks.pose.config import PoseAugmentation, PoseExperiment, PoseTrain

_ON_COCO = PoseAugmentation(scale=0.5, rotation_deg=40, half_body=0.3)

_DECAY = 0.01


def _coco(
    variant: str, input_size: Size, batch_size: int = 256, drop_path: float | None = None
) -> PoseExperiment:
    # The decay is of norms and biases too, which have none by default.
    train = PoseTrain(
        epochs=210,
        batch_size=batch_size,
        optimizer="adamw",
        lr=5e-4,
        weight_decay=_DECAY,
        groups=tuple(
            ParameterGroup(pattern=pattern, weight_decay=_DECAY)
            for pattern in ("*norm.weight", "*.bias")
        ),
        milestones=(170, 200),
        warmup_steps=500,
        warmup_factor=1e-3,
        precision="fp16",
        init=f"{variant}-imagenet-backbone",
        init_head=False,
    )
    return experiment(
        variant,
        "coco",
        input_size=input_size,
        augmentation=_ON_COCO,
        train=train,
        drop_path=drop_path,
    )


def hrformer_small_coco_256x192() -> PoseExperiment:
    """HRFormer-S on COCO at 256x192 (Yuan et al. 2021).

    Published with 8 GPUs of 32 images each and a drop path of 0.1, which is that of the variant: AP
    74.0 on val2017, with the boxes of a detector (human AP 56.4) and flip test.
    Command: hrnet train pose/hrformer_small_coco_256x192 --out runs/hrformer_s
    """
    return _coco("hrformer_small", (256, 192))


def hrformer_small_coco_384x288() -> PoseExperiment:
    """HRFormer-S on COCO at 384x288 (Yuan et al. 2021).

    Published with 8 GPUs of 32 images each and a drop path of 0.1, which is that of the variant: AP
    75.6 on val2017, with the boxes of a detector (human AP 56.4) and flip test.
    Command: hrnet train pose/hrformer_small_coco_384x288 --out runs/hrformer_s_384
    """
    return _coco("hrformer_small", (384, 288))


def hrformer_base_coco_256x192() -> PoseExperiment:
    """HRFormer-B on COCO at 256x192 (Yuan et al. 2021).

    Published with 8 GPUs of 32 images each and a drop path of 0.2, which is that of the variant: AP
    75.6 on val2017, with the boxes of a detector (human AP 56.4) and flip test.
    Command: hrnet train pose/hrformer_base_coco_256x192 --out runs/hrformer_b
    """
    return _coco("hrformer_base", (256, 192))


def hrformer_base_coco_384x288() -> PoseExperiment:
    """HRFormer-B on COCO at 384x288 (Yuan et al. 2021).

    Published with 8 GPUs of 8 images each, hence the batch of 64, and a drop path of 0.3, not
    the variant's own 0.2: AP 77.2 on val2017, with the boxes of a detector (human AP 56.4) and flip
    test.
    Command: hrnet train pose/hrformer_base_coco_384x288 --out runs/hrformer_b_384
    """
    return _coco("hrformer_base", (384, 288), batch_size=64, drop_path=0.3)
