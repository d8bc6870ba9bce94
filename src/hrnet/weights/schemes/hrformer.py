"""Names of HRFormer's backbone: ours, the official code's (HRNet/HRFormer) and those of mmpose 1.x.

`BACKBONE` pairs our names with the official ones, with one exception that no table of names can
express: the official files keep queries, keys and values in three layers, ours in one.

    official file -> `join_official` -> BACKBONE -> ours -> BACKBONE -> `split_official` -> file
    mmpose 1.x file -> `join_mmpose` -> BACKBONE -> ours -> BACKBONE -> `split_mmpose` -> file

The four functions touch only the layers of the attention and the feed-forward network, whatever
stands in front of their names, and pass everything else on. Neither code's files hold a network
with `relative_position="t5"`.
"""

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hrnet.errors import InputError
from hrnet.weights.schemes.hrnet import STEM, numbered
from hrnet.weights.schemes.keymap import NameRule, conv_norm

_INDEX = "relative_position_index"
_TABLE = "relative_position_bias_table"
_PARTS = ("q", "k", "v")
_ATTENTION = re.compile(r"(?P<layer>.*attn\.attn)\.(?P<part>\w+)(?:\.(?P<tensor>weight|bias))?")


def _block(ours: str, theirs: str) -> list[NameRule]:
    """Rows of a transformer block, with queries, keys and values already joined."""
    layers = [
        ("expand", "fc1", "norm1"),
        ("depthwise", "dw3x3", "norm2"),
        ("project", "fc2", "norm3"),
    ]
    return [
        (f"{ours}.attention_norm", f"{theirs}.norm1"),
        (f"{ours}.attention", f"{theirs}.attn.attn"),  # its table of position biases
        (f"{ours}.attention.qkv", f"{theirs}.attn.attn.qkv"),
        (f"{ours}.attention.out", f"{theirs}.attn.attn.out_proj"),
        (f"{ours}.feed_forward_norm", f"{theirs}.norm2"),
        *(
            row
            for name, conv, norm in layers
            for row in conv_norm(
                f"{ours}.feed_forward.{name}", f"{theirs}.mlp.{conv}", f"{theirs}.mlp.{norm}"
            )
        ),
    ]


def _stage(number: int) -> list[NameRule]:
    """Rows of stage 2, 3 or 4. The transition to stage 2 is their transition1, and so on."""
    ours, theirs = f"backbone.stages.stage{number}", f"stage{number}.{{}}"
    move, new = f"transition{number - 1}", number - 1
    path, fuse = f"{ours}.module{{}}.exchange.paths.{{}}.{{}}", f"{theirs}.fuse_layers.{{}}.{{}}"
    return [
        *_block(f"{ours}.module{{}}.streams.{{}}.{{}}", f"{theirs}.branches.{{}}.{{}}"),
        *numbered(f"{path}.project", fuse),  # up: one convolution
        *numbered(f"{path}.{{}}.depthwise", f"{fuse}.{{}}"),  # down: a chain of separable ones
        *conv_norm(f"{path}.{{}}.pointwise", f"{fuse}.{{}}.2", f"{fuse}.{{}}.3"),
        *numbered(f"{ours}.transition.{new}", f"{move}.{new}.0"),  # the new stream: a chain of one
        *(numbered(f"{ours}.transition.0", f"{move}.0") if number == 2 else ()),
    ]


BACKBONE: tuple[NameRule, ...] = (*STEM, *(row for number in (2, 3, 4) for row in _stage(number)))
"""Ours and the official names, whose files may have a prefix such as `backbone.` in front."""


def relative_position_index(window: int) -> Tensor:
    """Compute the buffer that official files keep beside each table of position biases.

    (window**2, window**2), int64: for each query and key of a window the row of the table, by the
    formula of Swin (Liu et al. 2021).
    """
    # row = (y_q - y_k + w - 1) * (2w - 1) + (x_q - x_k + w - 1), of a window of side w.
    place = torch.arange(window**2)
    y, x = place // window, place % window
    down, right = y[:, None] - y[None, :], x[:, None] - x[None, :]
    return (down + window - 1) * (2 * window - 1) + right + window - 1


