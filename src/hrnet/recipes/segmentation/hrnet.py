"""HRNetV2 for segmentation, plain and with OCR, as the authors trained it.

Source: experiments/ and the READMEs of https://github.com/HRNet/HRNet-Semantic-Segmentation,
branches HRNet-OCR, pytorch-v1.1 and master. SGD with a momentum of 0.9, poly, and a weight decay of
all parameters; windows of pictures that are scaled by 0.5, 0.6, ... 2.1 (1.6 for LIP and for plain
HRNetV2 on ADE20K). `align_corners` is that of the configuration files; the README of HRNet-OCR
has plain HRNetV2 on Cityscapes, LIP and PASCAL-Context with it too, so weights must say.

Unlike there the learning rate of a step is that of the step and not of the one before, the loss of
several GPUs is the mean over all pixels and not the mean of their means, and filled pixels of
PASCAL-Context are ignored and not trained as class 0. Not here: trainings on train and val together
with a second schedule (EXTRA_EPOCH). Figures are mIoU in percent on the validation data; "several
scales" are 0.5 to 2 (Cityscapes 1.75), with mirroring.
"""

from hrnet.recipes.segmentation.common import (
    ADE20K,
    CITYSCAPES,
    CITYSCAPES_WEIGHTS,
    COCO_STUFF,
    CONTEXT59,
    CONTEXT60,
    LIP,
    DataSet,
    decayed,
    experiment,
)
from hrnet.spec import NetworkOptions
from hrnet.tasks.segmentation.config import (
    MaskAugmentation,
    SegmentationExperiment,
    SegmentationModelConfig,
    SegmentationTrain,
)

_SGD = SegmentationTrain(
    optimizer="sgd",
    schedule_floor=0,
    init_head=False,
    ohem_threshold=0.9,
    ohem_keep=131_072,
    aux_weight=0.4,
)


def _train(
    epochs: int,
    *,
    lr: float,
    decay: float,
    batch_size: int = 16,
    loss: str = "cross_entropy",
    head: float = 1.0,
    weights: tuple[float, ...] = (),
) -> SegmentationTrain:
    changes = {
        "epochs": epochs,
        "lr": lr,
        "batch_size": batch_size,
        "loss": loss,
        "class_weights": weights,
        **decayed(decay, head=head),
    }
    return _SGD.model_copy(update=changes)


def _windows(height: int, width: int, most: float = 2.1) -> MaskAugmentation:
    return MaskAugmentation(crop=(height, width), scale=(0.5, most), scale_step=0.1)


def _options(head: str, *, align: bool) -> NetworkOptions:
    return NetworkOptions(head=head, align_corners=align)


def _cityscapes(
    variant: str, head: str, *, loss: str = "cross_entropy", ending: str = ""
) -> SegmentationExperiment:
    """Return a training on Cityscapes, for predictions on whole pictures."""
    name = f"{variant}_{head}" if head != "v2" else variant
    model = SegmentationModelConfig(
        variant=variant,
        options=_options(head, align=head == "ocr"),
        input_size=(512, 1024),
        conventions="hrnet",
        pad_to=1,
        long_side=2048,
        window=(1024, 2048),
    )
    return experiment(
        CITYSCAPES,
        f"{name}_cityscapes{ending}",
        model=model,
        augmentation=_windows(512, 1024),
        train=_train(
            484, lr=0.01, decay=5e-4, batch_size=12, loss=loss, weights=CITYSCAPES_WEIGHTS
        ),
    )


def _lip(head: str) -> SegmentationExperiment:
    """Return a training on LIP, whose pictures lose their ratio."""
    model = SegmentationModelConfig(
        variant="hrnet_w48",
        options=_options(head, align=head == "ocr"),
        input_size=(480, 480),
        conventions="hrnet",
        exact=(473, 473),
        pad_to=1,
        long_side=473,
        window=(473, 473),
        tiling="padded",
    )
    return experiment(
        LIP,
        "hrnet_w48_ocr_lip" if head == "ocr" else "hrnet_w48_lip",
        model=model,
        augmentation=_windows(473, 473, most=1.6),
        train=_train(150, lr=0.007, decay=5e-4, batch_size=40),
    )


