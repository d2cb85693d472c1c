"""Axes: from a value to a place on the page, and the round values that get a tick."""

import math
from dataclasses import dataclass

STEPS = (1, 2, 2.5, 5, 10)
DECADE = (1, 2, 5)
SMALL = 1e-3  # figures that all lie below it are read better with an exponent


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in pixels."""

    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic axis from `low` to `high`, drawn from pixel `start` to pixel `end`."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Pixel of a value, to a tenth."""
        low, high, at = (math.log10(x) if self.logarithmic else x for x in (self.low, self.high, value))
        return round(self.start + (at - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self, count: int = 5) -> tuple[Tick, ...]:
        """About `count` ticks at round values inside the axis (1, 2, 5 of each decade when logarithmic)."""
        if self.logarithmic:
            return tuple(Tick(self.place(value), f"{value:.10g}") for value in self._decades())
        values = self._rounds(count)
        places = max(len(f"{value:.10f}".rstrip("0").partition(".")[2]) for value in values) if values else 0
        form = ".0e" if self.high < SMALL else f".{places}f"
        return tuple(Tick(self.place(value), format(value, form) if value else "0") for value in values)

    def _decades(self) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        values = [step * 10.0**power for power in range(first, last + 1) for step in DECADE]
        return [value for value in values if self.low <= value <= self.high]

    def _rounds(self, count: int) -> list[float]:
        raw = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(power * size for size in STEPS if power * size >= raw * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(i * step, 12) for i in range(first, last + 1)]


@dataclass(frozen=True)
class Frame:
    """Size of a figure and the edges of what its axes enclose, in pixels from the upper left corner."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int

    def across(self, low: float, high: float, logarithmic: bool = False) -> Axis:
        """The axis from left to right."""
        return Axis(low, high, self.left, self.right, logarithmic)

    def up(self, low: float, high: float, logarithmic: bool = False) -> Axis:
        """The axis from the bottom to the top."""
        return Axis(low, high, self.bottom, self.top, logarithmic)
