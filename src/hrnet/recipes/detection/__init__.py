"""Recipes of detection: each public function of these files, one for each lineage of trainings."""

from hrnet.recipes.detection import hrnet, hrnet_legacy, light

FAMILIES = (hrnet, hrnet_legacy, light)
"""The files, in the order of the list of recipes."""
