"""Recipes of segmentation: each public function of these files, one for each lineage."""

from hrnet.recipes.segmentation import hrformer, hrnet, litehrnet, mmsegmentation

FAMILIES = (hrnet, hrformer, mmsegmentation, litehrnet)
"""The files, in the order of the list of recipes."""
