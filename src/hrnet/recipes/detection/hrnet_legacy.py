"""Detectors on HRNetV2p as their authors trained them, with the conventions of mmdetection 0.6.

Source: configs/hrnet and the README of https://github.com/HRNet/HRNet-Object-Detection, from which
the figures are. SGD with 0.02 for 16 pictures (published as 0.01 for 4 GPUs of 2), a linear warm-up
from a third over 500 updates, gradients clipped at 35, a tenth at epochs 8 and 11 of 12 ("1x"), 20
and 23 of 24 ("2x") or 16 and 19 of 20 ("20e"), and frozen statistics of the backbone's norms. Some,
marked so, were trained with mmdetection 1.x.

"syncbn" trains the statistics of the norms, of all processes together, on 4 GPUs of 4 images; here
with 0.02, which the README does not state. "ms" draws one of three sizes; "crop" cuts 1200x800
pixels out of one of three sizes. Figures are AP (0.5:0.95) in percent.
"""

from hrnet.recipes.detection.common import SGD, experiment
from hrnet.tasks.detection.config import (
    BoxAugmentation,
    DetectionExperiment,
    DetectionModelConfig,
)

_SCHEDULES = {"1x": (12, (8, 11)), "2x": (24, (20, 23)), "20e": (20, (16, 19))}
"""Epochs, and those at which the learning rate falls to a tenth."""

_SIZES = {
    "": BoxAugmentation(),
    "_ms": BoxAugmentation(fits=((1000, 1600), (600, 1000), (800, 1333))),
    "_crop": BoxAugmentation(fits=((600, 1400), (800, 1400), (1000, 1400)), crop=(800, 1200)),
}
"""Of training pictures, by a part of the recipe's name."""


def _frozen(variant: str, head: str, schedule: str) -> DetectionExperiment:
    return _experiment(variant, head, schedule, batch_size=8)


def _synced(variant: str, schedule: str, sizes: str = "") -> DetectionExperiment:
    return _experiment(variant, "faster", schedule, batch_size=16, sizes=sizes, syncs=True)


def _experiment(
    variant: str,
    head: str,
    schedule: str,
    *,
    batch_size: int,
    sizes: str = "",
    syncs: bool = False,
) -> DetectionExperiment:
    epochs, milestones = _SCHEDULES[schedule]
    changes: dict[str, object] = {
        "loss": "two_stage_legacy",
        "epochs": epochs,
        "milestones": milestones,
        "batch_size": batch_size,
        "lr": 0.02 * batch_size / 16,
        "warmup_factor": 1 / 3,
        "clip_norm": 35.0,
    }
    return experiment(
        variant,
        head,
        f"{'syncbn' if syncs else 'legacy'}{sizes}_{schedule}",
        SGD.model_copy(update=changes),
        model=DetectionModelConfig(variant=variant, conventions="legacy"),
        augmentation=_SIZES[sizes],
        freeze_norms=not syncs,
    )


def hrnet_w18_faster_coco_legacy_1x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W18, 12 epochs (Sun et al. 2019).

    Published with 4 GPUs of 2 images each: AP 36.1 on val2017.
    Command: hrnet train detection/hrnet_w18_faster_coco_legacy_1x --out runs/w18
    """
    return _frozen("hrnet_w18", "faster", "1x")


def hrnet_w18_faster_coco_legacy_2x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W18, 24 epochs (Sun et al. 2019).

    Published with 4 GPUs of 2 images each: AP 38.1 on val2017.
    Command: hrnet train detection/hrnet_w18_faster_coco_legacy_2x --out runs/w18
    """
    return _frozen("hrnet_w18", "faster", "2x")


def hrnet_w32_faster_coco_legacy_1x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W32, 12 epochs (Sun et al. 2019).

    Published with 4 GPUs of 2 images each: AP 39.5 on val2017.
    Command: hrnet train detection/hrnet_w32_faster_coco_legacy_1x --out runs/w32
    """
    return _frozen("hrnet_w32", "faster", "1x")


def hrnet_w32_faster_coco_legacy_2x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W32, 24 epochs (Sun et al. 2019).

    Published with 4 GPUs of 2 images each: AP 40.8 on val2017.
    Command: hrnet train detection/hrnet_w32_faster_coco_legacy_2x --out runs/w32
    """
    return _frozen("hrnet_w32", "faster", "2x")


