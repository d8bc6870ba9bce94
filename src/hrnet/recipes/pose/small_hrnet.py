"""Small HRNet-W16: the baseline of Lite-HRNet's paper, and its training from few persons."""

from hrnet.recipes.pose.common import experiment, few
from hrnet.recipes.pose.litehrnet import ON_COCO, TRAIN
from hrnet.tasks.pose.config import PoseExperiment, PoseTrain


def _train(**changes: object) -> PoseTrain:
    """Settings of the first phase from few persons, with the changes of another one."""
    train = PoseTrain(
        epochs=100,
        optimizer="adamw",
        lr=1.5e-3,
        weight_decay=0.02,
        schedule="cosine",
        warmup_steps=200,
        loss="cross_entropy",
        ema=0.999,
        precision="auto",
    )
    return train.model_copy(update=changes)


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


def small_hrnet_w16_few_128x96() -> PoseExperiment:
    """First of three phases from few persons: from scratch at a quarter of the pixels.

    Two CPU cores with AVX-512 bfloat16 train about 200 crops a second, one about 120. The model
    card has the metrics, under the earlier versions.
    Command: hrnet train pose/small_hrnet_w16_few_128x96 --set data.annotations=... --out runs/p1
    """
    return few("small_hrnet_w16", (128, 96), codec="udp", sigma=1.5, train=_train())


def small_hrnet_w16_few_192x128() -> PoseExperiment:
    """Second of three phases: half the pixels, from the weights of the first phase.

    The learning rate stays, and the averaged weights go on to the third phase at any time. Two CPU
    cores with AVX-512 bfloat16 train about 80 crops a second.
    Command: hrnet train pose/small_hrnet_w16_few_192x128 --set data.annotations=...
    --set train.init=runs/p1 --out runs/p2
    """
    train = _train(epochs=36, lr=1e-3, schedule="constant")
    return few("small_hrnet_w16", (192, 128), codec="udp", sigma=1.75, train=train)


def small_hrnet_w16_few_256x192() -> PoseExperiment:
    """Third of three phases: full size, from the weights of the second phase.

    The same two cores train about 45 crops a second. The model card has its metrics.
    Command: hrnet train pose/small_hrnet_w16_few_256x192 --set data.annotations=...
    --set train.init=runs/p2 --out runs/p3
    """
    train = _train(epochs=60, lr=1e-3)
    return few("small_hrnet_w16", (256, 192), codec="udp", sigma=2, train=train)
