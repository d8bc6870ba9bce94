"""Names of the official Lite-HRNet, without the prefixes of its files.

Source of their names: state dictionaries of the official code of Yu et al. 2021, which mmpose's
LiteHRNet shares.
"""

from hrnet.weights.schemes.keymap import NameRule, conv_module


def _separable(ours: str, theirs: str) -> list[NameRule]:
    """Rows of depthwise and 1x1 convolution with norms, numbers 0 to 3 of a Sequential there."""
    parts = ("depthwise.conv", "depthwise.norm", "pointwise.conv", "pointwise.norm")
    return [(f"{ours}.{part}", f"{theirs}.{number}") for number, part in enumerate(parts)]


def _block(ours: str, theirs: str) -> list[NameRule]:
    """Rows of a module's blocks of both kinds; naive ones are counted within each stream."""
    cross, their_cross = f"{ours}.{{}}.cross", f"{theirs}.{{}}.cross_resolution_weighting"
    spatial, their_spatial = f"{ours}.{{}}.spatial.{{}}", f"{theirs}.{{}}.spatial_weighting.{{}}"
    return [
        *conv_module(f"{cross}.reduce", f"{their_cross}.conv1"),
        *conv_module(f"{cross}.expand", f"{their_cross}.conv2"),
        *conv_module(f"{ours}.{{}}.depthwise.{{}}", f"{theirs}.{{}}.depthwise_convs.{{}}"),
        (f"{spatial}.reduce", f"{their_spatial}.conv1.conv"),
        (f"{spatial}.expand", f"{their_spatial}.conv2.conv"),
        *conv_module(f"{ours}.{{}}.{{}}.last.{{}}", f"{theirs}.{{}}.{{}}.branch2.{{}}"),
    ]


def _stage(number: int) -> list[NameRule]:
    """Rows of stage 2, 3 or 4, which is stage 0, 1 or 2 there, with its transition."""
    ours, theirs = f"backbone.stages.stage{number}", f"stage{number - 2}"
    move, new = f"transition{number - 2}", number - 1
    paths = f"{ours}.module{{}}.exchange.paths.{{}}.{{}}"
    fuse = f"{theirs}.{{}}.fuse_layers.{{}}.{{}}"
    return [
        *_separable(f"{ours}.transition.{new}", f"{move}.{new}.0"),  # a chain of one
        *(_separable(f"{ours}.transition.0", f"{move}.0") if number == 2 else ()),
        *_block(f"{ours}.module{{}}.streams", f"{theirs}.{{}}.layers"),
        (f"{paths}.project.conv", f"{fuse}.0"),  # up: one convolution
        (f"{paths}.project.norm", f"{fuse}.1"),
        *_separable(f"{paths}.{{}}", f"{fuse}.{{}}"),  # down: a chain of convolutions
    ]


_STEM: tuple[NameRule, ...] = (
    *conv_module("backbone.stem.conv", "stem.conv1"),
    *conv_module("backbone.stem.first.depthwise", "stem.branch1.0"),
    *conv_module("backbone.stem.first.pointwise", "stem.branch1.1"),
    *conv_module("backbone.stem.last.expand", "stem.expand_conv"),
    *conv_module("backbone.stem.last.depthwise", "stem.depthwise_conv"),
    *conv_module("backbone.stem.last.project", "stem.linear_conv"),
)

_HEAD: tuple[NameRule, ...] = (
    *conv_module("head.project.{}.depthwise", "head_layer.projects.{}.depthwise_conv"),
    *conv_module("head.project.{}.pointwise", "head_layer.projects.{}.pointwise_conv"),
    ("head.conv", "final_layer"),
)

OFFICIAL_LITE: tuple[NameRule, ...] = (
    *_STEM,
    *(row for number in (2, 3, 4) for row in _stage(number)),
    *_HEAD,
)
"""Backbone and head of every variant. Files write `backbone.` before the names of all but
`final_layer`, and `keypoint_head.` or `head.` before that."""