def hrnet_w40_faster_coco_legacy_1x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W40, 12 epochs (Sun et al. 2019).

    Published with 4 GPUs of 2 images each: AP 40.4 on val2017.
    Command: hrnet train detection/hrnet_w40_faster_coco_legacy_1x --out runs/w40
    """
    return _frozen("hrnet_w40", "faster", "1x")


def hrnet_w40_faster_coco_legacy_2x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W40, 24 epochs (Sun et al. 2019).

    Published with 4 GPUs of 2 images each: AP 41.4 on val2017.
    Command: hrnet train detection/hrnet_w40_faster_coco_legacy_2x --out runs/w40
    """
    return _frozen("hrnet_w40", "faster", "2x")


def hrnet_w48_faster_coco_legacy_1x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W48, 12 epochs (mmdetection 1.x).

    Published: AP 40.9 on val2017.
    Command: hrnet train detection/hrnet_w48_faster_coco_legacy_1x --out runs/w48
    """
    return _frozen("hrnet_w48", "faster", "1x")


def hrnet_w48_faster_coco_legacy_2x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W48, 24 epochs (mmdetection 1.x).

    Published: AP 41.5 on val2017.
    Command: hrnet train detection/hrnet_w48_faster_coco_legacy_2x --out runs/w48
    """
    return _frozen("hrnet_w48", "faster", "2x")


def hrnet_w18_mask_coco_legacy_1x() -> DetectionExperiment:
    """Mask R-CNN on HRNetV2p-W18, 12 epochs (Sun et al. 2019).

    Published with 4 GPUs of 2 images each: box AP 37.3, mask AP 34.2 on val2017.
    Command: hrnet train detection/hrnet_w18_mask_coco_legacy_1x --out runs/w18
    """
    return _frozen("hrnet_w18", "mask", "1x")


def hrnet_w18_mask_coco_legacy_2x() -> DetectionExperiment:
    """Mask R-CNN on HRNetV2p-W18, 24 epochs (Sun et al. 2019).

    Published with 4 GPUs of 2 images each: box AP 39.2, mask AP 35.7 on val2017.
    Command: hrnet train detection/hrnet_w18_mask_coco_legacy_2x --out runs/w18
    """
    return _frozen("hrnet_w18", "mask", "2x")


def hrnet_w32_mask_coco_legacy_1x() -> DetectionExperiment:
    """Mask R-CNN on HRNetV2p-W32, 12 epochs (Sun et al. 2019).

    Published with 4 GPUs of 2 images each: box AP 40.7, mask AP 36.8 on val2017.
    Command: hrnet train detection/hrnet_w32_mask_coco_legacy_1x --out runs/w32
    """
    return _frozen("hrnet_w32", "mask", "1x")


def hrnet_w32_mask_coco_legacy_2x() -> DetectionExperiment:
    """Mask R-CNN on HRNetV2p-W32, 24 epochs (Sun et al. 2019).

    Published with 4 GPUs of 2 images each: box AP 42.1, mask AP 37.6 on val2017.
    Command: hrnet train detection/hrnet_w32_mask_coco_legacy_2x --out runs/w32
    """
    return _frozen("hrnet_w32", "mask", "2x")


def hrnet_w48_mask_coco_legacy_1x() -> DetectionExperiment:
    """Mask R-CNN on HRNetV2p-W48, 12 epochs (mmdetection 1.x).

    Published: box AP 42.4, mask AP 38.1 on val2017.
    Command: hrnet train detection/hrnet_w48_mask_coco_legacy_1x --out runs/w48
    """
    return _frozen("hrnet_w48", "mask", "1x")


def hrnet_w48_mask_coco_legacy_2x() -> DetectionExperiment:
    """Mask R-CNN on HRNetV2p-W48, 24 epochs (mmdetection 1.x).

    Published: box AP 42.9, mask AP 38.3 on val2017.
    Command: hrnet train detection/hrnet_w48_mask_coco_legacy_2x --out runs/w48
    """
    return _frozen("hrnet_w48", "mask", "2x")


def hrnet_w18_cascade_coco_legacy_20e() -> DetectionExperiment:
    """Cascade R-CNN on HRNetV2p-W18, 20 epochs (mmdetection 1.x).

    Published: AP 41.2 on val2017.
    Command: hrnet train detection/hrnet_w18_cascade_coco_legacy_20e --out runs/w18
    """
    return _frozen("hrnet_w18", "cascade", "20e")


def hrnet_w32_cascade_coco_legacy_20e() -> DetectionExperiment:
    """Cascade R-CNN on HRNetV2p-W32, 20 epochs (Sun et al. 2019).

    Published with 4 GPUs of 2 images each: AP 43.7 on val2017.
    Command: hrnet train detection/hrnet_w32_cascade_coco_legacy_20e --out runs/w32
    """
    return _frozen("hrnet_w32", "cascade", "20e")


