"""The OCR head: object-contextual representations, attention from pixels to classes.

Yuan, Chen, Wang: "Object-Contextual Representations for Semantic Segmentation" (ECCV 2020), figure
2, on the joined streams of a high-resolution backbone.
"""

from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from hrnet.models.heads.streams import JoinedHead, join_streams
from hrnet.models.layers import ConvNorm


def gather_objects(pixels: Tensor, logits: Tensor) -> Tensor:
    """Compute one vector a class: the mean of all pixels, weighted by the class's softmax.

    pixels (N, C, h, w), logits (N, K, h, w) -> (N, C, K, 1); equation 2 of the paper, with the
    softmax over the pixels.
    """
    weights = logits.flatten(2).softmax(dim=2)  # (N, K, h*w)
    objects = torch.matmul(weights, pixels.flatten(2).transpose(1, 2))  # (N, K, C)
    return objects.transpose(1, 2).unsqueeze(3)


class ObjectContext(nn.Module):
    """Attention from pixels to classes (equations 3 and 4).

    pixels (N, channels, h, w), objects (N, channels, K, 1) -> (N, channels, h, w).
    """

    def __init__(self, channels: int, key_channels: int, *, bias: bool) -> None:
        super().__init__()

        def project(*widths: int) -> nn.Sequential:
            return nn.Sequential(*(ConvNorm(a, b, 1, bias=bias) for a, b in pairwise(widths)))

        self.query = project(channels, key_channels, key_channels)
        self.key = project(channels, key_channels, key_channels)
        self.value = project(channels, key_channels)
        self.out = project(key_channels, channels)
        self.scale = key_channels**-0.5

    def forward(self, pixels: Tensor, objects: Tensor) -> Tensor:
        query = self.query(pixels).flatten(2).transpose(1, 2)  # (N, h*w, key_channels)
        key = self.key(objects).flatten(2)  # (N, key_channels, K)
        value = self.value(objects).flatten(2).transpose(1, 2)  # (N, K, key_channels)
        # softmax over the classes of q k / sqrt(d), then the weighted mean of the values
        share = (torch.matmul(query, key) * self.scale).softmax(dim=2)
        context = torch.matmul(share, value).transpose(1, 2)  # (N, key_channels, h*w)
        out: Tensor = self.out(context.reshape(pixels.shape[0], -1, *pixels.shape[-2:]))
        return out


class OCRHead(nn.Module):
    """Streams -> (logits of the auxiliary head, logits), each (N, num_classes, H/4, W/4).

    The auxiliary logits are a first segmentation, with a loss of their own in training (weight 0.4
    in the paper); the second logits are the prediction. `for_hrnet` and `for_hrformer` build the
    forms of the published weights.
    """

    def __init__(
        self, aux: JoinedHead, pixels: ConvNorm, num_classes: int, *, context_bias: bool
    ) -> None:
        super().__init__()
        channels, key_channels = 512, 256
        self.aux = aux
        self.pixels = pixels
        self.context = ObjectContext(channels, key_channels, bias=context_bias)
        self.join = ConvNorm(2 * channels, channels, 1, bias=context_bias)
        self.dropout = nn.Dropout2d(0.05)
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    @classmethod
    def for_hrnet(cls, channels: tuple[int, ...], num_classes: int, *, align_corners: bool) -> Self:
        """Build the head of the HRNet-OCR repository."""
        aux = JoinedHead(channels, num_classes, align_corners=align_corners)
        pixels = ConvNorm(sum(channels), 512, 3, bias=True)
        return cls(aux, pixels, num_classes, context_bias=False)

    @classmethod
    def for_hrformer(
        cls,
        channels: tuple[int, ...],
        num_classes: int,
        *,
        align_corners: bool,
        kernel: int = 3,
        groups: int = 1,
    ) -> Self:
        """Build the head of the HRFormer repository; its auxiliary head is as wide as the other."""
        aux = JoinedHead(
            channels,
            num_classes,
            align_corners=align_corners,
            hidden=512,
            kernel=kernel,
            groups=groups,
        )
        pixels = ConvNorm(sum(channels), 512, kernel, bias=True, groups=groups)
        return cls(aux, pixels, num_classes, context_bias=True)

    def forward(self, streams: list[Tensor]) -> tuple[Tensor, Tensor]:
        # A first segmentation, the auxiliary logits.
        joined = join_streams(streams, align_corners=self.aux.align_corners)
        aux = self.aux.classify(joined)
        pixels = self.pixels(joined)
        # One vector a class, and attention from all pixels to them.
        context = self.context(pixels, gather_objects(pixels, aux))
        # Context and pixels together give the second logits.
        mixed = self.dropout(self.join(torch.cat([context, pixels], dim=1)))
        return aux, self.classifier(mixed)
