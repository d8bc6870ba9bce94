"""Trainings by name: a recipe is a function that returns an `Experiment`.

There is a folder for each task and in it a file for each family of networks: `pose/hrnet.py`.
"""

from collections.abc import Callable
from difflib import get_close_matches
from inspect import isfunction

from hrnet.config import Experiment
from hrnet.errors import InputError
from hrnet.recipes import classification, detection, pose, segmentation

_TASKS = {
    "pose": pose.FAMILIES,
    "classification": classification.FAMILIES,
    "detection": detection.FAMILIES,
    "segmentation": segmentation.FAMILIES,
}

RECIPES: dict[str, Callable[[], Experiment]] = {
    f"{task}/{name}": value
    for task, families in _TASKS.items()
    for family in families
    for name, value in vars(family).items()
    if isfunction(value) and value.__module__ == family.__name__ and not name.startswith("_")
}
"""Task and name -> recipe, in the order of the files: `pose/hrnet_w32_coco_256x192`."""


def get_recipe(name: str) -> Experiment:
    """Return a recipe's experiment; raises InputError with near names for an unknown one."""
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, n=3, cutoff=0.3) or list(RECIPES)[:3]
        raise InputError(
            f"unknown recipe {name!r}; did you mean {' or '.join(near)}? `hrnet recipes` lists all"
        )
    return RECIPES[name]()
