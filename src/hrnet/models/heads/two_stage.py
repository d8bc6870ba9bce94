"""Faster, Mask and Cascade R-CNN on the V2p pyramid.

Ren et al. 2015, He et al. 2017, Cai and Vasconcelos 2018; layers and starting weights as in the
published detectors on HRNetV2p. The head computes what depends on the whole image. Boxes are found
of it in `hrnet.tasks.detection`, by the parts `boxes` and `masks` of the head.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor, nn

from hrnet.models.heads.pyramid import PYRAMID_CHANNELS, PyramidHead
from hrnet.models.layers import DrawnModule

ANCHORS_PER_CELL = 3
"""Anchors of each position of a map: three shapes of one size."""
BOX_SIDE, MASK_SIDE = 7, 14
"""Sides in cells of the pooled features of a region, for its box and for its mask."""

_HIDDEN = 1024


class ProposalHead(nn.Module):
    """The region proposal network: for each anchor a logit of being an object, and box deltas.

    Five maps (N, 256, h, w) -> five logits (N, 3, h, w) and five deltas (N, 12, h, w), anchor by
    anchor.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(PYRAMID_CHANNELS, PYRAMID_CHANNELS, 3, padding=1)
        self.objectness = nn.Conv2d(PYRAMID_CHANNELS, ANCHORS_PER_CELL, 1)
        self.deltas = nn.Conv2d(PYRAMID_CHANNELS, 4 * ANCHORS_PER_CELL, 1)

    def forward(self, maps: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        hidden = [self.conv(x).relu() for x in maps]
        return [self.objectness(x) for x in hidden], [self.deltas(x) for x in hidden]

    def draw_weights(self) -> None:
        """Draw new weights from N(0, 0.01)."""
        for layer in (self.conv, self.objectness, self.deltas):
            nn.init.normal_(layer.weight, std=0.01)


class BoxHead(nn.Module):
    """Two linear layers on the pooled features of a region: its class, and deltas of its box.

    (R, 256, 7, 7) -> logits (R, C + 1), background last, and deltas (R, C, 4); with
    `class_agnostic` deltas (R, 1, 4) for all classes.
    """

    def __init__(self, num_classes: int, *, class_agnostic: bool) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(
            (nn.Linear(PYRAMID_CHANNELS * BOX_SIDE**2, _HIDDEN), nn.Linear(_HIDDEN, _HIDDEN))
        )
        self.classifier = nn.Linear(_HIDDEN, num_classes + 1)
        self.deltas = nn.Linear(_HIDDEN, 4 * (1 if class_agnostic else num_classes))

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        x = pooled.flatten(1)
        for layer in self.hidden:
            x = layer(x).relu()
        return self.classifier(x), self.deltas(x).unflatten(1, (-1, 4))

    def draw_weights(self) -> None:
        """Draw new weights: Glorot for the hidden layers, N(0, 0.01) and N(0, 0.001) behind."""
        for layer in self.hidden:
            assert isinstance(layer, nn.Linear)
            nn.init.xavier_uniform_(layer.weight)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.normal_(self.deltas.weight, std=0.001)


class MaskHead(nn.Module):
    """Convolutions on the pooled features of a region: logits of a mask for each class.

    (R, 256, 14, 14) -> (R, C, 28, 28).
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        width = PYRAMID_CHANNELS
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(4))
        self.enlarge = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def forward(self, pooled: Tensor) -> Tensor:
        x = pooled
        for conv in self.convs:
            x = conv(x).relu()
        logits: Tensor = self.classifier(self.enlarge(x).relu())
        return logits

    def draw_weights(self) -> None:
        """Draw new weights after He et al. 2015 (fan out)."""
        for layer in (*self.convs, self.enlarge, self.classifier):
            assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        assert self.enlarge.bias is not None
        nn.init.zeros_(self.enlarge.bias)


@dataclass(frozen=True, slots=True, eq=False)
class TwoStageMaps:
    """Output of a `TwoStageHead` for a batch, from which boxes are found or a loss is computed.

    features: maps of the pyramid. objectness, deltas: of the anchors, see `ProposalHead`. head: its
    `boxes` and `masks` look into regions.
    """

    features: list[Tensor]
    objectness: list[Tensor]
    deltas: list[Tensor]
    head: "TwoStageHead"

    def float(self) -> "TwoStageMaps":
        """Return the maps in float32."""
        return replace(
            self,
            features=[x.float() for x in self.features],
            objectness=[x.float() for x in self.objectness],
            deltas=[x.float() for x in self.deltas],
        )

    def __iter__(self) -> Iterator[Tensor]:
        """Yield all maps, then what the parts for regions make of the whole first map."""
        yield from (*self.features, *self.objectness, *self.deltas)
        pool = nn.functional.adaptive_avg_pool2d
        for box_head in self.head.boxes:
            yield from box_head(pool(self.features[0], BOX_SIDE))
        for mask_head in self.head.masks:
            yield mask_head(pool(self.features[0], MASK_SIDE))


class TwoStageHead(DrawnModule):
    """Streams -> `TwoStageMaps`.

    stages: how often a box is classified and refined; more than one is Cascade R-CNN, whose deltas
    are for all classes alike. masks: with a mask head a stage (Mask R-CNN).
    """

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, stages: int = 1, masks: bool = False
    ) -> None:
        super().__init__()
        self.pyramid = PyramidHead(channels)
        self.proposals = ProposalHead()
        self.boxes = nn.ModuleList(
            BoxHead(num_classes, class_agnostic=stages > 1) for _ in range(stages)
        )
        self.masks = nn.ModuleList(MaskHead(num_classes) for _ in range(stages if masks else 0))

    def forward(self, streams: list[Tensor]) -> TwoStageMaps:
        features = self.pyramid(streams)
        objectness, deltas = self.proposals(features)
        return TwoStageMaps(features, objectness, deltas, self)

    def draw_weights(self) -> None:
        """Draw the new weights of all parts, see there."""
        self.pyramid.draw_weights()
        self.proposals.draw_weights()
        for part in (*self.boxes, *self.masks):
            assert isinstance(part, BoxHead | MaskHead)
            part.draw_weights()
