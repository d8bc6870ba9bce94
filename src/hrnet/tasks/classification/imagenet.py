"""The 1000 classes of ImageNet-1k in the order of the published networks' outputs.

The file has a line a class: its WordNet id and an English name. Sorted ids are that order, so a
data set with a folder a WordNet id has the same. Two cranes and two maillots differ by
words in brackets. Source: the class list of ILSVRC 2012 (Russakovsky et al. 2015).
"""

from functools import cache
from importlib.resources import files


@cache
def imagenet_names() -> dict[str, str]:
    """Return the English name of each of the 1000 WordNet ids, in the order of the classes."""
    text = files("hrnet.tasks.classification").joinpath("imagenet.txt").read_text("utf-8")
    return {line[:9]: line[10:] for line in text.splitlines()}
