"""HRFormer for ImageNet classification, as published (Yuan et al. 2021); needs `hrnet[timm]`.

Source: cls/ and the README of https://github.com/HRNet/HRFormer. AdamW with 5e-4 for a batch of
512, so 1e-3 for 8 GPUs of 128 images, a weight decay of 0.05 of all but one-dimensional parameters
and position tables, gradients clipped at a norm of 5, 20 epochs of warm-up and a cosine over 300.
RandAugment, random erasing, mixup or CutMix on each batch, and label smoothing within the mixed
targets, all by timm. Tested on the centre of pictures with a short side of 256, bicubic.

Deviations: the schedule moves with each update and not with each epoch; it ends at 0.1% of the
learning rate, published are 1%; during the warm-up it is multiplied by the cosine, which is above
0.989 there.
"""

from hrnet.recipes.classification.common import IMAGENET, ON_IMAGENET, PICTURES
from hrnet.tasks.classification.config import (
    ClassAugmentation,
    ClassificationExperiment,
    ClassificationModelConfig,
    ClassTrain,
)

_BATCH = 1024

_AUGMENTATION = ClassAugmentation(
    randaugment="rand-m9-mstd0.5-inc1", erasing=0.25, mixup=0.8, cutmix=1.0
)

_TRAIN = ClassTrain(
    epochs=300,
    batch_size=_BATCH,
    optimizer="adamw",
    lr=5e-4 * _BATCH / 512,
    weight_decay=0.05,
    clip_norm=5.0,
    schedule="cosine",
    warmup_steps=20 * (PICTURES // _BATCH),
    label_smoothing=0.1,
)


def _imagenet(variant: str) -> ClassificationExperiment:
    return ClassificationExperiment(
        name=f"{variant}_imagenet_224x224",
        model=ClassificationModelConfig(variant=variant, interpolation="bicubic"),
        data=IMAGENET,
        augmentation=_AUGMENTATION,
        train=_TRAIN,
        run=ON_IMAGENET,
    )


def hrformer_tiny_imagenet_224x224() -> ClassificationExperiment:
    """HRFormer-T on ImageNet (Yuan et al. 2021).

    Published: top-1 78.6, top-5 94.2 on the validation data, single crop.
    Command: hrnet train classification/hrformer_tiny_imagenet_224x224 --out runs/hrformer_t
    """
    return _imagenet("hrformer_tiny")


def hrformer_small_imagenet_224x224() -> ClassificationExperiment:
    """HRFormer-S on ImageNet (Yuan et al. 2021).

    Published: top-1 81.2, top-5 95.6 on the validation data, single crop.
    Command: hrnet train classification/hrformer_small_imagenet_224x224 --out runs/hrformer_s
    """
    return _imagenet("hrformer_small")


def hrformer_base_imagenet_224x224() -> ClassificationExperiment:
    """HRFormer-B on ImageNet, with the variant's drop path of 0.2 (Yuan et al. 2021).

    Published: top-1 82.8, top-5 96.3 on the validation data, single crop.
    Command: hrnet train classification/hrformer_base_imagenet_224x224 --out runs/hrformer_b
    """
    return _imagenet("hrformer_base")
