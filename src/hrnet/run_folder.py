"""Names of the files in a run folder, besides its checkpoints (`weights.catalog`)."""

EXPERIMENT = "experiment.json"
"""Settings of the run; `hrnet train --config` repeats it."""

ENVIRONMENT = "environment.json"
"""Versions, machine and data sets of the run."""

LOG = "log.jsonl"
"""Training log, one JSON object a line; see `training.journal`."""

STATE = "state.safetensors"
"""Everything needed to resume; see `training.state`."""

PICTURES = "pictures"
"""Folder of drawn validation images."""
