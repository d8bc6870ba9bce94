"""Detectors on HRNetV2p as mmdetection 2 and 3 trained them.

Source: configs/hrnet and its README of https://github.com/open-mmlab/mmdetection. SGD with 0.02
for 16 pictures (8 GPUs of 2), a warm-up over 500 updates, a tenth at epochs 8 and 11 of 12 ("1x"),
16 and 22 of 24 ("2x") or 16 and 19 of 20 ("20e"), and frozen statistics of the backbone's norms.
Pictures within 1333x800, mirrored by half. FCOS: 0.01 for 16 pictures (4 GPUs of 4), twice that
without weight decay for biases, gradients clipped at 35, and BGR pictures.

Unlike there a batch mixes wide and tall pictures, pictures without objects are learned from too,
and crowds are neither objects nor background. Figures are AP (0.5:0.95) in percent.
"""

from hrnet.config import ParameterGroup
from hrnet.recipes.detection.common import DECAY, SGD, experiment
from hrnet.tasks.detection.config import (
    BoxAugmentation,
    DetectionExperiment,
    DetectionModelConfig,
    DetectionTrain,
)

_SCHEDULES = {"1x": (12, (8, 11)), "2x": (24, (16, 22)), "20e": (20, (16, 19))}
"""Epochs, and those at which the learning rate falls to a tenth."""

_ON_POINTS = SGD.model_copy(
    update={
        "loss": "fcos",
        "lr": 0.01,
        "warmup": "constant",
        "warmup_factor": 1 / 3,
        "clip_norm": 35.0,
        "groups": (
            ParameterGroup(pattern="*norm*", weight_decay=DECAY),
            ParameterGroup(pattern="*.bias", lr_scale=2, weight_decay=0),
            *SGD.groups,
        ),
    }
)


def _train(usual: DetectionTrain, schedule: str) -> DetectionTrain:
    epochs, milestones = _SCHEDULES[schedule]
    return usual.model_copy(update={"epochs": epochs, "milestones": milestones})


def _regions(variant: str, head: str, schedule: str) -> DetectionExperiment:
    return experiment(variant, head, schedule, _train(SGD, schedule))


def _points(variant: str, schedule: str, *, several: bool = False) -> DetectionExperiment:
    """Return a training of FCOS; with `several`, pictures are within 1333x640 or 1333x800."""
    return experiment(
        variant,
        "fcos",
        f"ms_{schedule}" if several else schedule,
        _train(_ON_POINTS, schedule),
        model=DetectionModelConfig(variant=variant, channels="bgr"),
        augmentation=BoxAugmentation(fits=((640, 1333), (800, 1333)) if several else ()),
    )


def hrnet_w18_faster_coco_1x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W18, 12 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: AP 36.9 on val2017.
    Command: hrnet train detection/hrnet_w18_faster_coco_1x --out runs/w18
    """
    return _regions("hrnet_w18", "faster", "1x")


def hrnet_w18_faster_coco_2x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W18, 24 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: AP 38.9 on val2017.
    Command: hrnet train detection/hrnet_w18_faster_coco_2x --out runs/w18
    """
    return _regions("hrnet_w18", "faster", "2x")


def hrnet_w32_faster_coco_1x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W32, 12 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: AP 40.2 on val2017.
    Command: hrnet train detection/hrnet_w32_faster_coco_1x --out runs/w32
    """
    return _regions("hrnet_w32", "faster", "1x")


def hrnet_w32_faster_coco_2x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W32, 24 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: AP 41.4 on val2017.
    Command: hrnet train detection/hrnet_w32_faster_coco_2x --out runs/w32
    """
    return _regions("hrnet_w32", "faster", "2x")


def hrnet_w40_faster_coco_1x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W40, 12 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: AP 41.2 on val2017.
    Command: hrnet train detection/hrnet_w40_faster_coco_1x --out runs/w40
    """
    return _regions("hrnet_w40", "faster", "1x")


def hrnet_w40_faster_coco_2x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W40, 24 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: AP 42.1 on val2017.
    Command: hrnet train detection/hrnet_w40_faster_coco_2x --out runs/w40
    """
    return _regions("hrnet_w40", "faster", "2x")


def hrnet_w18_mask_coco_1x() -> DetectionExperiment:
    """Mask R-CNN on HRNetV2p-W18, 12 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: box AP 37.7, mask AP 34.2 on val2017.
    Command: hrnet train detection/hrnet_w18_mask_coco_1x --out runs/w18
    """
    return _regions("hrnet_w18", "mask", "1x")


def hrnet_w18_mask_coco_2x() -> DetectionExperiment:
    """Mask R-CNN on HRNetV2p-W18, 24 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: box AP 39.8, mask AP 36.0 on val2017.
    Command: hrnet train detection/hrnet_w18_mask_coco_2x --out runs/w18
    """
    return _regions("hrnet_w18", "mask", "2x")


def hrnet_w32_mask_coco_1x() -> DetectionExperiment:
    """Mask R-CNN on HRNetV2p-W32, 12 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: box AP 41.2, mask AP 37.1 on val2017.
    Command: hrnet train detection/hrnet_w32_mask_coco_1x --out runs/w32
    """
    return _regions("hrnet_w32", "mask", "1x")


def hrnet_w32_mask_coco_2x() -> DetectionExperiment:
    """Mask R-CNN on HRNetV2p-W32, 24 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: box AP 42.5, mask AP 37.8 on val2017.
    Command: hrnet train detection/hrnet_w32_mask_coco_2x --out runs/w32
    """
    return _regions("hrnet_w32", "mask", "2x")


