"""What published segmentation models need beside their weights, by project and data set.

Sources: the configurations of HRNet-Semantic-Segmentation, HRFormer (openseg), mmsegmentation and
PaddleSeg.
"""

from collections.abc import Mapping

from hrnet.data.mask_tables import class_table, class_tables
from hrnet.errors import InputError
from hrnet.spec import IMAGENET_MEAN, IMAGENET_STD, NetworkSpec

Fields = Mapping[str, object]

_USUAL_WINDOW = (1024, 1024)
"""Of models of which nothing is known: pictures of any size fit into memory."""

_SETS_OF_520 = ("pascal_context59", "pascal_context60", "cocostuff", "ade20k")

# Pictures as they are, whole up to a scale of 1.
_HRNET_CITYSCAPES: Fields = {
    "conventions": "hrnet",
    "input_size": (1024, 2048),
    "long_side": 2048,
    "window": (1024, 2048),
    "pad_to": 1,
}
# First the short side, then the long one: the network sees a long side of 520.
_HRNET_520: Fields = {
    "conventions": "hrnet",
    "input_size": (512, 512),
    "short_side": 520,
    "pad_to": 8,
    "long_side": 520,
    "window": (520, 520),
    "tiling": "padded",
}
_HRNET_LIP: Fields = {
    "conventions": "hrnet",
    "input_size": (480, 480),
    "exact": (473, 473),
    "pad_to": 1,
    "long_side": 473,
    "window": (473, 473),
    "tiling": "padded",
}
# Blue comes first, normalised by the mean and std of red.
_HRFORMER: Fields = {
    "conventions": "hrformer",
    "channels": "bgr",
    "mean": IMAGENET_MEAN,
    "std": IMAGENET_STD,
    "pad_to": 8,
}
_MMSEG: Fields = {"conventions": "mmsegmentation", "pad_to": 1}

PROTOCOLS: dict[str, Fields] = {
    "hrnet/cityscapes": _HRNET_CITYSCAPES,
    "hrnet/lip": _HRNET_LIP,
    **{f"hrnet/{name}": _HRNET_520 for name in _SETS_OF_520},
    # Its loader forgets how much it filled up, so the filling stays in.
    "hrnet/ade20k": {**_HRNET_520, "keep_padding": True},
    "hrformer/cityscapes": {**_HRFORMER, "input_size": (1024, 2048)},
    **{
        f"hrformer/{name}": {**_HRFORMER, "input_size": (512, 512), "short_side": 520}
        for name in _SETS_OF_520
    },
    "mmsegmentation/cityscapes": {**_MMSEG, "input_size": (1024, 2048)},
    "mmsegmentation/voc": {**_MMSEG, "input_size": (512, 512), "short_side": 512},
    "mmsegmentation/ade20k": {**_MMSEG, "input_size": (512, 512), "short_side": 512},
    # Its usual normalisation is not ImageNet's; whole pictures, as mmsegmentation.
    "paddleseg/cityscapes": {
        **_MMSEG,
        "input_size": (1024, 2048),
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
    },
    **{
        f"mmsegmentation/{name}": {
            **_MMSEG,
            "input_size": (480, 480),
            "long_side": 520,
            "window": (480, 480),
            "stride": (320, 320),
        }
        for name in ("pascal_context59", "pascal_context60")
    },
}
"""Project and data set -> fields of `SegmentationSpec`, as published scores were measured. Scores
of several scales have `scales` 0.5, 0.75, 1, 1.25, 1.5, 1.75 (and 2 but for Cityscapes), and the
flip test."""


def protocol_facts(name: object) -> dict[str, object]:
    """Return all fields of a protocol, the classes among them; InputError for an unknown one."""
    if not isinstance(name, str) or name not in PROTOCOLS:
        raise InputError(f"expected a protocol of {', '.join(PROTOCOLS)}, got {name!r:.60}")
    return {**PROTOCOLS[name], **class_facts(name.partition("/")[2])}


def class_facts(name: object) -> dict[str, object]:
    """Return names, colours and mirror pairs of a data set's classes."""
    table = class_table(str(name))
    return {
        "class_names": table.names,
        "colors": table.colors or (),
        "mirror_pairs": table.mirror_pairs,
    }


def usual_facts(network: NetworkSpec, facts: Mapping[str, object]) -> dict[str, object]:
    """Return the classes of a model whose file has none, where its input size is known.

    They are those of the data set with as many classes, else "class 0", "class 1", ... Files of
    HRFormer expect blue first.
    """
    count = network.num_outputs
    if count is None or "input_size" not in facts or "protocol" in facts:
        return {}
    usual: dict[str, object] = {"window": _USUAL_WINDOW}
    if network.variant.startswith("hrformer"):
        usual["channels"] = "bgr"
    if "class_names" not in facts and "classes" not in facts:
        known = (one.names for one in class_tables().values() if len(one.names) == count)
        numbered = tuple(f"class {index}" for index in range(count))
        usual["class_names"] = next(known, numbered)
    return usual
