"""Pure functions from numbers to places on an axis, and the ticks of the axis."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

LOG_FROM_RATIO = 20.0
"""Values that are all above 0 and differ by more than this factor get a logarithmic axis."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A monotone map of values low..high to places start_px..end_px, linear or logarithmic."""

    low: float
    high: float
    start_px: float
    end_px: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a finite value, above 0 where the scale is logarithmic."""
        low, high = self._bent(self.low), self._bent(self.high)
        part = (self._bent(value) - low) / (high - low)
        return self.start_px + part * (self.end_px - self.start_px)

    def _bent(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self, about: int) -> list[float]:
        """Return about so many round values within the scale, in rising order."""
        return _log_ticks(self.low, self.high, about) if self.log else self._linear_ticks(about)

    def _linear_ticks(self, about: int) -> list[float]:
        step = nice_step((self.high - self.low) / about)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        ticks = (index * step for index in range(first, last + 1))
        return [min(max(tick, self.low), self.high) for tick in ticks]  # rounding leads out of it


def nice_step(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20, 50 ..., 0.5, 0.2 ... that is at least this."""
    power = 10.0 ** math.floor(math.log10(least))
    factor = next(factor for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
    return factor * power


def _log_ticks(low: float, high: float, about: int) -> list[float]:
    """Return powers of ten: with 2 and 5 between them where there are few, thinned if many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    powers = range(first, last + 1)
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    ticks = [factor * 10.0**power for power in powers for factor in factors]
    within = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
    return within[:: max(1, math.ceil(len(within) / (about + 2)))]


def fit_scale(
    values: Iterable[float],
    start_px: float,
    end_px: float,
    *,
    fixed: tuple[float, float] | None = None,
    from_zero: bool = False,
    may_log: bool = False,
) -> Scale:
    """Return a scale that holds all finite values, with some room; 0..1 where there are none.

    fixed: the range, whatever the values are. from_zero: start at 0. may_log: be logarithmic from
    `LOG_FROM_RATIO` on.
    """
    finite = [value for value in values if math.isfinite(value)]
    # The range of the values.
    low, high = fixed or ((min(finite), max(finite)) if finite else (0.0, 1.0))
    # Room beyond it: a tenth by factor, a twentieth above a start at 0.
    if fixed is None and may_log and low > 0 and high / low > LOG_FROM_RATIO:
        return Scale(low / 1.1, high * 1.1, start_px, end_px, log=True)
    if fixed is None and from_zero:
        low, high = min(low, 0.0), high + 0.05 * abs(high)
    # A range without a width gets one.
    if low == high:
        room = abs(low) / 2 or 0.5
        low, high = (low if from_zero else low - room), high + room
    return Scale(low, high, start_px, end_px)


def tick_label(value: float) -> str:
    """Format a tick's number in a few letters: 0.25, 12,000, 2e-4."""
    if value and not 1e-2 <= abs(value) < 1e6:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{value:,.6f}".rstrip("0").rstrip(".") if value else "0"