def hrnet_w48_cascade_coco_legacy_20e() -> DetectionExperiment:
    """Cascade R-CNN on HRNetV2p-W48, 20 epochs (mmdetection 1.x).

    Published: AP 44.6 on val2017.
    Command: hrnet train detection/hrnet_w48_cascade_coco_legacy_20e --out runs/w48
    """
    return _frozen("hrnet_w48", "cascade", "20e")


def hrnet_w18_cascade_mask_coco_legacy_20e() -> DetectionExperiment:
    """Cascade Mask R-CNN on HRNetV2p-W18, 20 epochs (mmdetection 1.x).

    Published: box AP 41.9, mask AP 36.4 on val2017.
    Command: hrnet train detection/hrnet_w18_cascade_mask_coco_legacy_20e --out runs/w18
    """
    return _frozen("hrnet_w18", "cascade_mask", "20e")


def hrnet_w32_cascade_mask_coco_legacy_20e() -> DetectionExperiment:
    """Cascade Mask R-CNN on HRNetV2p-W32, 20 epochs (mmdetection 1.x).

    Published: box AP 44.5, mask AP 38.5 on val2017.
    Command: hrnet train detection/hrnet_w32_cascade_mask_coco_legacy_20e --out runs/w32
    """
    return _frozen("hrnet_w32", "cascade_mask", "20e")


def hrnet_w48_cascade_mask_coco_legacy_20e() -> DetectionExperiment:
    """Cascade Mask R-CNN on HRNetV2p-W48, 20 epochs (mmdetection 1.x).

    Published: box AP 46.0, mask AP 39.5 on val2017.
    Command: hrnet train detection/hrnet_w48_cascade_mask_coco_legacy_20e --out runs/w48
    """
    return _frozen("hrnet_w48", "cascade_mask", "20e")


def hrnet_w18_faster_coco_syncbn_1x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W18, 12 epochs, shared batch statistics (Sun et al. 2019).

    Published with 4 GPUs of 4 images each: AP 37.2 on val2017.
    Command: hrnet train detection/hrnet_w18_faster_coco_syncbn_1x --out runs/w18
    """
    return _synced("hrnet_w18", "1x")


def hrnet_w18_faster_coco_syncbn_ms_1x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W18, 12 epochs, shared statistics, three sizes (Sun et al. 2019).

    Published with 4 GPUs of 4 images each: AP 37.6 on val2017.
    Command: hrnet train detection/hrnet_w18_faster_coco_syncbn_ms_1x --out runs/w18
    """
    return _synced("hrnet_w18", "1x", "_ms")


def hrnet_w18_faster_coco_syncbn_ms_2x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W18, 24 epochs, shared statistics, three sizes (Sun et al. 2019).

    Published with 4 GPUs of 4 images each: AP 39.4 on val2017.
    Command: hrnet train detection/hrnet_w18_faster_coco_syncbn_ms_2x --out runs/w18
    """
    return _synced("hrnet_w18", "2x", "_ms")


def hrnet_w18_faster_coco_syncbn_crop_1x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W18, 12 epochs, shared statistics, cut pictures (Sun et al. 2019).

    Published: AP 37.6 on val2017.
    Command: hrnet train detection/hrnet_w18_faster_coco_syncbn_crop_1x --out runs/w18
    """
    return _synced("hrnet_w18", "1x", "_crop")


def hrnet_w18_faster_coco_syncbn_crop_2x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W18, 24 epochs, shared statistics, cut pictures (Sun et al. 2019).

    Published: AP 39.7 on val2017.
    Command: hrnet train detection/hrnet_w18_faster_coco_syncbn_crop_2x --out runs/w18
    """
    return _synced("hrnet_w18", "2x", "_crop")


def hrnet_w32_faster_coco_syncbn_ms_1x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W32, 12 epochs, shared statistics, three sizes (Sun et al. 2019).

    Published with 4 GPUs of 4 images each: AP 41.0 on val2017.
    Command: hrnet train detection/hrnet_w32_faster_coco_syncbn_ms_1x --out runs/w32
    """
    return _synced("hrnet_w32", "1x", "_ms")


def hrnet_w32_faster_coco_syncbn_ms_2x() -> DetectionExperiment:
    """Faster R-CNN on HRNetV2p-W32, 24 epochs, shared statistics, three sizes (Sun et al. 2019).

    Published with 4 GPUs of 4 images each: AP 42.6 on val2017.
    Command: hrnet train detection/hrnet_w32_faster_coco_syncbn_ms_2x --out runs/w32
    """
    return _synced("hrnet_w32", "2x", "_ms")