def hrnet_w40_mask_coco_1x() -> DetectionExperiment:
    """Mask R-CNN on HRNetV2p-W40, 12 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: box AP 42.1, mask AP 37.5 on val2017.
    Command: hrnet train detection/hrnet_w40_mask_coco_1x --out runs/w40
    """
    return _regions("hrnet_w40", "mask", "1x")


def hrnet_w40_mask_coco_2x() -> DetectionExperiment:
    """Mask R-CNN on HRNetV2p-W40, 24 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: box AP 42.8, mask AP 38.2 on val2017.
    Command: hrnet train detection/hrnet_w40_mask_coco_2x --out runs/w40
    """
    return _regions("hrnet_w40", "mask", "2x")


def hrnet_w18_cascade_coco_20e() -> DetectionExperiment:
    """Cascade R-CNN on HRNetV2p-W18, 20 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: AP 41.2 on val2017.
    Command: hrnet train detection/hrnet_w18_cascade_coco_20e --out runs/w18
    """
    return _regions("hrnet_w18", "cascade", "20e")


def hrnet_w32_cascade_coco_20e() -> DetectionExperiment:
    """Cascade R-CNN on HRNetV2p-W32, 20 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: AP 43.3 on val2017.
    Command: hrnet train detection/hrnet_w32_cascade_coco_20e --out runs/w32
    """
    return _regions("hrnet_w32", "cascade", "20e")


def hrnet_w40_cascade_coco_20e() -> DetectionExperiment:
    """Cascade R-CNN on HRNetV2p-W40, 20 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: AP 43.8 on val2017.
    Command: hrnet train detection/hrnet_w40_cascade_coco_20e --out runs/w40
    """
    return _regions("hrnet_w40", "cascade", "20e")


def hrnet_w18_cascade_mask_coco_20e() -> DetectionExperiment:
    """Cascade Mask R-CNN on HRNetV2p-W18, 20 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: box AP 41.6, mask AP 36.4 on val2017.
    Command: hrnet train detection/hrnet_w18_cascade_mask_coco_20e --out runs/w18
    """
    return _regions("hrnet_w18", "cascade_mask", "20e")


def hrnet_w32_cascade_mask_coco_20e() -> DetectionExperiment:
    """Cascade Mask R-CNN on HRNetV2p-W32, 20 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: box AP 44.3, mask AP 38.6 on val2017.
    Command: hrnet train detection/hrnet_w32_cascade_mask_coco_20e --out runs/w32
    """
    return _regions("hrnet_w32", "cascade_mask", "20e")


def hrnet_w40_cascade_mask_coco_20e() -> DetectionExperiment:
    """Cascade Mask R-CNN on HRNetV2p-W40, 20 epochs (mmdetection).

    Published with 8 GPUs of 2 images each: box AP 45.1, mask AP 39.3 on val2017.
    Command: hrnet train detection/hrnet_w40_cascade_mask_coco_20e --out runs/w40
    """
    return _regions("hrnet_w40", "cascade_mask", "20e")


def hrnet_w18_fcos_coco_1x() -> DetectionExperiment:
    """FCOS on HRNetV2p-W18, 12 epochs (mmdetection).

    Published with 4 GPUs of 4 images each: AP 35.3 on val2017.
    Command: hrnet train detection/hrnet_w18_fcos_coco_1x --out runs/w18
    """
    return _points("hrnet_w18", "1x")


def hrnet_w18_fcos_coco_2x() -> DetectionExperiment:
    """FCOS on HRNetV2p-W18, 24 epochs (mmdetection).

    Published with 4 GPUs of 4 images each: AP 38.2 on val2017.
    Command: hrnet train detection/hrnet_w18_fcos_coco_2x --out runs/w18
    """
    return _points("hrnet_w18", "2x")


def hrnet_w18_fcos_coco_ms_2x() -> DetectionExperiment:
    """FCOS on HRNetV2p-W18, 24 epochs, two sizes (mmdetection).

    Published with 4 GPUs of 4 images each: AP 38.3 on val2017.
    Command: hrnet train detection/hrnet_w18_fcos_coco_ms_2x --out runs/w18
    """
    return _points("hrnet_w18", "2x", several=True)


def hrnet_w32_fcos_coco_1x() -> DetectionExperiment:
    """FCOS on HRNetV2p-W32, 12 epochs (mmdetection).

    Published with 4 GPUs of 4 images each: AP 39.5 on val2017.
    Command: hrnet train detection/hrnet_w32_fcos_coco_1x --out runs/w32
    """
    return _points("hrnet_w32", "1x")


def hrnet_w32_fcos_coco_2x() -> DetectionExperiment:
    """FCOS on HRNetV2p-W32, 24 epochs (mmdetection).

    Published with 4 GPUs of 4 images each: AP 40.8 on val2017.
    Command: hrnet train detection/hrnet_w32_fcos_coco_2x --out runs/w32
    """
    return _points("hrnet_w32", "2x")


def hrnet_w32_fcos_coco_ms_2x() -> DetectionExperiment:
    """FCOS on HRNetV2p-W32, 24 epochs, two sizes (mmdetection).

    Published with 4 GPUs of 4 images each: AP 41.9 on val2017.
    Command: hrnet train detection/hrnet_w32_fcos_coco_ms_2x --out runs/w32
    """
    return _points("hrnet_w32", "2x", several=True)


def hrnet_w40_fcos_coco_ms_2x() -> DetectionExperiment:
    """FCOS on HRNetV2p-W40, 24 epochs, two sizes (mmdetection).

    Published with 4 GPUs of 4 images each: AP 42.7 on val2017.
    Command: hrnet train detection/hrnet_w40_fcos_coco_ms_2x --out runs/w40
    """
    return _points("hrnet_w40", "2x", several=True)
