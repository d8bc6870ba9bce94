"""One file for each task: from a picture to the answer, in numpy."""
