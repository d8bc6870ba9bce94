"""Recipes of pose: each public function of these files, one for each family."""

from collections.abc import Callable
from inspect import isfunction

from hrnet.recipes.pose import hrformer, hrnet, litehrnet, small_hrnet
from hrnet.tasks.pose.config import PoseExperiment

RECIPES: dict[str, Callable[[], PoseExperiment]] = {
    f"pose/{name}": value
    for family in (hrnet, litehrnet, hrformer, small_hrnet)
    for name, value in vars(family).items()
    if isfunction(value) and value.__module__ == family.__name__ and not name.startswith("_")
}
"""Name -> recipe, in the order of the files."""
