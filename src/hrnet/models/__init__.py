"""Networks by their names."""

from typing import Literal

from pydantic import ValidationError

from hrnet.errors import InputError
from hrnet.models.create import VARIANTS, Config, Network, build_network
from hrnet.spec import NetworkSpec, Task, first_problem

__all__ = ["VARIANTS", "Config", "Network", "build_network", "create_model"]


def create_model(
    variant: str | Config,
    *,
    task: Task = "pose",
    num_keypoints: int | None = None,
    num_classes: int | None = None,
    head: Literal["v1", "v2", "ocr", "ocr_v3"] | None = None,
    upsampling: Literal["nearest", "bilinear"] | None = None,
    align_corners: bool | None = None,
    relative_position: Literal["table", "none", "t5"] | None = None,
    window: int | None = None,
    drop_path: float | None = None,
    exchange: Literal["official", "textbook"] | None = None,
) -> Network:
    """Build a network with freshly initialised weights.

    variant: a key of `VARIANTS`, such as "hrnet_w32", or the figures of one of your own, such as
        an `HRNetConfig`.
    task: what the network answers to images (N, 3, H, W) of normalised RGB:
        "pose": heatmaps (N, num_keypoints, H/4, W/4), 17 keypoints unless said;
        "segmentation": logits (N, num_classes, H/4, W/4), 19 classes unless said; with an "ocr"
            head a tuple of the auxiliary logits and the logits;
        "classification": logits (N, num_classes), 1000 classes unless said;
        "detection": the V2p pyramid, five maps of 256 channels at strides 4 to 64;
        "features": the four streams of the backbone.
    The other options are those of `hrnet.spec.NetworkOptions`; None takes what the family's
    published code does for the task. H and W must be multiples of 32, but for segmentation and
    HRFormer they may be anything.

    Raises InputError for an unknown variant, task or option, or an option the network lacks.
    """
    name = variant if isinstance(variant, str) else f"custom {type(variant).__name__}"
    try:
        spec = NetworkSpec(
            variant=name,
            task=task,
            num_keypoints=num_keypoints,
            num_classes=num_classes,
            head=head,
            upsampling=upsampling,
            align_corners=align_corners,
            relative_position=relative_position,
            window=window,
            drop_path=drop_path,
            exchange=exchange,
        )
    except ValidationError as error:
        raise InputError(f"cannot build {name}: {first_problem(error)}") from None
    return build_network(spec, None if isinstance(variant, str) else variant)