def _from_520(
    data: DataSet,
    head: str,
    train: SegmentationTrain,
    *,
    align: bool = True,
    crop: int = 520,
    most: float = 2.1,
    ending: str = "",
) -> SegmentationExperiment:
    """Return a training on pictures with a short side of 520, then a long side of 520 * scale."""
    model = SegmentationModelConfig(
        variant="hrnet_w48",
        options=_options(head, align=align),
        input_size=(512, 512) if crop == 520 else (480, 480),
        conventions="hrnet",
        short_side=520,
        pad_to=8,
        keep_padding=data is ADE20K,
        long_side=520,
        window=(crop, crop),
        tiling="padded",
    )
    name = f"hrnet_w48_ocr_{data.name}" if head == "ocr" else f"hrnet_w48_{data.name}"
    return experiment(
        data,
        name + ending,
        model=model,
        augmentation=_windows(crop, crop, most),
        train=train,
    )


def _context(
    data: DataSet, head: str, *, crop: int = 520, ending: str = ""
) -> SegmentationExperiment:
    """Return a training on PASCAL-Context; that with 480 is of pytorch-v1.1."""
    newer = crop == 520
    train = _train(200, lr=0.001 if newer else 0.004, decay=1e-4, head=10 if newer else 1)
    return _from_520(data, head, train, align=head == "ocr", crop=crop, ending=ending)


def _stuff(head: str, *, loss: str = "ohem", ending: str = "") -> SegmentationExperiment:
    train = _train(110, lr=0.001, decay=1e-4, loss=loss, head=10)
    return _from_520(COCO_STUFF, head, train, ending=ending)


def _ade(head: str) -> SegmentationExperiment:
    train = _train(120, lr=0.02, decay=1e-4, loss="ohem")
    return _from_520(ADE20K, head, train, most=2.1 if head == "ocr" else 1.6)


def hrnet_w48_cityscapes() -> SegmentationExperiment:
    """HRNetV2-W48 on Cityscapes (Sun et al. 2019).

    Published: mIoU 80.9, or 81.1 (pytorch-v1.1).
    Command: hrnet train segmentation/hrnet_w48_cityscapes --out runs/w48
    """
    return _cityscapes("hrnet_w48", "v2")


def hrnet_w48_cityscapes_ohem() -> SegmentationExperiment:
    """HRNetV2-W48 on Cityscapes with OHEM (master).

    Published: mIoU 81.2.
    Command: hrnet train segmentation/hrnet_w48_cityscapes_ohem --out runs/w48
    """
    return _cityscapes("hrnet_w48", "v2", loss="ohem", ending="_ohem")


def hrnet_w48_ocr_cityscapes() -> SegmentationExperiment:
    """HRNetV2-W48 with OCR on Cityscapes (Yuan et al. 2020).

    Published: mIoU 81.6.
    Command: hrnet train segmentation/hrnet_w48_ocr_cityscapes --out runs/w48
    """
    return _cityscapes("hrnet_w48", "ocr")


def hrnet_w18_small_v1_cityscapes() -> SegmentationExperiment:
    """HRNetV2-W18 small v1 on Cityscapes (pytorch-v1.1).

    Published: mIoU 70.3.
    Command: hrnet train segmentation/hrnet_w18_small_v1_cityscapes --out runs/w18
    """
    return _cityscapes("hrnet_w18_small_v1", "v2")


def hrnet_w18_small_v2_cityscapes() -> SegmentationExperiment:
    """HRNetV2-W18 small v2 on Cityscapes (pytorch-v1.1).

    Published: mIoU 76.2.
    Command: hrnet train segmentation/hrnet_w18_small_v2_cityscapes --out runs/w18
    """
    return _cityscapes("hrnet_w18_small_v2", "v2")


