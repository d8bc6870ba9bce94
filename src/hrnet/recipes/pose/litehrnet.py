"""Lite-HRNet for pose, as published (Yu et al. 2021).

Source: configs/top_down and the README of https://github.com/HRNet/Lite-HRNet. Adam with 2e-3 after
500 updates of warm-up, a tenth at epochs 170 and 200 of 210, from new weights.

Its naive networks crash as published: their head reads 40 channels, and the backbone gives 30. Here
the head fits the backbone; the wider ones have 40 and are not concerned.
"""

from hrnet.geometry import Size
from hrnet.recipes.pose.common import MPII_SIZE, experiment, few
from hrnet.tasks.pose.config import PoseAugmentation, PoseExperiment, PoseTrain

ON_COCO = PoseAugmentation(scale=0.25, rotation_deg=30, half_body=0.3)
_ON_MPII = PoseAugmentation(scale=0.25, rotation_deg=30, half_body=0)

TRAIN = PoseTrain(
    epochs=210,
    batch_size=512,
    optimizer="adam",
    lr=2e-3,
    milestones=(170, 200),
    warmup_steps=500,
    warmup_factor=1e-3,
)
"""At 256x192 on COCO; the others have half the batch with the same learning rate."""

_HALF = TRAIN.model_copy(update={"batch_size": 256})


def _coco(variant: str, input_size: Size, train: PoseTrain = TRAIN) -> PoseExperiment:
    return experiment(variant, "coco", input_size=input_size, augmentation=ON_COCO, train=train)


def _mpii(variant: str) -> PoseExperiment:
    return experiment(variant, "mpii", input_size=MPII_SIZE, augmentation=_ON_MPII, train=_HALF)


def litehrnet_18_coco_256x192() -> PoseExperiment:
    """Lite-HRNet-18 on COCO at 256x192 (Yu et al. 2021).

    Published with 8 GPUs of 64 images each: AP 64.8 on val2017, with the boxes of a detector (human
    AP 56.4) and flip test.
    Command: hrnet train pose/litehrnet_18_coco_256x192 --out runs/lite18
    """
    return _coco("litehrnet_18", (256, 192))


def litehrnet_18_coco_384x288() -> PoseExperiment:
    """Lite-HRNet-18 on COCO at 384x288 (Yu et al. 2021).

    Published with 8 GPUs of 32 images each: AP 67.6 on val2017, with the boxes of a detector (human
    AP 56.4) and flip test.
    Command: hrnet train pose/litehrnet_18_coco_384x288 --out runs/lite18_384
    """
    return _coco("litehrnet_18", (384, 288), _HALF)


def litehrnet_30_coco_256x192() -> PoseExperiment:
    """Lite-HRNet-30 on COCO at 256x192 (Yu et al. 2021).

    Published with 8 GPUs of 64 images each: AP 67.2 on val2017, with the boxes of a detector (human
    AP 56.4) and flip test.
    Command: hrnet train pose/litehrnet_30_coco_256x192 --out runs/lite30
    """
    return _coco("litehrnet_30", (256, 192))


def litehrnet_30_coco_384x288() -> PoseExperiment:
    """Lite-HRNet-30 on COCO at 384x288 (Yu et al. 2021).

    Published with 8 GPUs of 32 images each: AP 70.4 on val2017, with the boxes of a detector (human
    AP 56.4) and flip test.
    Command: hrnet train pose/litehrnet_30_coco_384x288 --out runs/lite30_384
    """
    return _coco("litehrnet_30", (384, 288), _HALF)


def naive_litehrnet_18_coco_256x192() -> PoseExperiment:
    """Naive Lite-HRNet-18 on COCO at 256x192 (Yu et al. 2021).

    Published with 8 GPUs of 64 images each: AP 62.8 on val2017, with the boxes of a detector (human
    AP 56.4) and flip test. The published configuration crashes, see the top of this file.
    Command: hrnet train pose/naive_litehrnet_18_coco_256x192 --out runs/naive18
    """
    return _coco("naive_litehrnet_18", (256, 192))


