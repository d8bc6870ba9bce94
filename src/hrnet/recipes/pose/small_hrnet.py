"""Small HRNet-W16: the baseline of Lite-HRNet's paper, and the trainings of the embedded model."""

from hrnet.recipes.pose.common import COCO_2017, experiment
from hrnet.recipes.pose.litehrnet import ON_COCO, TRAIN
from hrnet.tasks.pose.config import PoseAugmentation, PoseExperiment, PoseModelConfig, PoseTrain

_TRAIN = PoseTrain(
    epochs=100,
    optimizer="adamw",
    lr=1.5e-3,
    weight_decay=0.02,
    schedule="cosine",
    warmup_steps=200,
    loss="cross_entropy",
    ema=0.999,
    precision="bf16",
)
"""The first phase of the embedded model; the others change parts of it."""


def small_hrnet_w16_coco_256x192() -> PoseExperiment:
    """Small HRNet-W16 on COCO at 256x192, a baseline of Lite-HRNet (Yu et al. 2021).

    The schedule, augmentation and batch of that paper's own networks, 8 GPUs of 64 images each; the
    AP of 55.2 in table 3, with the boxes of a detector and flip test, is quoted from memory of the
    paper. No weights are published.
    Command: hrnet train pose/small_hrnet_w16_coco_256x192 --out runs/small
    """
    return experiment(
        "small_hrnet_w16", "coco", input_size=(256, 192), augmentation=ON_COCO, train=TRAIN
    )


def _few(input_size: tuple[int, int], sigma: float, train: PoseTrain) -> PoseExperiment:
    """Small HRNet-W16 from a few thousand persons: averaged weights, mild augmentation.

    The augmentation is milder than the published one: so few epochs could not make use of more. The
    model card has the figures.
    """
    height, width = input_size
    return PoseExperiment(
        name=f"small_hrnet_w16_few_{height}x{width}",
        model=PoseModelConfig(
            variant="small_hrnet_w16", input_size=input_size, codec="udp", sigma=sigma
        ),
        data=COCO_2017,
        augmentation=PoseAugmentation(
            scale=0.3,
            rotation_deg=30,
            half_body=0.2,
            shift=0.03,
            colour=0.2,
            sharpness=0.5,
            grey=0.03,
            cutout=0.25,
        ),
        train=train,
    )


def small_hrnet_w16_few_128x96() -> PoseExperiment:
    """First phase of the embedded model: from scratch at a quarter of the pixels.

    Two CPU cores with AVX-512 bfloat16 train about 200 crops a second, one about 120. The model
    card has the data and the metrics.
    Command: hrnet train pose/small_hrnet_w16_few_128x96 --set data.annotations=... --out runs/p1
    """
    return _few((128, 96), 1.5, _TRAIN)


def small_hrnet_w16_few_192x128() -> PoseExperiment:
    """Second phase of the embedded model: half the pixels, from the weights of the first phase.

    The learning rate stays, and the averaged weights go on to the third phase at any time. Two CPU
    cores with AVX-512 bfloat16 train about 80 crops a second.
    Command: hrnet train pose/small_hrnet_w16_few_192x128 --set data.annotations=...
    --set train.init=runs/p1 --out runs/p2
    """
    changes = {"epochs": 36, "lr": 1e-3, "schedule": "constant"}
    return _few((192, 128), 1.75, _TRAIN.model_copy(update=changes))


def small_hrnet_w16_few_256x192() -> PoseExperiment:
    """Third phase of the embedded model: full size, from the weights of the second phase.

    The same two cores train about 45 crops a second. The model card has its metrics.
    Command: hrnet train pose/small_hrnet_w16_few_256x192 --set data.annotations=...
    --set train.init=runs/p2 --out runs/p3
    """
    return _few((256, 192), 2.0, _TRAIN.model_copy(update={"epochs": 60, "lr": 1e-3}))
