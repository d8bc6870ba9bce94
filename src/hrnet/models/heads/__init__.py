"""The heads of all tasks: one record for each task and name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from hrnet.models.heads.classification import ClassificationHead
from hrnet.models.heads.fcos import FCOSHead
from hrnet.models.heads.heatmap import HeatmapHead
from hrnet.models.heads.light import LightHead
from hrnet.models.heads.ocr import OCRHead
from hrnet.models.heads.pyramid import PyramidHead
from hrnet.models.heads.streams import JoinedHead
from hrnet.models.heads.two_stage import TwoStageHead


@dataclass(frozen=True, slots=True)
class OutputCount:
    """The number of outputs of a head: the usual one, and the largest one that is accepted."""

    usual: int
    most: int


KEYPOINTS = OutputCount(usual=17, most=10_000)
"""17 as in COCO."""
PIXEL_CLASSES = OutputCount(usual=19, most=1_000_000)
"""19 as in Cityscapes."""
IMAGE_CLASSES = OutputCount(usual=1000, most=1_000_000)
"""1000 as in ImageNet."""
BOX_CLASSES = OutputCount(usual=80, most=100_000)
"""80 as in COCO, without the background."""


@dataclass(frozen=True, slots=True)
class Head:
    """One kind of head.

    make: (channels, num_outputs, align_corners) builds it for streams of these channels, from
        the highest to the lowest resolution.
    outputs: its number of outputs; None for a head that has no such number, whose `make` gets 0.
    num_streams: number of streams that it reads, from the highest down; None reads all.
    align_corners: the usual choice where it resizes streams.
    he_init: True draws the network's convolutions after He et al. 2015 (fan out), False from
        N(0, 0.001); a head that is a `DrawnModule` draws its own in place of these.
    """

    make: Callable[[tuple[int, ...], int, bool], nn.Module]
    outputs: OutputCount | None
    num_streams: int | None = None
    align_corners: bool = True
    he_init: bool = False


HeadKey = tuple[str, str | None]
"""Task and name of a head; the name is None where a task has only one."""


def _joined(channels: tuple[int, ...], count: int, align: bool) -> nn.Module:
    return JoinedHead(channels, count, align_corners=align)


def _two_stage(*, stages: int = 1, masks: bool = False) -> Head:
    """Describe a detector of two stages; with several `stages` of boxes it is a cascade."""

    def make(channels: tuple[int, ...], count: int, _: bool) -> nn.Module:
        return TwoStageHead(channels, count, stages=stages, masks=masks)

    return Head(make, BOX_CLASSES, he_init=True)


HEADS: Mapping[HeadKey, Head] = {
    ("pose", "v1"): Head(
        lambda channels, count, _: HeatmapHead(channels[0], count), KEYPOINTS, num_streams=1
    ),
    # The published V2 heads for pose (mmpose) do not align corners.
    ("pose", "v2"): Head(_joined, KEYPOINTS, align_corners=False),
    ("segmentation", "v2"): Head(_joined, PIXEL_CLASSES),
    ("segmentation", "ocr"): Head(
        lambda channels, count, align: OCRHead.for_hrnet(channels, count, align_corners=align),
        PIXEL_CLASSES,
    ),
    ("classification", None): Head(
        lambda channels, count, _: ClassificationHead(channels, count), IMAGE_CLASSES, he_init=True
    ),
    ("detection", "pyramid"): Head(lambda channels, *_: PyramidHead(channels), None),
    ("detection", "faster"): _two_stage(),
    ("detection", "mask"): _two_stage(masks=True),
    ("detection", "cascade"): _two_stage(stages=3),
    ("detection", "cascade_mask"): _two_stage(stages=3, masks=True),
    ("detection", "fcos"): Head(
        lambda channels, count, _: FCOSHead(channels, count), BOX_CLASSES, he_init=True
    ),
    ("detection", "light"): Head(
        lambda channels, count, _: LightHead(channels, count), BOX_CLASSES, he_init=True
    ),
    ("features", None): Head(lambda *_: nn.Identity(), None),
}
"""The heads that all families have. The first one of a task is its usual head."""


def usual_head(task: str) -> str | None:
    """Return the name of a task's usual head; None where the task has only one, or is unknown."""
    return next((name for its_task, name in HEADS if its_task == task), None)
