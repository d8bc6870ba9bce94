"""A training for annotations of the user's own, chosen from what they hold."""
