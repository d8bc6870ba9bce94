"""Recipes for pose. All expect COCO 2017 in data/coco/; change it with `--set data.images=...`."""

from pathlib import Path

from hrnet.config import DataConfig, Experiment, ModelConfig, TrainConfig
from hrnet.data.augment import Augmentation

_COCO = Path("data/coco")

COCO_2017 = DataConfig(
    annotations=_COCO / "annotations/person_keypoints_train2017.json",
    images=_COCO / "train2017",
    val_annotations=_COCO / "annotations/person_keypoints_val2017.json",
    val_images=_COCO / "val2017",
)


def _published(variant: str, input_size: tuple[int, int], sigma: float) -> Experiment:
    """The training of Sun et al. 2019: Adam without weight decay, 210 epochs, total batch 128."""
    height, width = input_size
    return Experiment(
        name=f"{variant}_coco_{height}x{width}",
        model=ModelConfig(variant=variant, input_size=input_size, sigma=sigma),
        data=COCO_2017,
        train=TrainConfig(epochs=210, batch_size=128, lr=1e-3, milestones=(170, 200)),
    )


def hrnet_w32_coco_256x192() -> Experiment:
    """HRNet-W32 at 256x192 (Sun et al. 2019, table 1).

    Published with 4 GPUs of 32 images each, from ImageNet weights: AP 74.4 with detected boxes and
    flip test. From scratch the paper gives 73.4.
    Command: hrnet train pose/hrnet_w32_coco_256x192 --out runs/w32
    """
    return _published("hrnet_w32", (256, 192), sigma=2)


def hrnet_w32_coco_384x288() -> Experiment:
    """HRNet-W32 at 384x288 (Sun et al. 2019, table 1).

    Published with 4 GPUs of 32 images each, from ImageNet weights: AP 75.8 with detected boxes and
    flip test.
    Command: hrnet train pose/hrnet_w32_coco_384x288 --out runs/w32_384
    """
    return _published("hrnet_w32", (384, 288), sigma=3)


def hrnet_w48_coco_256x192() -> Experiment:
    """HRNet-W48 at 256x192 (Sun et al. 2019, table 1).

    Published with 4 GPUs of 32 images each, from ImageNet weights: AP 75.1 with detected boxes and
    flip test.
    Command: hrnet train pose/hrnet_w48_coco_256x192 --out runs/w48
    """
    return _published("hrnet_w48", (256, 192), sigma=2)


def hrnet_w48_coco_384x288() -> Experiment:
    """HRNet-W48 at 384x288 (Sun et al. 2019, table 1).

    Published with 4 GPUs of 24 images each, from ImageNet weights: AP 76.3 with detected boxes and
    flip test. The batch is 96 for that reason.
    Command: hrnet train pose/hrnet_w48_coco_384x288 --out runs/w48_384
    """
    experiment = _published("hrnet_w48", (384, 288), sigma=3)
    train = experiment.train.model_copy(update={"batch_size": 96})
    return experiment.model_copy(update={"train": train})


def small_hrnet_w16_coco_256x192() -> Experiment:
    """Small HRNet-W16 on all of COCO, the baseline of table 3 in Lite-HRNet (Yu et al. 2021).

    The schedule, augmentation and batch of that paper's own networks; its AP of 55.2 is quoted
    from memory of the paper and was not measured here.
    Command: hrnet train pose/small_hrnet_w16_coco_256x192 --out runs/small
    """
    return Experiment(
        name="small_hrnet_w16_coco_256x192",
        model=ModelConfig(variant="small_hrnet_w16"),
        data=COCO_2017,
        augmentation=Augmentation(scale=0.25, rotation_deg=30),
        train=TrainConfig(epochs=210, batch_size=512, lr=2e-3, warmup_steps=500),
    )


def _few(input_size: tuple[int, int], sigma: float, train: TrainConfig) -> Experiment:
    """Small HRNet-W16 from a few thousand persons: cross-entropy, UDP, averaged weights."""
    height, width = input_size
    return Experiment(
        name=f"small_hrnet_w16_few_{height}x{width}",
        model=ModelConfig(
            variant="small_hrnet_w16", input_size=input_size, codec="udp", sigma=sigma
        ),
        data=COCO_2017,
        augmentation=Augmentation(scale=0.25, rotation_deg=30, half_body=0.15),
        train=train,
    )


def small_hrnet_w16_few_128x96() -> Experiment:
    """First phase of the embedded model: from scratch at a quarter of the pixels.

    Two CPU cores with AVX-512 bfloat16 train about 150 crops a second.
    Command: hrnet train pose/small_hrnet_w16_few_128x96 --set data.annotations=... --out runs/p1
    """
    train = TrainConfig(
        epochs=36,
        optimizer="adamw",
        lr=2e-3,
        weight_decay=0.02,
        schedule="cosine",
        warmup_steps=200,
        loss="cross_entropy",
        ema=0.998,
        precision="bf16",
    )
    return _few((128, 96), 1.5, train)


def small_hrnet_w16_few_256x192() -> Experiment:
    """Second phase of the embedded model: full size, from the weights of the first phase.

    The same two cores train about 50 crops a second. The model card says what it reached.
    Command: hrnet train pose/small_hrnet_w16_few_256x192 --set data.annotations=...
    --set train.init=runs/p1/last.safetensors --out runs/p2
    """
    first = small_hrnet_w16_few_128x96().train
    train = first.model_copy(update={"epochs": 22, "lr": 1e-3, "ema": 0.999})
    return _few((256, 192), 2.0, train)
