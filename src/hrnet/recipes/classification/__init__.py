"""Recipes of classification: each public function of these files, one for each family."""

from collections.abc import Callable
from inspect import isfunction

from hrnet.recipes.classification import hrformer, hrnet
from hrnet.tasks.classification.config import ClassificationExperiment

RECIPES: dict[str, Callable[[], ClassificationExperiment]] = {
    f"classification/{name}": value
    for family in (hrnet, hrformer)
    for name, value in vars(family).items()
    if isfunction(value) and value.__module__ == family.__name__ and not name.startswith("_")
}
"""Name -> recipe, in the order of the files."""
