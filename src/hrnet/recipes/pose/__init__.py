"""Recipes of pose: each public function of these files, one for each family."""

from hrnet.recipes.pose import hrformer, hrnet, litehrnet, small_hrnet

FAMILIES = (hrnet, litehrnet, hrformer, small_hrnet)
"""The files, in the order of the list of recipes."""
