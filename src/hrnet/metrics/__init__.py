"""Metrics of predictions: numpy arrays in, plain numbers out."""
