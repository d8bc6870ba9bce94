"""Networks: a backbone of any family with the head of any task."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from hrnet.errors import InputError
from hrnet.models import hrformer, hrnet, litehrnet
from hrnet.models.family import POSE_OPTIONS, Config, Family
from hrnet.models.heads import HEADS, Head, usual_head
from hrnet.models.heads.fcos import PointMaps
from hrnet.models.heads.presence import PresencePart
from hrnet.models.heads.two_stage import TwoStageMaps
from hrnet.models.highres import HighResBackbone
from hrnet.models.layers import DrawnModule, fill_up
from hrnet.spec import NetworkOptions, NetworkSpec, first_problem

__all__ = [
    "FAMILIES",
    "HEADS",
    "VARIANTS",
    "Network",
    "build_network",
    "create_model",
    "family_of",
    "usual_head",
]

FAMILIES: Mapping[str, Family[Any]] = {
    "hrnet": hrnet.FAMILY,
    "litehrnet": litehrnet.FAMILY,
    "hrformer": hrformer.FAMILY,
}
"""The architectures by name."""

VARIANTS: Mapping[str, Config] = {
    variant: config for family in FAMILIES.values() for variant, config in family.variants.items()
}
"""The published networks of all families: name -> hyper-parameters."""

_ANY_CHANNELS = ("pose", "features")
"""Tasks whose networks take images of other channels than red, green and blue."""


BACKGROUND_LOGIT = 7.0
"""Of a new network at each pixel, beside 0 for each keypoint: about 1 to 1000."""


class Network(nn.Module):
    """A backbone and a head: images (N, 3, H, W), normalised RGB -> the head's output.

    For pose, images of any size are filled up with 0 at the right and the bottom to what the
    backbone needs, and the heatmaps are cut to (ceil(H / stride), ceil(W / stride)). With a stride
    below 4 the head's last convolution is a sub-pixel one (Shi et al. 2016, section 2.2).
    With the option in_channels images are (N, in_channels, H, W).

    spec: the arguments it was built from; saved in checkpoints. presence: the part that adds the
    second output, logits (N, K), to the heatmaps of a pose network; None for one output.
    """

    def __init__(
        self,
        backbone: HighResBackbone,
        head: nn.Module,
        spec: NetworkSpec,
        presence: PresencePart | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.presence = presence
        self.spec = spec

    def forward(
        self, images: Tensor
    ) -> Tensor | list[Tensor] | tuple[Tensor, Tensor] | TwoStageMaps | PointMaps:
        if self.spec.task == "pose":
            return self._heatmaps(images)
        output: Tensor | list[Tensor] = self.head(self.backbone(images))
        return output

    def _heatmaps(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Compute heatmaps of images of any size, and the presence where there is that part."""
        height, width = images.shape[-2:]
        streams: list[Tensor] = self.backbone(fill_up(images, self.backbone.multiple))
        heatmaps: Tensor = self.head(streams)
        stride = self.spec.heatmap_stride or 4
        if stride < 4:
            heatmaps = nn.functional.pixel_shuffle(heatmaps, 4 // stride)
        heatmaps = heatmaps[..., : -(-height // stride), : -(-width // stride)]
        if self.presence is None:
            return heatmaps
        return heatmaps, self.presence(streams, heatmaps[:, : self.presence.num_keypoints])


def create_model(
    variant: str | Config,
    *,
    task: str = "pose",
    num_outputs: int | None = None,
    in_channels: int | None = None,
    options: NetworkOptions | Mapping[str, object] | None = None,
) -> Network:
    """Build a network with new weights: images (N, 3, H, W), normalised RGB -> output.

    variant: a key of `VARIANTS`, such as "hrnet_w32", or a config of your own, such as an
        `HRNetConfig`.
    task: kind of output:
        "pose": heatmaps (N, num_outputs, H/4, W/4), by default of 17 keypoints, of images of any
            size; with the option presence a tuple of these and logits (N, num_outputs); with
            background one map more; with heatmap_stride other sizes than a quarter;
        "segmentation": logits (N, num_outputs, H/4, W/4), by default of 19 classes; with an "ocr"
            head a tuple of the auxiliary logits and the logits;
        "classification": logits (N, num_outputs), by default of 1000 classes;
        "detection": the V2p pyramid, five maps of 256 channels at strides 4 to 64; with the head
            "faster", "mask", "cascade", "cascade_mask" or "fcos" the maps of that detector, by
            default for 80 classes, see `hrnet.models.heads`;
        "features": the four streams of the backbone.
    num_outputs: number of keypoints or classes.
    in_channels: channels of the images, 1 to 32; None: 3. Also an option of that name.
    options: choices within the architecture, the fields of `hrnet.spec.NetworkOptions`, such as
        {"head": "ocr"}; what is not named is as in the published networks.

    H and W must be multiples of 32 for classification and detection of HRNet and Lite-HRNet; else
    any size works. Raises InputError for an unknown variant, task or head, and for an option that
    the network does not have.
    """
    name = variant if isinstance(variant, str) else _name_of(type(variant))
    try:
        chosen = NetworkOptions.model_validate({} if options is None else options)
        if in_channels is not None:
            chosen = NetworkOptions(**chosen.model_dump() | {"in_channels": in_channels})
        spec = NetworkSpec(variant=name, task=task, num_outputs=num_outputs, **chosen.model_dump())
    except ValidationError as error:
        raise InputError(f"cannot build {name}: {first_problem(error)}") from None
    return build_network(spec, None if isinstance(variant, str) else variant)


def build_network(spec: NetworkSpec, config: Config | None = None) -> Network:
    """Build the network of a description with new weights.

    config: the hyper-parameters; None takes those of the variant.
    Raises InputError for an unknown variant, task or head, and for an option that the network does
    not have.
    """
    # Look up the records, and refuse settings that the network does not have.
    family = FAMILIES[family_of(spec.variant)]
    if config is None:
        if spec.variant not in family.variants:  # the name of a config of one's own
            raise _unknown(spec.variant)
        config = family.variants[spec.variant]
    head = _find_head(family, spec)
    _check_options(family, spec)
    num_outputs = _count_outputs(head, spec)
    # Options that are None are those of the published networks for the task.
    options = spec.over(config.defaults.get(spec.task, NetworkOptions()))
    backbone = family.make_backbone(config, options, num_outputs=head.num_streams)
    # The heads have a usual choice of their own here, which may differ from the backbone's.
    align_corners = head.align_corners if spec.align_corners is None else spec.align_corners
    # Several maps of stride 4 are one of a smaller stride, see `Network`.
    num_maps = (num_outputs + bool(spec.background)) * (4 // (spec.heatmap_stride or 4)) ** 2
    network = Network(
        backbone,
        head.make(backbone.channels, num_maps, align_corners),
        spec,
        PresencePart(backbone.channels, num_outputs) if spec.presence else None,
    )
    _initialise(network, he_init=head.he_init)
    if spec.background:
        _expect_background(network.head, num_maps // (num_outputs + 1))
    return network


def _expect_background(head: nn.Module, maps: int) -> None:
    """Let a new head expect the background nearly everywhere, so that training starts from there.

    maps: of the background, the last ones of the last convolution.
    """
    *_, last = (module for module in head.modules() if isinstance(module, nn.Conv2d))
    assert last.bias is not None
    with torch.no_grad():
        last.bias[-maps:] = BACKGROUND_LOGIT


def family_of(variant: str) -> str:
    """Return the family of a variant, or of the name in `spec.variant` of a config of one's own.

    Raises InputError, with near names, for an unknown one.
    """
    for name, family in FAMILIES.items():
        if variant in family.variants or variant == _name_of(family.config):
            return name
    raise _unknown(variant)


def _name_of(config: type) -> str:
    """Return the name that networks of one's own config have instead of a variant's."""
    return f"custom {config.__name__}"


def _unknown(variant: str) -> InputError:
    near = get_close_matches(variant, VARIANTS, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`hrnet models` lists them"
    return InputError(f"unknown variant {variant!r}; {hint}")


def _find_head(family: Family[Any], spec: NetworkSpec) -> Head:
    """Return the head of a task by its name, the task's usual one without a name."""
    # A family's own form of a head comes before the common one of the same name.
    heads = {**HEADS, **family.heads}
    tasks = dict.fromkeys(task for task, _ in heads)
    if spec.task not in tasks:
        raise InputError(f"expected a task of {', '.join(tasks)}, got {spec.task!r:.60}")
    key = spec.task, usual_head(spec.task) if spec.head is None else spec.head
    if key not in heads:
        names = [name for task, name in heads if task == spec.task and name is not None]
        known = f"one of {', '.join(names)}" if names else "none"
        raise InputError(
            f"cannot build {spec.variant}: expected {known} as the head for {spec.task}, "
            f"got {spec.head!r:.60}"
        )
    return heads[key]


def _check_options(family: Family[Any], spec: NetworkSpec) -> None:
    """Raise InputError for an option that would change nothing."""
    for name, value in spec.options.model_dump(exclude_none=True).items():
        if name not in (*family.options, *POSE_OPTIONS):
            raise InputError(f"{spec.variant} has no {name}, got {value!r}; leave it out")
    for name in POSE_OPTIONS if spec.task != "pose" else ():
        if getattr(spec, name) is not None:
            raise InputError(f"the task {spec.task} has no {name}; leave it out")
    if spec.in_channels is not None and spec.task not in _ANY_CHANNELS:
        raise InputError(
            f"the task {spec.task} reads 3 channels, got in_channels {spec.in_channels}; leave "
            "it out"
        )


def _count_outputs(head: Head, spec: NetworkSpec) -> int:
    """Return the number of outputs, the usual one where none is given; 0 for heads without."""
    count = spec.num_outputs
    if head.outputs is None:
        if count is not None:
            raise InputError(f"the task {spec.task} has no num_outputs, got {count}; leave it out")
        return 0
    if count is None:
        return head.outputs.usual
    if not 1 <= count <= head.outputs.most:
        raise InputError(
            f"expected num_outputs of 1 or more, got {count}; at most {head.outputs.most:,}"
        )
    return count


def _initialise(network: nn.Module, *, he_init: bool) -> None:
    """Draw new weights as the published code does; weights on the meta device are left alone.

    Convolutions: see `Head.he_init`. Linear layers of attention: N(0, 0.02). Biases: 0. A
    `DrawnModule` draws its own.
    """
    if next(network.parameters()).is_meta:
        return
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            if he_init:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            else:
                nn.init.normal_(module.weight, std=0.001)
        elif isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, DrawnModule):
            module.draw_weights()
