"""Recipes of classification: each public function of these files, one for each family."""

from hrnet.recipes.classification import hrformer, hrnet

FAMILIES = (hrnet, hrformer)
"""The files, in the order of the list of recipes."""
