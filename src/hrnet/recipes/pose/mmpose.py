"""HRNet on animals and on whole bodies, as mmpose trained them.

Source: configs/animal_2d_keypoint and configs/wholebody_2d_keypoint of
https://github.com/open-mmlab/mmpose, and their tables of results. Adam with 5e-4 after 500 updates
of warm-up, a tenth at epochs 170 and 200 of 210, scale 0.5 and rotation 40.

All start from the authors' ImageNet weights; `--set train.init=null` starts from new ones. The
data, where they are no COCO keypoint files of the published names already:

    hrnet data import data/ap10k/annotations/ap10k-train-split1.json --format coco \\
        --skeleton ap10k --images data/ap10k/data --out data/ap10k/annotations/train.json
    hrnet data import data/coco/annotations/coco_wholebody_train_v1.0.json --format wholebody \\
        --images data/coco/train2017 --out data/coco/annotations/wholebody_train.json

and likewise of ap10k-val-split1.json and coco_wholebody_val_v1.0.json.
"""

from hrnet.geometry import Size
from hrnet.recipes.pose.common import DatasetName, experiment
from hrnet.tasks.pose.config import PoseAugmentation, PoseExperiment, PoseTrain

_AUGMENTATION = PoseAugmentation(scale=0.5, rotation_deg=40, half_body=0.3)


def _train(variant: str, batch_size: int) -> PoseTrain:
    return PoseTrain(
        epochs=210,
        batch_size=batch_size,
        optimizer="adam",
        lr=5e-4,
        milestones=(170, 200),
        warmup_steps=500,
        warmup_factor=1e-3,
        init=f"{variant}-imagenet-backbone",
        init_head=False,
    )


def _made(
    variant: str, dataset: DatasetName, input_size: Size = (256, 256), *, batch_size: int = 512
) -> PoseExperiment:
    """Make a recipe; the batch is that of eight GPUs."""
    train = _train(variant, batch_size)
    return experiment(
        variant, dataset, input_size=input_size, augmentation=_AUGMENTATION, train=train
    )


def hrnet_w32_ap10k_256x256() -> PoseExperiment:
    """HRNet-W32 on AP-10K, 17 keypoints of 54 species (mmpose).

    Published with 8 GPUs of 64 images each: AP 72.2 on the validation part, with the annotated
    boxes and flip test.
    Command: hrnet train pose/hrnet_w32_ap10k_256x256 --out runs/ap10k
    """
    return _made("hrnet_w32", "ap10k")


def hrnet_w48_ap10k_256x256() -> PoseExperiment:
    """HRNet-W48 on AP-10K, 17 keypoints of 54 species (mmpose).

    Published with 8 GPUs of 64 images each: AP 72.8 on the validation part, with the annotated
    boxes and flip test.
    Command: hrnet train pose/hrnet_w48_ap10k_256x256 --out runs/ap10k_w48
    """
    return _made("hrnet_w48", "ap10k")


def hrnet_w32_animalpose_256x256() -> PoseExperiment:
    """HRNet-W32 on Animal-Pose, 20 keypoints of five species (mmpose).

    Published with 8 GPUs of 64 images each: AP 74.0 on the validation part, with the annotated
    boxes and flip test.
    Command: hrnet train pose/hrnet_w32_animalpose_256x256 --out runs/animalpose
    """
    return _made("hrnet_w32", "animalpose")


def hrnet_w48_animalpose_256x256() -> PoseExperiment:
    """HRNet-W48 on Animal-Pose, 20 keypoints of five species (mmpose).

    Published with 8 GPUs of 64 images each: AP 73.8 on the validation part, with the annotated
    boxes and flip test.
    Command: hrnet train pose/hrnet_w48_animalpose_256x256 --out runs/animalpose_w48
    """
    return _made("hrnet_w48", "animalpose")


def hrnet_w32_coco_wholebody_256x192() -> PoseExperiment:
    """HRNet-W32 on COCO-WholeBody, 133 keypoints, at 256x192 (mmpose).

    Published with 8 GPUs of 64 images each: AP 53.6 of the whole body on val2017, with the boxes of
    a detector (human AP 56.4) and flip test.
    Command: hrnet train pose/hrnet_w32_coco_wholebody_256x192 --out runs/wholebody
    """
    return _made("hrnet_w32", "coco_wholebody", (256, 192))


def hrnet_w32_coco_wholebody_384x288() -> PoseExperiment:
    """HRNet-W32 on COCO-WholeBody, 133 keypoints, at 384x288 (mmpose).

    Published with 8 GPUs of 64 images each: AP 58.6 of the whole body on val2017, with the boxes of
    a detector (human AP 56.4) and flip test.
    Command: hrnet train pose/hrnet_w32_coco_wholebody_384x288 --out runs/wholebody_384
    """
    return _made("hrnet_w32", "coco_wholebody", (384, 288))


def hrnet_w48_coco_wholebody_256x192() -> PoseExperiment:
    """HRNet-W48 on COCO-WholeBody, 133 keypoints, at 256x192 (mmpose).

    Published with 8 GPUs of 32 images each: AP 57.9 of the whole body on val2017, with the boxes of
    a detector (human AP 56.4) and flip test.
    Command: hrnet train pose/hrnet_w48_coco_wholebody_256x192 --out runs/wholebody_w48
    """
    return _made("hrnet_w48", "coco_wholebody", (256, 192), batch_size=256)


def hrnet_w48_coco_wholebody_384x288() -> PoseExperiment:
    """HRNet-W48 on COCO-WholeBody, 133 keypoints, at 384x288 (mmpose).

    Published with 8 GPUs of 32 images each: AP 63.2 of the whole body on val2017, with the boxes of
    a detector (human AP 56.4) and flip test.
    Command: hrnet train pose/hrnet_w48_coco_wholebody_384x288 --out runs/wholebody_w48_384
    """
    return _made("hrnet_w48", "coco_wholebody", (384, 288), batch_size=256)
