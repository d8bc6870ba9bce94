"""A detector as it predicts: images to boxes, scores, classes and perhaps masks."""

import torch
from torch import Tensor, nn

from hrnet.errors import InputError
from hrnet.models.heads.fcos import PointMaps
from hrnet.models.heads.light import DensePoints
from hrnet.models.heads.two_stage import TwoStageMaps
from hrnet.spec import ModelSpec
from hrnet.tasks.detection.box_coder import clip
from hrnet.tasks.detection.points import find_at_points
from hrnet.tasks.detection.proposals import propose
from hrnet.tasks.detection.second_stage import Found, find_boxes, find_masks, select
from hrnet.tasks.detection.spec import DetectionSpec

_PROPOSALS = {"plain": 1000, "legacy": 2000}
"""How many anchors of each level are looked at, and how many proposals are made of all."""


def content_sizes(images: Tensor) -> Tensor:
    """Return height and width (N, 2) of the pictures in padded inputs (N, 3, H, W).

    Padding is 0 in all channels, to the right of the picture and below it.
    """
    filled = (images != 0).any(dim=1)  # (N, H, W)
    ends = []
    for lines in (filled.any(dim=2), filled.any(dim=1)):
        numbers = torch.arange(lines.shape[1], device=lines.device) + 1
        ends.append((lines * numbers).amax(dim=1))
    return torch.stack(ends, dim=1)


class Predictor(nn.Module):
    """A detector as it predicts: images (N, 3, H, W) -> boxes, scores, labels, perhaps masks.

    boxes: (N, K, 4) xyxy in pixels of the input, K = `max_detections`. With the conventions
    "legacy" right and bottom are the last pixels within. scores: (N, K), best first, 0 in rows
    without a box. labels: (N, K), classes from 0. masks: (N, K, 28, 28), probabilities within the
    box, where the head has masks. All are of the images' type. The graph can be exported.

    scales: (N,), pixels of the input for a pixel of the picture, for the conventions "legacy"
    alone: there classes are sorted out in pixels of the picture, where a box reaches 1 further.
    """

    def __init__(self, network: nn.Module, spec: DetectionSpec) -> None:
        super().__init__()
        self.network = network
        self.spec = spec

    def lenient(self) -> "Predictor":
        """Return the detector with a least score of 0."""
        return Predictor(self.network, self.spec.model_copy(update={"min_score": 0.0}))

    def forward(self, images: Tensor, scales: Tensor | None = None) -> tuple[Tensor, ...]:
        maps, sizes = self.network(images), content_sizes(images)
        extent = images.new_zeros(images.shape[0]) if scales is None else scales
        if isinstance(maps, PointMaps):
            return _outputs(find_at_points(maps, sizes, extent, self.spec))
        if isinstance(maps, DensePoints):
            boxes = clip(maps.boxes, sizes, legacy=False)
            scores = maps.logits.float().sigmoid()
            return _outputs(select(boxes[:, :, None], scores, extent, self.spec))
        if not isinstance(maps, TwoStageMaps):
            raise InputError(f"the head {self.spec.network.head} finds no boxes; take another head")
        return self._second_look(maps, sizes, extent)

    def _second_look(self, maps: TwoStageMaps, sizes: Tensor, extent: Tensor) -> tuple[Tensor, ...]:
        """Find boxes and masks by the two stages."""
        legacy = self.spec.conventions == "legacy"
        most = _PROPOSALS[self.spec.conventions]
        proposals = propose(
            maps.objectness, maps.deltas, sizes, legacy=legacy, per_level=most, most=most
        )
        boxes, scores = find_boxes(maps.head, maps.features, proposals, sizes, legacy=legacy)
        found = select(boxes, scores, extent, self.spec)
        if not len(maps.head.masks):
            return _outputs(found)
        return *_outputs(found), find_masks(maps.head, maps.features, found, legacy=legacy)


def _outputs(found: Found) -> tuple[Tensor, Tensor, Tensor]:
    """Return boxes, scores and labels, all 0 in rows without a box."""
    is_box = (found.scores > 0).to(found.scores.dtype)
    return found.boxes * is_box[..., None], found.scores, found.labels * is_box


def predictor(network: nn.Module, spec: ModelSpec) -> nn.Module:
    """Return the network as it predicts, see `Predictor`."""
    assert isinstance(spec, DetectionSpec)
    return Predictor(network, spec)
