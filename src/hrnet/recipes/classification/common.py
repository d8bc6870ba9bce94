"""The ImageNet data and the parts that all published classification trainings share."""

from pathlib import Path

from hrnet.config import RunConfig
from hrnet.tasks.classification.config import ClassData

IMAGENET = ClassData(path=Path("data/imagenet/train"), val=Path("data/imagenet/val"))
"""ILSVRC 2012: a folder a WordNet id with its pictures, for 1,281,167 and 50,000 pictures."""

ON_IMAGENET = RunConfig(workers=8, cache_images=False)
"""A million decoded pictures fit into no memory."""

PICTURES = 1_281_167
"""Of the training data; published warm-ups are given in epochs."""
