"""The arithmetic of plots: values to places in the picture, and round values for the axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["BOTTOM", "HEIGHT", "LEFT", "WIDTH", "Scale", "across", "up"]

WIDTH, HEIGHT, LEFT = 640, 340, 64
_AXIS, _MARGIN, _TICKS = 40, 16, 5
BOTTOM = HEIGHT - _AXIS


@dataclass(frozen=True)
class Scale:
    """An axis."""

    least: float
    most: float

    def share(self, value: float) -> float:
        """0 to 1."""
        return (value - self.least) / (self.most - self.least) if self.most > self.least else 0.5

    def ticks(self) -> list[float]:
        """Round values between the least and the most: multiples of 1, 2 or 5 times a power of ten."""
        span = self.most - self.least
        if span <= 0:
            return [self.least]
        power = 10.0 ** math.floor(math.log10(span / _TICKS))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * _TICKS >= span)
        first, last = math.ceil(self.least / step), math.floor(self.most / step)
        return [round(step * i, 12) for i in range(first, last + 1)]


def across(share: float) -> float:
    """The x of a share of the axis, 0 to 1."""
    return round(LEFT + share * (WIDTH - LEFT - _MARGIN), 1)


def up(share: float) -> float:
    """The y of a share of the axis, 0 to 1."""
    return round(BOTTOM - share * (BOTTOM - _MARGIN), 1)