def hrnet_w48_lip() -> SegmentationExperiment:
    """HRNetV2-W48 on LIP, parts of persons (Sun et al. 2019).

    Published: mIoU 55.83, mirrored too.
    Command: hrnet train segmentation/hrnet_w48_lip --out runs/w48
    """
    return _lip("v2")


def hrnet_w48_ocr_lip() -> SegmentationExperiment:
    """HRNetV2-W48 with OCR on LIP (Yuan et al. 2020).

    Published: mIoU 56.48, mirrored too.
    Command: hrnet train segmentation/hrnet_w48_ocr_lip --out runs/w48
    """
    return _lip("ocr")


def hrnet_w48_pascal_context59() -> SegmentationExperiment:
    """HRNetV2-W48 on PASCAL-Context, 59 classes.

    Published: mIoU 54.1, several scales.
    Command: hrnet train segmentation/hrnet_w48_pascal_context59 --out runs/w48
    """
    return _context(CONTEXT59, "v2")


def hrnet_w48_ocr_pascal_context59() -> SegmentationExperiment:
    """HRNetV2-W48 with OCR on PASCAL-Context, 59 classes (Yuan et al. 2020).

    Published: mIoU 56.2, several scales.
    Command: hrnet train segmentation/hrnet_w48_ocr_pascal_context59 --out runs/w48
    """
    return _context(CONTEXT59, "ocr")


def hrnet_w48_ocr_pascal_context60() -> SegmentationExperiment:
    """HRNetV2-W48 with OCR on PASCAL-Context, 60 classes (Yuan et al. 2020).

    Published: mIoU 50.1, several scales.
    Command: hrnet train segmentation/hrnet_w48_ocr_pascal_context60 --out runs/w48
    """
    return _context(CONTEXT60, "ocr")


def hrnet_w48_pascal_context59_480() -> SegmentationExperiment:
    """HRNetV2-W48 on PASCAL-Context, 59 classes, windows of 480 (Sun et al. 2019).

    Published: mIoU 54.1, several scales.
    Command: hrnet train segmentation/hrnet_w48_pascal_context59_480 --out runs/w48
    """
    return _context(CONTEXT59, "v2", crop=480, ending="_480")


def hrnet_w48_pascal_context60_480() -> SegmentationExperiment:
    """HRNetV2-W48 on PASCAL-Context, 60 classes, windows of 480 (Sun et al. 2019).

    Published: mIoU 48.3, several scales.
    Command: hrnet train segmentation/hrnet_w48_pascal_context60_480 --out runs/w48
    """
    return _context(CONTEXT60, "v2", crop=480, ending="_480")


def hrnet_w48_cocostuff() -> SegmentationExperiment:
    """HRNetV2-W48 on COCO-Stuff 10k, 171 classes, with OHEM.

    Published: mIoU 36.2, several scales 37.9.
    Command: hrnet train segmentation/hrnet_w48_cocostuff --out runs/w48
    """
    return _stuff("v2")


def hrnet_w48_ocr_cocostuff() -> SegmentationExperiment:
    """HRNetV2-W48 with OCR on COCO-Stuff 10k, with OHEM (Yuan et al. 2020).

    Published: mIoU 39.7, several scales 40.6.
    Command: hrnet train segmentation/hrnet_w48_ocr_cocostuff --out runs/w48
    """
    return _stuff("ocr")


def hrnet_w48_ade20k() -> SegmentationExperiment:
    """HRNetV2-W48 on ADE20K, 150 classes, with OHEM.

    Published: mIoU 43.1, several scales 44.2.
    Command: hrnet train segmentation/hrnet_w48_ade20k --out runs/w48
    """
    return _ade("v2")


def hrnet_w48_ocr_ade20k() -> SegmentationExperiment:
    """HRNetV2-W48 with OCR on ADE20K, with OHEM (Yuan et al. 2020).

    Published: mIoU 44.5, several scales 45.5.
    Command: hrnet train segmentation/hrnet_w48_ocr_ade20k --out runs/w48
    """
    return _ade("ocr")
