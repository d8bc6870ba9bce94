"""The names of metrics: which are errors, so that less is better, and which have a unit."""

LOWER_IS_BETTER = ("error ", "MRE ", "NME", "FR ")
"""Beginnings of the names of errors; of all other metrics more is better."""

UNITS = (" px", " mm")
"""Parts of the names of metrics that are no shares of one."""


def is_better(name: str, value: float, than: float) -> bool:
    """Return whether a value of a metric is better than another or equal.

    Below 0 nothing could count, which is worse than any value.
    """
    if value < 0 or than < 0:
        return value >= 0 or than < 0
    return value <= than if name.startswith(LOWER_IS_BETTER) else value >= than


def shown(name: str, value: float) -> str:
    """Return a metric's value for a person: three decimals, of errors four digits; "–" below 0."""
    if not value >= 0:
        return "–"
    return f"{value:.4g}" if name.startswith(LOWER_IS_BETTER) else f"{value:.3f}"


def has_unit(name: str) -> bool:
    """Return True for a metric in pixels or millimetres."""
    return name.startswith(LOWER_IS_BETTER) and any(unit in name for unit in UNITS)
