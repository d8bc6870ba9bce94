"""HRNet for pose, as published (Sun et al. 2019).

Source: experiments/coco/hrnet, experiments/mpii/hrnet and the README of
https://github.com/leoxiaobin/deep-high-resolution-net.pytorch. Adam with 1e-3, a tenth at epochs
170 and 200 of 210, and no weight decay: the 1e-4 in those files reaches SGD alone.

All start from the authors' ImageNet weights, which are downloaded; `--set train.init=null` starts
from new ones.
"""

from hrnet.geometry import Size
from hrnet.recipes.pose.common import MPII_SIZE, experiment
from hrnet.tasks.pose.config import PoseAugmentation, PoseExperiment, PoseTrain

_ON_COCO = PoseAugmentation(scale=0.35, rotation_deg=45, half_body=0.3)
_ON_MPII = PoseAugmentation(scale=0.25, rotation_deg=30, half_body=0)


def _train(variant: str, batch_size: int = 128) -> PoseTrain:
    return PoseTrain(
        epochs=210,
        batch_size=batch_size,
        optimizer="adam",
        lr=1e-3,
        milestones=(170, 200),
        init=f"{variant}-imagenet-backbone",
        init_head=False,
    )


def _coco(variant: str, input_size: Size, batch_size: int = 128) -> PoseExperiment:
    train = _train(variant, batch_size)
    return experiment(variant, "coco", input_size=input_size, augmentation=_ON_COCO, train=train)


def _mpii(variant: str) -> PoseExperiment:
    train = _train(variant)
    return experiment(variant, "mpii", input_size=MPII_SIZE, augmentation=_ON_MPII, train=train)


def hrnet_w32_coco_256x192() -> PoseExperiment:
    """HRNet-W32 on COCO at 256x192 (Sun et al. 2019).

    Published with 4 GPUs of 32 images each: AP 74.4 on val2017, with the boxes of a detector (human
    AP 56.4) and flip test. Without ImageNet weights the paper gives 73.4.
    Command: hrnet train pose/hrnet_w32_coco_256x192 --out runs/w32
    """
    return _coco("hrnet_w32", (256, 192))


def hrnet_w32_coco_384x288() -> PoseExperiment:
    """HRNet-W32 on COCO at 384x288 (Sun et al. 2019).

    Published with 4 GPUs of 32 images each: AP 75.8 on val2017, with the boxes of a detector (human
    AP 56.4) and flip test.
    Command: hrnet train pose/hrnet_w32_coco_384x288 --out runs/w32_384
    """
    return _coco("hrnet_w32", (384, 288))


def hrnet_w48_coco_256x192() -> PoseExperiment:
    """HRNet-W48 on COCO at 256x192 (Sun et al. 2019).

    Published with 4 GPUs of 32 images each: AP 75.1 on val2017, with the boxes of a detector (human
    AP 56.4) and flip test.
    Command: hrnet train pose/hrnet_w48_coco_256x192 --out runs/w48
    """
    return _coco("hrnet_w48", (256, 192))


def hrnet_w48_coco_384x288() -> PoseExperiment:
    """HRNet-W48 on COCO at 384x288 (Sun et al. 2019).

    Published with 4 GPUs of 24 images each, hence the batch of 96: AP 76.3 on val2017, with the
    boxes of a detector (human AP 56.4) and flip test.
    Command: hrnet train pose/hrnet_w48_coco_384x288 --out runs/w48_384
    """
    return _coco("hrnet_w48", (384, 288), batch_size=96)


def hrnet_w32_mpii_256x256() -> PoseExperiment:
    """HRNet-W32 on MPII at 256x256 (Sun et al. 2019).

    Published with 4 GPUs of 32 images each: PCKh@0.5 90.3 on the validation part, with the
    annotated boxes and flip test. `hrnet.recipes.pose.common.MPII` shows the import of the data.
    Command: hrnet train pose/hrnet_w32_mpii_256x256 --out runs/w32_mpii
    """
    return _mpii("hrnet_w32")


def hrnet_w48_mpii_256x256() -> PoseExperiment:
    """HRNet-W48 on MPII at 256x256 (Sun et al. 2019).

    The authors give its settings, 4 GPUs of 32 images each, and no score; mmpose 1.x gives PCKh@0.5
    90.1 for its own training, on the validation part with the annotated boxes and flip test.
    `hrnet.recipes.pose.common.MPII` shows the import of the data.
    Command: hrnet train pose/hrnet_w48_mpii_256x256 --out runs/w48_mpii
    """
    return _mpii("hrnet_w48")
