"""The description of each recorded model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from hrnet.models import Network, build_network
from hrnet.spec import NetworkSpec


@dataclass(frozen=True)
class Model:
    """A recorded model as ours.

    scheme: of its names; the official one of the family and task unless said.
    at_full_size: the published model itself resizes its logits to the image, ours leaves them at
        stride 4.
    """

    build: Callable[[], Network]
    scheme: str = "official"
    at_full_size: bool = False

    def weightless(self) -> Network:
        with torch.device("meta"):
            return self.build().eval()

    @property
    def spec(self) -> NetworkSpec:
        return self.weightless().spec

    def answer(self, network: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
        """What the published model returns for images, as a list."""
        output = network(images)
        outputs = list(output) if isinstance(output, (list, tuple)) else [output]
        if not self.at_full_size:
            return outputs
        resize = partial(nn.functional.interpolate, mode="bilinear", align_corners=True)
        return [resize(logits, images.shape[-2:]) for logits in outputs]


def make(variant: str, task: str, **settings: object) -> Callable[[], Network]:
    spec = NetworkSpec.model_validate({"variant": variant, "task": task, **settings})
    return partial(build_network, spec)


def pose(variant: str, **settings: object) -> Model:
    return Model(make(variant, "pose", **settings))


def classification(variant: str) -> Model:
    return Model(make(variant, "classification"))


def segmentation(variant: str, **settings: object) -> Model:
    return Model(make(variant, "segmentation", **settings))


def detection(variant: str) -> Model:
    return Model(make(variant, "detection"))


def openseg(variant: str, head: str = "ocr", **settings: object) -> Model:
    return Model(make(variant, "segmentation", head=head, **settings), at_full_size=True)


def mmpose1(variant: str, **settings: object) -> Model:
    return Model(make(variant, "pose", **settings), scheme="mmpose 1.x")


MODELS: Mapping[str, Model] = {
    "pose_hrnet_w32_coco_256x192": pose("hrnet_w32"),
    "pose_hrnet_w32_coco_384x288": pose("hrnet_w32"),
    "pose_hrnet_w32_mpii_256x256": pose("hrnet_w32", num_outputs=16),
    "pose_hrnet_w48_coco_256x192": pose("hrnet_w48"),
    "pose_hrnet_w48_coco_384x288": pose("hrnet_w48"),
    "pose_hrnet_w48_mpii_256x256": pose("hrnet_w48", num_outputs=16),
    "cls_hrnet_w18_small_v1": classification("hrnet_w18_small_v1"),
    "cls_hrnet_w18_small_v2": classification("hrnet_w18_small_v2"),
    "cls_hrnet_w18": classification("hrnet_w18"),
    "cls_hrnet_w30": classification("hrnet_w30"),
    "cls_hrnet_w32": classification("hrnet_w32"),
    "cls_hrnet_w40": classification("hrnet_w40"),
    "cls_hrnet_w44": classification("hrnet_w44"),
    "cls_hrnet_w48": classification("hrnet_w48"),
    "cls_hrnet_w64": classification("hrnet_w64"),
    "seg_hrnet_w18_small_v1_cityscapes": segmentation("hrnet_w18_small_v1"),
    "seg_hrnet_w18_small_v1_cityscapes_alignFalse": segmentation(
        "hrnet_w18_small_v1", align_corners=False
    ),
    "seg_hrnet_w18_small_v2_cityscapes": segmentation("hrnet_w18_small_v2"),
    "seg_hrnet_w18_small_v2_cityscapes_alignFalse": segmentation(
        "hrnet_w18_small_v2", align_corners=False
    ),
    "seg_hrnet_w48_cityscapes": segmentation("hrnet_w48"),
    "seg_hrnet_w48_cityscapes_alignFalse": segmentation("hrnet_w48", align_corners=False),
    "seg_hrnet_w48_pctx59": segmentation("hrnet_w48", num_outputs=59),
    "seg_hrnet_ocr_w48_cityscapes": segmentation("hrnet_w48", head="ocr"),
    "seg_hrnet_ocr_w48_cityscapes_alignFalse": segmentation(
        "hrnet_w48", head="ocr", align_corners=False
    ),
    "det_hrnetv2p_w18_hrfpn": detection("hrnet_w18"),
    "det_hrnetv2p_w32_hrfpn": detection("hrnet_w32"),
    "det_hrnetv2p_w40_hrfpn": detection("hrnet_w40"),
    "lite_hrnet_18_coco_256x192": pose("litehrnet_18"),
    "lite_hrnet_18_coco_384x288": pose("litehrnet_18"),
    "lite_hrnet_18_mpii_256x256": pose("litehrnet_18", num_outputs=16),
    "lite_hrnet_30_coco_256x192": pose("litehrnet_30"),
    "lite_hrnet_30_coco_384x288": pose("litehrnet_30"),
    "lite_hrnet_30_mpii_256x256": pose("litehrnet_30", num_outputs=16),
    "naive_lite_hrnet_18_coco_256x192": pose("naive_litehrnet_18"),
    "naive_lite_hrnet_18_mpii_256x256": pose("naive_litehrnet_18", num_outputs=16),
    "wider_naive_lite_hrnet_18_coco_256x192": pose("wider_naive_litehrnet_18"),
    "wider_naive_lite_hrnet_18_mpii_256x256": pose("wider_naive_litehrnet_18", num_outputs=16),
    "hrformer_tiny_cls": classification("hrformer_tiny"),
    "hrformer_small_cls": classification("hrformer_small"),
    "hrformer_base_cls": classification("hrformer_base"),
    "hrformer_small_pose_coco_256x192": pose("hrformer_small"),
    "hrformer_small_pose_coco_384x288": pose("hrformer_small"),
    "hrformer_base_pose_coco_256x192": pose("hrformer_base"),
    "hrformer_base_pose_coco_384x288": pose("hrformer_base"),
    "mmpose1_hrformer_small_pose_rpe": mmpose1("hrformer_small", relative_position="table"),
    "mmpose1_hrformer_base_pose_rpe": mmpose1("hrformer_base", relative_position="table"),
    "hrformer_small_seg_ocr": openseg("hrformer_small"),
    "hrformer_small_V3_seg_ocr": openseg("hrformer_small", head="ocr_v3"),
    "hrformer_base_seg_ocr": openseg("hrformer_base"),
    "hrformer_base_win13_seg_ocr": openseg("hrformer_base", window=13),
    "hrformer_base_win15_seg_ocr": openseg("hrformer_base", window=15),
    "hrformer_base_V3_seg_ocr": openseg("hrformer_base", head="ocr_v3", num_outputs=150),
}
