"""The names of what a run folder holds."""

LAST, BEST = "last.safetensors", "best.safetensors"
"""Checkpoints: of the last epoch, and of the best one by the task's first metric."""

EXPERIMENT = "experiment.json"
"""The settings; `--config` takes them to repeat the run."""

ENVIRONMENT = "environment.json"
"""Versions, machine and data sets."""

LOG = "log.jsonl"
"""A row a line; see `engine.journal`."""

STATE = "state.safetensors"
"""All that is needed to go on; see `engine.state`."""

PICTURES = "pictures"
"""The folder of drawn validation pictures."""
