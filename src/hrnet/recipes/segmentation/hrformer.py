"""HRFormer with OCR for segmentation, as published (Yuan et al. 2021).

Source: seg/ and the README of https://github.com/HRNet/HRFormer. AdamW with 1e-4 and a weight decay
of 0.01 except for norms and position tables, a warm-up over 1500 updates and then poly, OHEM of at
least 100,000 pixels below 0.9 (0.7 on PASCAL-Context). Pictures in BGR with mean and std in RGB
order, scaled by 0.5 to 2 and stretched by 0.9 to 1.1, bicubic, with a brightness within +-10.
Published are numbers of updates; the epochs here come nearest to them.

A window other than the 7 of the ImageNet weights starts with new position tables. Figures are mIoU
in percent on the validation data, at one scale and at several with mirroring.
"""

from hrnet.config import ParameterGroup
from hrnet.recipes.segmentation.common import (
    ADE20K,
    CITYSCAPES,
    CITYSCAPES_WEIGHTS,
    COCO_STUFF,
    CONTEXT59,
    DataSet,
    experiment,
)
from hrnet.spec import NetworkOptions
from hrnet.tasks.segmentation.config import (
    MaskAugmentation,
    SegmentationExperiment,
    SegmentationModelConfig,
    SegmentationTrain,
)

_DECAY = 0.01

_UPDATES = {CITYSCAPES: 80_000, CONTEXT59: 60_000, COCO_STUFF: 60_000, ADE20K: 150_000}
_BATCH = {CITYSCAPES: 8, CONTEXT59: 16, COCO_STUFF: 16, ADE20K: 8}

_ADAMW = SegmentationTrain(
    loss="ohem_hrformer",
    optimizer="adamw",
    lr=1e-4,
    weight_decay=_DECAY,
    groups=(
        ParameterGroup(pattern="*norm*", weight_decay=0),
        ParameterGroup(pattern="*relative_position*", weight_decay=0),
        ParameterGroup(pattern="*", weight_decay=_DECAY),
    ),
    schedule_floor=0,
    schedule_after_warmup=True,
    warmup_steps=1500,
    warmup_factor=1e-6,
    aux_weight=0.4,
    ohem_keep=100_000,
    init_head=False,
)


def _ocr(
    variant: str, data: DataSet, *, window: int | None = None, drop_path: float | None = None
) -> SegmentationExperiment:
    """Return the training of a variant on a data set; window: of the attention, None for 7."""
    cityscapes = data is CITYSCAPES
    ending = f"_window{window}" if window else ""
    model = SegmentationModelConfig(
        variant=variant,
        options=NetworkOptions(head="ocr", align_corners=True, window=window, drop_path=drop_path),
        input_size=(512, 1024) if cityscapes else (512, 512),
        conventions="hrformer",
        short_side=None if cityscapes else 520,
        pad_to=1 if cityscapes else 8,
        window=None,
        channels="bgr",
    )
    batch_size = _BATCH[data]
    changes = {
        "epochs": data.epochs(_UPDATES[data], batch_size),
        "batch_size": batch_size,
        "ohem_threshold": 0.7 if data is CONTEXT59 else 0.9,
        "class_weights": CITYSCAPES_WEIGHTS if cityscapes else (),
    }
    return experiment(
        data,
        f"{variant}_ocr_{data.name}{ending}",
        model=model,
        augmentation=MaskAugmentation(
            crop=(512, 1024) if cityscapes else (520, 520), aspect=(0.9, 1.1), brightness=10
        ),
        train=_ADAMW.model_copy(update=changes),
    )


def hrformer_small_ocr_cityscapes() -> SegmentationExperiment:
    """HRFormer-S with OCR on Cityscapes (Yuan et al. 2021).

    Published: mIoU 80.0, several scales 81.0.
    Command: hrnet train segmentation/hrformer_small_ocr_cityscapes --out runs/hrt
    """
    return _ocr("hrformer_small", CITYSCAPES)


def hrformer_base_ocr_cityscapes() -> SegmentationExperiment:
    """HRFormer-B with OCR on Cityscapes (Yuan et al. 2021).

    Published: mIoU 81.4, several scales 82.0.
    Command: hrnet train segmentation/hrformer_base_ocr_cityscapes --out runs/hrt
    """
    return _ocr("hrformer_base", CITYSCAPES, drop_path=0.4)


