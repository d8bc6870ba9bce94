"""Object detection: boxes, classes and masks in a picture."""