def table_window(table: Tensor) -> int:
    """Return the window's side of a table of position biases ((2 * window - 1)**2, heads)."""
    rows = table.shape[0] if table.dim() == 2 else 0
    side = math.isqrt(rows)
    if side**2 != rows or side % 2 == 0:
        raise InputError(
            f"expected a position table of (2 * window - 1)**2 rows, got {rows}; "
            "the file is not of HRFormer"
        )
    return (side + 1) // 2


def resize_bias_table(table: Tensor, window: int) -> Tensor:
    """Interpolate a table of position biases to another window: ((2 * window - 1)**2, heads).

    The official segmentation code starts windows of 13 and 15 from tables of 7 in this way:
    bilinearly, as if each head's table were an image. The result is another network, so this is
    never done by default.
    """
    old, new = 2 * table_window(table) - 1, 2 * window - 1
    image = table.T.reshape(1, -1, old, old)
    resized = nn.functional.interpolate(image, (new, new), mode="bilinear", align_corners=False)
    return resized[0].flatten(1).T.contiguous()


def join_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Join each attention's q_proj, k_proj and v_proj of an official file to one `qkv`.

    The relative_position_index is left out, since it follows from the window. Raises InputError
    where one of the three is missing.
    """
    # Each of the three parts writes the same joined tensor; the others keep their names.
    joined: dict[str, Tensor] = {}
    for name, value in state.items():
        found = _ATTENTION.fullmatch(name)
        part = found["part"] if found else ""
        if found is None or part not in (_INDEX, "q_proj", "k_proj", "v_proj"):
            joined[name] = value
        elif part != _INDEX:
            layer, tensor = found["layer"], found["tensor"]
            joined[f"{layer}.qkv.{tensor}"] = _concatenate(state, layer, tensor)
    return joined


def _concatenate(state: Mapping[str, Tensor], layer: str, tensor: str) -> Tensor:
    names = [f"{layer}.{part}_proj.{tensor}" for part in _PARTS]
    missing = [name for name in names if name not in state]
    if missing:
        raise InputError(
            f"expected queries, keys and values together, got no {missing[0]!r}; "
            "the file is not complete"
        )
    parts = [state[name] for name in names]
    if len({(part.shape[1:], part.dtype) for part in parts}) > 1 or not parts[0].dim():
        raise InputError(f"expected queries, keys and values alike, got others in {layer!r}")
    return torch.cat(parts)


def split_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo `join_official`: split each `qkv`, put the relative_position_index beside its table."""
    split: dict[str, Tensor] = {}
    for name, value in state.items():
        found = _ATTENTION.fullmatch(name)
        if found is not None and found["part"] == "qkv":
            for part, piece in zip(_PARTS, value.chunk(3), strict=True):
                split[f"{found['layer']}.{part}_proj.{found['tensor']}"] = piece
        else:
            split |= _with_index(name, value)
    return split


def join_mmpose(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring names of mmpose 1.x to those of `BACKBONE`; its qkv is joined already."""
    joined: dict[str, Tensor] = {}
    for name, value in state.items():
        if not name.endswith(_INDEX):
            ours = name.replace("attn.attn.proj.", "attn.attn.out_proj.").replace(".ffn.", ".mlp.")
            joined[ours] = value
    return joined


def split_mmpose(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo `join_mmpose`, with the relative_position_index beside each table."""
    split: dict[str, Tensor] = {}
    for name, value in state.items():
        theirs = name.replace("attn.attn.out_proj.", "attn.attn.proj.").replace(".mlp.", ".ffn.")
        split |= _with_index(theirs, value)
    return split


def _with_index(name: str, value: Tensor) -> dict[str, Tensor]:
    """Return a tensor, with the index of the window where it is a table of position biases."""
    if not name.endswith(_TABLE):
        return {name: value}
    index = relative_position_index(table_window(value)).to(value.device)
    return {name: value, name.removesuffix(_TABLE) + _INDEX: index}
