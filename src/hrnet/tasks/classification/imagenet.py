"""The 1000 classes of ImageNet-1k in the order of the published networks' outputs.

The file has a line a class: its WordNet id and an English name. Sorted ids are that order, so a
data set with a folder a WordNet id has the same. WordNet has two cranes and two maillots, which
are told apart in brackets. Source: the class list of ILSVRC 2012 (Russakovsky et al. 2015).
"""

from functools import cache
from importlib.resources import files


@cache
def imagenet_names() -> dict[str, str]:
    """Return the English name of each of the 1000 WordNet ids, in the order of the classes."""
    text = files("hrnet.tasks.classification").joinpath("imagenet.txt").read_text("utf-8")
    pairs = (line.split(" ", 1) for line in text.splitlines())
    return {wordnet_id: name for wordnet_id, name in pairs}  # noqa: C416