def wider_naive_litehrnet_18_coco_256x192() -> PoseExperiment:
    """Wider naive Lite-HRNet-18 on COCO at 256x192 (Yu et al. 2021).

    Published with 8 GPUs of 64 images each: AP 66.0 on val2017, with the boxes of a detector (human
    AP 56.4) and flip test.
    Command: hrnet train pose/wider_naive_litehrnet_18_coco_256x192 --out runs/wider18
    """
    return _coco("wider_naive_litehrnet_18", (256, 192))


def wider_naive_litehrnet_18_few_256x192() -> PoseExperiment:
    """Wider naive Lite-HRNet-18 from a few thousand persons, with averaged weights.

    The model `default` is this network, trained otherwise: see its model card. Encoded as
    PP-TinyPose (PaddleDetection), the same network, so that its published weights, converted, can
    teach: `--set train.teacher=tinypose.safetensors`. An NVIDIA GPU takes
    `--set train.batch_size=256 --set train.lr=4e-3 --set run.workers=8` as well.
    Command: hrnet train pose/wider_naive_litehrnet_18_few_256x192 --set data.annotations=...
    --out runs/wider
    """
    train = PoseTrain(
        epochs=210,
        batch_size=64,
        optimizer="adamw",
        lr=2e-3,
        weight_decay=0.02,
        schedule="cosine",
        warmup_steps=500,
        ema=0.999,
        precision="auto",
    )
    return few("wider_naive_litehrnet_18", (256, 192), codec="dark", sigma=2, train=train)


def litehrnet_18_mpii_256x256() -> PoseExperiment:
    """Lite-HRNet-18 on MPII at 256x256 (Yu et al. 2021).

    Published with 8 GPUs of 32 images each: PCKh@0.5 85.4 on the validation part, with the
    annotated boxes and flip test. `hrnet.recipes.pose.common.MPII` shows the import of the data.
    Command: hrnet train pose/litehrnet_18_mpii_256x256 --out runs/lite18_mpii
    """
    return _mpii("litehrnet_18")


def litehrnet_30_mpii_256x256() -> PoseExperiment:
    """Lite-HRNet-30 on MPII at 256x256 (Yu et al. 2021).

    Published with 8 GPUs of 32 images each: PCKh@0.5 87.0 on the validation part, with the
    annotated boxes and flip test. `hrnet.recipes.pose.common.MPII` shows the import of the data.
    Command: hrnet train pose/litehrnet_30_mpii_256x256 --out runs/lite30_mpii
    """
    return _mpii("litehrnet_30")


def naive_litehrnet_18_mpii_256x256() -> PoseExperiment:
    """Naive Lite-HRNet-18 on MPII at 256x256 (Yu et al. 2021).

    Published with 8 GPUs of 32 images each: PCKh@0.5 85.3 on the validation part, with the
    annotated boxes and flip test. The published configuration crashes, see the top of this file.
    `hrnet.recipes.pose.common.MPII` shows the import of the data.
    Command: hrnet train pose/naive_litehrnet_18_mpii_256x256 --out runs/naive18_mpii
    """
    return _mpii("naive_litehrnet_18")


def wider_naive_litehrnet_18_mpii_256x256() -> PoseExperiment:
    """Wider naive Lite-HRNet-18 on MPII at 256x256 (Yu et al. 2021).

    Published with 8 GPUs of 32 images each: PCKh@0.5 86.8 on the validation part, with the
    annotated boxes and flip test. `hrnet.recipes.pose.common.MPII` shows the import of the data.
    Command: hrnet train pose/wider_naive_litehrnet_18_mpii_256x256 --out runs/wider18_mpii
    """
    return _mpii("wider_naive_litehrnet_18")
