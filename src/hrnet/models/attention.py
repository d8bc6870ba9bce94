"""Attention within windows: figure 2a of "HRFormer: High-Resolution Transformer for Dense
Prediction" (Yuan et al., 2021).

    map (N, H, W, C) -> windows (M, w * w, C) -> softmax(q k / sqrt(d) + bias) v -> map (N, H, W, C)

The tokens of a window of w x w attend to each other, and windows do not overlap. A map whose sides
are no multiples of w is padded with zeros: half in front, the rest behind. The padding takes part
in the softmax like any other token, since the published code has no mask; it is cropped afterwards.

The bias depends only on the displacement from key to query: one value for each displacement and
head (`displacement_bias`), from a table of the layer, as in Swin and in the published code, or from
one table for the whole network (`BucketTable`), as in T5 and in the paper's text.
"""

import math

import torch
from torch import Tensor, nn

from hrnet.errors import InputError
from hrnet.geometry import Size

NUM_BUCKETS = 8
"""Distances 0, 1, 2, 3 have a bucket each; the other half is spaced by the logarithm."""
MAX_DISTANCE = 16
"""From here on every distance is in the last bucket; a window of 15 reaches 14."""


def window_padding(side: int, window: int) -> tuple[int, int]:
    """Return the padding in front of and behind `side` tokens that fills the last window."""
    missing = -side % window
    return missing // 2, missing - missing // 2


def to_windows(x: Tensor, window: int) -> Tensor:
    """Cut a map (N, H, W, C), padded with zeros, into windows (M, window**2, C), row by row."""
    top, bottom = window_padding(x.shape[1], window)
    left, right = window_padding(x.shape[2], window)
    if top + bottom + left + right:
        x = nn.functional.pad(x, (0, 0, left, right, top, bottom))
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // window, window, width // window, window, channels)
    return x.transpose(2, 3).reshape(-1, window**2, channels)


def from_windows(windows: Tensor, window: int, size: Size) -> Tensor:
    """Join windows to the map (N, *size, C) that `to_windows` has cut."""
    (height, width), channels = size, windows.shape[-1]
    (top, bottom), (left, right) = window_padding(height, window), window_padding(width, window)
    rows, columns = (top + height + bottom) // window, (left + width + right) // window
    x = windows.reshape(-1, rows, columns, window, window, channels).transpose(2, 3)
    x = x.reshape(-1, rows * window, columns * window, channels)
    return x[:, top : top + height, left : left + width]


def attend(qkv: Tensor, num_heads: int, bias: Tensor | None) -> Tensor:
    """Compute the attention of each window's tokens to each other: softmax(q k / sqrt(d) + bias) v.

    qkv: (M, tokens, 3 * C), queries, keys and values one after the other, each in heads.
    bias: (num_heads, tokens, tokens), added before the softmax.

    Returns (M, tokens, C).
    """
    head_width = qkv.shape[-1] // (3 * num_heads)
    by_head = qkv.reshape(-1, qkv.shape[1], 3, num_heads, head_width)
    q, k, v = by_head.permute(2, 0, 3, 1, 4).unbind(0)  # each (M, num_heads, tokens, head_width)
    mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    return mixed.transpose(1, 2).flatten(2)


def displacement_bias(table: Tensor, window: int) -> Tensor:
    """Expand one value a displacement to one for each pair of tokens of a window.

    table: ((2 * window - 1)**2, heads); row (y + window - 1) * (2 * window - 1) + x + window - 1
    belongs to a query that is y tokens below and x tokens right of its key.

    Returns (heads, window**2, window**2).
    """
    # The displacements from one query to all keys are a sliding window over the table, which needs
    # no buffer of indices.
    by_place = table.reshape(2 * window - 1, 2 * window - 1, -1)
    pairs = by_place.unfold(0, window, 1).unfold(1, window, 1)
    pairs = pairs.flip(3, 4).permute(2, 0, 1, 3, 4)  # (heads, query y, query x, key y, key x)
    return pairs.reshape(-1, window**2, window**2)


def distance_bucket(distance: int) -> int:
    """Return the bucket of a distance in tokens, after T5 (Raffel et al. 2020, section 2.1).

    T5 has 32 buckets up to 128 tokens, so each distance within a window of 7 would have its own.
    Here there are 8 up to 16 tokens: 0 1 2 3 4 4 5 5 6 6 6 6 7 7 7 for the distances 0 to 14.
    """
    exact = NUM_BUCKETS // 2
    if distance < exact:
        return distance
    growth = math.log(distance / exact) / math.log(MAX_DISTANCE / exact)
    return min(exact + int(growth * (NUM_BUCKETS - exact)), NUM_BUCKETS - 1)


class BucketTable(nn.Module):
    """T5's relative position bias for windows: one table that all layers of a network share.

    T5 keeps a value for each head and each bucket of signed distance. Here a displacement has two
    signed distances, down and right, so the table is (15, 15, heads): the bucket's number with its
    sign, -7 to 7, in both directions. Like the published table it has different values for a
    diagonal and a row, and it does not depend on the size of the window.

    Streams have different numbers of heads. As in T5, where head h of every layer reads column h, a
    layer with n heads reads the first n columns. It starts at zero, which is no bias.
    """

    def __init__(self, num_heads: int) -> None:
        super().__init__()
        sides = 2 * NUM_BUCKETS - 1
        self.table = nn.Parameter(torch.zeros(sides, sides, num_heads))

    def forward(self, window: int, num_heads: int) -> Tensor:
        distances = range(1 - window, window)
        buckets = [int(math.copysign(distance_bucket(abs(d)), d)) for d in distances]
        rows = [NUM_BUCKETS - 1 + bucket for bucket in buckets]
        tall = torch.stack([self.table[row, :, :num_heads] for row in rows])
        return torch.stack([tall[:, row] for row in rows], dim=1).flatten(0, 1)


class WindowAttention(nn.Module):
    """Self-attention with several heads within windows: (N, H, W, C) -> the same shape.

    shared: the `BucketTable` of the whole network, owned by the backbone; None makes a table of
        the layer's own.
    use_table: True adds the layer's own table. The published pose code keeps the table in its files
        and never adds it: without `use_table` it is a parameter that is not learned.

    Raises InputError where the heads do not divide the channels.
    """

    def __init__(
        self,
        channels: int,
        num_heads: int,
        *,
        window: int,
        use_table: bool = True,
        shared: BucketTable | None = None,
    ) -> None:
        super().__init__()
        if channels % num_heads:
            raise InputError(
                f"expected a width that {num_heads} heads divide, got {channels}; "
                "change widths or num_heads"
            )
        self.num_heads = num_heads
        self.window = window
        self.use_table = use_table and shared is None
        # A method is no submodule, so the shared table stays among the backbone's weights alone.
        self.shared_bias = None if shared is None else shared.forward
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        if shared is None:
            table = torch.zeros((2 * window - 1) ** 2, num_heads)
            self.relative_position_bias_table = nn.Parameter(table, requires_grad=use_table)
            if use_table:
                nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        windows = to_windows(x, self.window)
        mixed = attend(self.qkv(windows), self.num_heads, self._bias())
        return from_windows(self.out(mixed), self.window, (x.shape[1], x.shape[2]))

    def _bias(self) -> Tensor | None:
        if self.shared_bias is not None:
            return displacement_bias(self.shared_bias(self.window, self.num_heads), self.window)
        if self.use_table:
            return displacement_bias(self.relative_position_bias_table, self.window)
        return None
