"""Measures of predictions: numpy in, plain numbers out."""
