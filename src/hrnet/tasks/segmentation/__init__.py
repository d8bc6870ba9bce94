"""Semantic segmentation: a picture -> a class for each of its pixels."""
