"""Odd numbers, names and structures for every reader and command."""
