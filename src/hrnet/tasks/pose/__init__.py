"""Pose: boxes of a picture to keypoints."""
