"""The part of segmentation that needs torch: its losses, and the network as it predicts."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hrnet.spec import ModelSpec
from hrnet.tasks.segmentation.pixel_loss import make_loss
from hrnet.tasks.segmentation.spec import SegmentationSpec
from hrnet.tasks.segmentation.views import upsampling

__all__ = ["Predictor", "make_loss", "predictor"]


class Predictor(nn.Module):
    """A network as it predicts: images (N, 3, H, W) -> logits (N, C, h, w), classes (N, H, W).

    Logits are those of the last head, at a quarter of the images' size. classes: the largest of
    them at each pixel of the images, as bytes, or 32 bits for more than 256 classes. The graph can
    be exported for images of any size.
    """

    def __init__(self, network: nn.Module, *, align_corners: bool) -> None:
        super().__init__()
        self.network = network
        self.align_corners = align_corners

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.network(images)
        logits: Tensor = outputs if isinstance(outputs, Tensor) else outputs[-1]
        large = F.interpolate(
            logits, images.shape[-2:], mode="bilinear", align_corners=self.align_corners
        )
        return logits, large.argmax(dim=1).to(_class_type(logits.shape[1]))


def _class_type(count: int) -> torch.dtype:
    return torch.uint8 if count <= 256 else torch.int32


def predictor(network: nn.Module, spec: ModelSpec) -> Predictor:
    """Return a network as it predicts."""
    assert isinstance(spec, SegmentationSpec)
    return Predictor(network, align_corners=upsampling(spec) == "aligned")
