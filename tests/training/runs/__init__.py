"""Tests of the training loop, on pictures of coloured discs."""