def hrformer_base_ocr_cityscapes_window15() -> SegmentationExperiment:
    """HRFormer-B with OCR on Cityscapes, windows of 15 tokens (Yuan et al. 2021).

    Published: mIoU 81.9, several scales 82.6.
    Command: hrnet train segmentation/hrformer_base_ocr_cityscapes_window15 --out runs/hrt
    """
    return _ocr("hrformer_base", CITYSCAPES, window=15, drop_path=0.4)


def hrformer_small_ocr_pascal_context59() -> SegmentationExperiment:
    """HRFormer-S with OCR on PASCAL-Context, 59 classes (Yuan et al. 2021).

    Published: mIoU 53.8, several scales 54.6.
    Command: hrnet train segmentation/hrformer_small_ocr_pascal_context59 --out runs/hrt
    """
    return _ocr("hrformer_small", CONTEXT59)


def hrformer_base_ocr_pascal_context59() -> SegmentationExperiment:
    """HRFormer-B with OCR on PASCAL-Context, 59 classes (Yuan et al. 2021).

    Published: mIoU 56.3, several scales 57.1.
    Command: hrnet train segmentation/hrformer_base_ocr_pascal_context59 --out runs/hrt
    """
    return _ocr("hrformer_base", CONTEXT59)


def hrformer_base_ocr_pascal_context59_window15() -> SegmentationExperiment:
    """HRFormer-B with OCR on PASCAL-Context, 59 classes, windows of 15 tokens (Yuan et al. 2021).

    Published: mIoU 57.6, several scales 58.5.
    Command: hrnet train segmentation/hrformer_base_ocr_pascal_context59_window15 --out runs/hrt
    """
    return _ocr("hrformer_base", CONTEXT59, window=15, drop_path=0.3)


def hrformer_small_ocr_cocostuff() -> SegmentationExperiment:
    """HRFormer-S with OCR on COCO-Stuff 10k (Yuan et al. 2021).

    Published: mIoU 37.9, several scales 38.9.
    Command: hrnet train segmentation/hrformer_small_ocr_cocostuff --out runs/hrt
    """
    return _ocr("hrformer_small", COCO_STUFF)


def hrformer_base_ocr_cocostuff() -> SegmentationExperiment:
    """HRFormer-B with OCR on COCO-Stuff 10k (Yuan et al. 2021).

    Published: mIoU 41.6, several scales 42.5.
    Command: hrnet train segmentation/hrformer_base_ocr_cocostuff --out runs/hrt
    """
    return _ocr("hrformer_base", COCO_STUFF)


def hrformer_base_ocr_cocostuff_window15() -> SegmentationExperiment:
    """HRFormer-B with OCR on COCO-Stuff 10k, windows of 15 tokens (Yuan et al. 2021).

    Published: mIoU 42.4, several scales 43.3.
    Command: hrnet train segmentation/hrformer_base_ocr_cocostuff_window15 --out runs/hrt
    """
    return _ocr("hrformer_base", COCO_STUFF, window=15)


def hrformer_small_ocr_ade20k() -> SegmentationExperiment:
    """HRFormer-S with OCR on ADE20K (Yuan et al. 2021).

    Published: mIoU 44.0, several scales 45.1.
    Command: hrnet train segmentation/hrformer_small_ocr_ade20k --out runs/hrt
    """
    return _ocr("hrformer_small", ADE20K)


def hrformer_base_ocr_ade20k() -> SegmentationExperiment:
    """HRFormer-B with OCR on ADE20K (Yuan et al. 2021).

    Published: mIoU 46.3, several scales 47.6.
    Command: hrnet train segmentation/hrformer_base_ocr_ade20k --out runs/hrt
    """
    return _ocr("hrformer_base", ADE20K)


def hrformer_base_ocr_ade20k_window13() -> SegmentationExperiment:
    """HRFormer-B with OCR on ADE20K, windows of 13 tokens (Yuan et al. 2021).

    Published: mIoU 48.7, several scales 50.0.
    Command: hrnet train segmentation/hrformer_base_ocr_ade20k_window13 --out runs/hrt
    """
    return _ocr("hrformer_base", ADE20K, window=13)
