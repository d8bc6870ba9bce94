"""Trainings by name: a recipe is a function that returns an `Experiment`.

A new recipe is a public function in one of the files here, one for each family, and its name in
`_POSE`.
"""

from collections.abc import Callable
from difflib import get_close_matches

from hrnet.config import Experiment
from hrnet.errors import InputError
from hrnet.recipes import hrformer, hrnet, litehrnet, small_hrnet

_POSE: tuple[Callable[[], Experiment], ...] = (
    hrnet.hrnet_w32_coco_256x192,
    hrnet.hrnet_w32_coco_384x288,
    hrnet.hrnet_w48_coco_256x192,
    hrnet.hrnet_w48_coco_384x288,
    hrnet.hrnet_w32_mpii_256x256,
    hrnet.hrnet_w48_mpii_256x256,
    litehrnet.litehrnet_18_coco_256x192,
    litehrnet.litehrnet_18_coco_384x288,
    litehrnet.litehrnet_30_coco_256x192,
    litehrnet.litehrnet_30_coco_384x288,
    litehrnet.naive_litehrnet_18_coco_256x192,
    litehrnet.wider_naive_litehrnet_18_coco_256x192,
    litehrnet.litehrnet_18_mpii_256x256,
    litehrnet.litehrnet_30_mpii_256x256,
    litehrnet.naive_litehrnet_18_mpii_256x256,
    litehrnet.wider_naive_litehrnet_18_mpii_256x256,
    hrformer.hrformer_small_coco_256x192,
    hrformer.hrformer_small_coco_384x288,
    hrformer.hrformer_base_coco_256x192,
    hrformer.hrformer_base_coco_384x288,
    small_hrnet.small_hrnet_w16_coco_256x192,
    small_hrnet.small_hrnet_w16_few_128x96,
    small_hrnet.small_hrnet_w16_few_192x128,
    small_hrnet.small_hrnet_w16_few_256x192,
)

RECIPES: dict[str, Callable[[], Experiment]] = {
    f"pose/{recipe.__name__}": recipe for recipe in _POSE
}
"""By name, the families one after the other."""


def get_recipe(name: str) -> Experiment:
    """Return a recipe's experiment; raises InputError with near names for an unknown one."""
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, n=3, cutoff=0.3) or list(RECIPES)[:3]
        raise InputError(
            f"unknown recipe {name!r}; did you mean {' or '.join(near)}? `hrnet recipes` lists all"
        )
    return RECIPES[name]()
