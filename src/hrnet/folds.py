"""The plan and the figures of a cross-validation, as they stand in its folder."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from hrnet.errors import InputError
from hrnet.files import is_file, make_writable_folder, read_json, write_text
from hrnet.run_folder import FOLDS

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Plan:
    """A cross-validation as it was asked for; files are absolute.

    names: of the folds, of their runs' folders and of their data. The rest: see `own_experiment`.
    """

    names: tuple[str, ...]
    images: str
    category: str | None
    whole_images: bool
    mm_per_pixel: float | None
    settings: tuple[str, ...]


_PLAN = TypeAdapter(Plan)
_FIGURES = TypeAdapter(dict[str, Figures])


def is_cross_validation(folder: Path) -> bool:
    """Return True for the folder of a cross-validation."""
    return is_file(folder / FOLDS)


def part_of(folder: Path, name: str, part: str) -> Path:
    """Return the annotations of a fold. part: "train", all others, or "val", the fold itself."""
    return folder / "data" / f"{name}_{part}.json"


def read_folds(folder: Path) -> tuple[Plan, dict[str, Figures]]:
    """Read the plan and the figures so far; InputError where the file is none of ours."""
    content = read_json(folder / FOLDS, "the folds")
    try:
        plan, done = _PLAN.validate_python(content["plan"]), content["folds"]  # type: ignore[index]
        return plan, _FIGURES.validate_python(done)
    except (ValidationError, TypeError, KeyError):
        raise InputError(f"{folder / FOLDS} is damaged; start the cross-validation again") from None


def write_folds(folder: Path, plan: Plan, done: Mapping[str, Figures]) -> None:
    """Write the plan, the figures of each fold that is done, and those over all."""
    over_folds = {
        name: {"mean": mean, "sd": None if math.isnan(sd) else sd}
        for name, (mean, sd) in over_all(done).items()
    }
    content = {"plan": asdict(plan), "folds": done, "over_folds": over_folds}
    make_writable_folder(folder)
    write_text(folder / FOLDS, json.dumps(content, indent=1))


def over_all(done: Mapping[str, Figures]) -> dict[str, tuple[float, float]]:
    """Return mean and standard deviation of each figure over the folds that have it.

    The deviation is that of a sample, over one fold less; NaN for a single fold.
    """
    names = dict.fromkeys(name for figures in done.values() for name in figures)
    found = {}
    for name in names:
        values = np.array([one[name] for one in done.values() if one.get(name, -1) >= 0])
        spread = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        found[name] = (float(values.mean()) if len(values) else -1.0, spread)
    return found
