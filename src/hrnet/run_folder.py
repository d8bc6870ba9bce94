"""Names of the files in a run folder."""

LAST, BEST = "last.safetensors", "best.safetensors"
"""Checkpoints: of the last epoch, and of the best one by the task's first metric."""

EXPERIMENT = "experiment.json"
"""Settings of the run; `hrnet train --config` repeats it."""

ENVIRONMENT = "environment.json"
"""Versions, machine and data sets of the run."""

LOG = "log.jsonl"
"""Training log, one JSON object a line; see `training.journal`."""

STATE = "state.safetensors"
"""Everything needed to resume; see `training.state`."""

FOLDS = "folds.json"
"""Plan and figures of a cross-validation, in the folder of its runs; see `training.folds`."""

PICTURES = "pictures"
"""Folder of drawn validation images."""
