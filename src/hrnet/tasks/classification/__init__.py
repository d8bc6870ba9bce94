"""Image classification: a whole picture -> the scores of its classes."""
