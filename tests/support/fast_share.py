"""Of many cases that show the same, some for every run; the others are slow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

__all__ = ["few"]


def few(cases: int | Sequence[Any], *, of: int, every: int = 1) -> list[Any]:
    """Cases for parametrize (range(cases) for a number): `of` of them fast, each `every`-th; the others marked slow."""
    values = list(range(cases)) if isinstance(cases, int) else list(cases)
    fast = range(0, of * every, every)
    return [
        value
        if index in fast
        else pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow)
        for index, value in enumerate(values)
    ]
