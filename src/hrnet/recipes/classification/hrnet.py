"""HRNet for ImageNet classification, as published (Wang et al. 2020).

Source: experiments/*.yaml and the README of https://github.com/HRNet/HRNet-Image-Classification.
SGD with Nesterov's momentum, 0.05 for a batch of 128 (4 GPUs of 32 images), a tenth at epochs 30,
60 and 90 of 100, and a weight decay of 1e-4 of all parameters, norms and biases too. The authors'
code steps the schedule at the start of an epoch; under torch 1.1 or later each drop comes an epoch
early there, not here. Crops of 224x224 of random size and place, mirrored by half; tested on the
centre of pictures with a short side of 256, bilinear.

Published accuracies are of the authors' decoder, which ignores EXIF; here pictures are upright.
The ssld weights (81.2 and 83.6) were distilled from a larger network and have no recipe here.
"""

from hrnet.config import ParameterGroup
from hrnet.recipes.classification.common import IMAGENET, ON_IMAGENET
from hrnet.tasks.classification.config import (
    ClassAugmentation,
    ClassificationExperiment,
    ClassificationModelConfig,
    ClassTrain,
)

_DECAY = 1e-4

_TRAIN = ClassTrain(
    epochs=100,
    batch_size=128,
    optimizer="sgd",
    lr=0.05,
    momentum=0.9,
    nesterov=True,
    weight_decay=_DECAY,
    groups=(ParameterGroup(pattern="*", weight_decay=_DECAY),),
    milestones=(30, 60, 90),
)


def _imagenet(variant: str) -> ClassificationExperiment:
    return ClassificationExperiment(
        name=f"{variant}_imagenet_224x224",
        model=ClassificationModelConfig(variant=variant),
        data=IMAGENET,
        train=_TRAIN,
        run=ON_IMAGENET,
    )


def _cutmix(variant: str) -> ClassificationExperiment:
    """CutMix with Beta(1, 1) on every batch, and a cosine over 300 epochs.

    The authors publish weights and accuracies of these trainings, no settings; those of the CutMix
    paper are taken (Yun et al. 2019).
    """
    usual = _imagenet(variant)
    return usual.model_copy(
        update={
            "name": f"{variant}_imagenet_cutmix_224x224",
            "augmentation": ClassAugmentation(cutmix=1.0),
            "train": _TRAIN.model_copy(update={"epochs": 300, "schedule": "cosine"}),
        }
    )


def hrnet_w18_small_v1_imagenet_224x224() -> ClassificationExperiment:
    """HRNet-W18-C-Small-v1 on ImageNet (Wang et al. 2020).

    Published: top-1 72.3, top-5 90.7 on the validation data, single crop.
    Command: hrnet train classification/hrnet_w18_small_v1_imagenet_224x224 --out runs/w18_small_v1
    """
    return _imagenet("hrnet_w18_small_v1")


def hrnet_w18_small_v2_imagenet_224x224() -> ClassificationExperiment:
    """HRNet-W18-C-Small-v2 on ImageNet (Wang et al. 2020).

    Published: top-1 75.1, top-5 92.4 on the validation data, single crop.
    Command: hrnet train classification/hrnet_w18_small_v2_imagenet_224x224 --out runs/w18_small_v2
    """
    return _imagenet("hrnet_w18_small_v2")


def hrnet_w18_imagenet_224x224() -> ClassificationExperiment:
    """HRNet-W18-C on ImageNet (Wang et al. 2020).

    Published: top-1 76.8, top-5 93.4 on the validation data, single crop.
    Command: hrnet train classification/hrnet_w18_imagenet_224x224 --out runs/w18
    """
    return _imagenet("hrnet_w18")


def hrnet_w30_imagenet_224x224() -> ClassificationExperiment:
    """HRNet-W30-C on ImageNet (Wang et al. 2020).

    Published: top-1 78.2, top-5 94.2 on the validation data, single crop.
    Command: hrnet train classification/hrnet_w30_imagenet_224x224 --out runs/w30
    """
    return _imagenet("hrnet_w30")


def hrnet_w32_imagenet_224x224() -> ClassificationExperiment:
    """HRNet-W32-C on ImageNet (Wang et al. 2020).

    Published: top-1 78.5, top-5 94.2 on the validation data, single crop.
    Command: hrnet train classification/hrnet_w32_imagenet_224x224 --out runs/w32
    """
    return _imagenet("hrnet_w32")


def hrnet_w40_imagenet_224x224() -> ClassificationExperiment:
    """HRNet-W40-C on ImageNet (Wang et al. 2020).

    Published: top-1 78.9, top-5 94.5 on the validation data, single crop.
    Command: hrnet train classification/hrnet_w40_imagenet_224x224 --out runs/w40
    """
    return _imagenet("hrnet_w40")


def hrnet_w44_imagenet_224x224() -> ClassificationExperiment:
    """HRNet-W44-C on ImageNet (Wang et al. 2020).

    Published: top-1 78.9, top-5 94.4 on the validation data, single crop.
    Command: hrnet train classification/hrnet_w44_imagenet_224x224 --out runs/w44
    """
    return _imagenet("hrnet_w44")


def hrnet_w48_imagenet_224x224() -> ClassificationExperiment:
    """HRNet-W48-C on ImageNet (Wang et al. 2020).

    Published: top-1 79.3, top-5 94.5 on the validation data, single crop.
    Command: hrnet train classification/hrnet_w48_imagenet_224x224 --out runs/w48
    """
    return _imagenet("hrnet_w48")


def hrnet_w64_imagenet_224x224() -> ClassificationExperiment:
    """HRNet-W64-C on ImageNet (Wang et al. 2020).

    Published: top-1 79.5, top-5 94.6 on the validation data, single crop.
    Command: hrnet train classification/hrnet_w64_imagenet_224x224 --out runs/w64
    """
    return _imagenet("hrnet_w64")


def hrnet_w18_imagenet_cutmix_224x224() -> ClassificationExperiment:
    """HRNet-W18-C on ImageNet with CutMix and a cosine over 300 epochs; needs `hrnet[timm]`.

    Published: top-1 77.9 on the validation data, single crop.
    Command: hrnet train classification/hrnet_w18_imagenet_cutmix_224x224 --out runs/w18_cutmix
    """
    return _cutmix("hrnet_w18")


def hrnet_w48_imagenet_cutmix_224x224() -> ClassificationExperiment:
    """HRNet-W48-C on ImageNet with CutMix and a cosine over 300 epochs; needs `hrnet[timm]`.

    Published: top-1 81.1 on the validation data, single crop.
    Command: hrnet train classification/hrnet_w48_imagenet_cutmix_224x224 --out runs/w48_cutmix
    """
    return _cutmix("hrnet_w48")
