"""Recipes of pose: each public function of these files, one for each family."""

from hrnet.recipes.pose import face, hrformer, hrnet, litehrnet, mmpose, small_hrnet

FAMILIES = (hrnet, litehrnet, hrformer, small_hrnet, face, mmpose)
"""The files, in the order of the list of recipes."""
