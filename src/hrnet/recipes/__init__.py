"""Trainings by name: a recipe is a function that returns an `Experiment`.

A new recipe is a function in one of the files here and one line in `RECIPES`.
"""

from collections.abc import Callable
from difflib import get_close_matches

from hrnet.config import Experiment
from hrnet.errors import InputError
from hrnet.recipes import pose

RECIPES: dict[str, Callable[[], Experiment]] = {
    "pose/hrnet_w32_coco_256x192": pose.hrnet_w32_coco_256x192,
    "pose/hrnet_w32_coco_384x288": pose.hrnet_w32_coco_384x288,
    "pose/hrnet_w48_coco_256x192": pose.hrnet_w48_coco_256x192,
    "pose/hrnet_w48_coco_384x288": pose.hrnet_w48_coco_384x288,
    "pose/small_hrnet_w16_coco_256x192": pose.small_hrnet_w16_coco_256x192,
    "pose/small_hrnet_w16_few_128x96": pose.small_hrnet_w16_few_128x96,
    "pose/small_hrnet_w16_few_256x192": pose.small_hrnet_w16_few_256x192,
}


def get_recipe(name: str) -> Experiment:
    """Return a recipe's experiment; raises InputError with near names for an unknown one."""
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, n=3, cutoff=0.3) or list(RECIPES)
        raise InputError(f"unknown recipe {name!r}; did you mean {' or '.join(near)}?")
    return RECIPES[name]()
