"""Budgets: limits on figures of a report, as `--budget flash=96K,latency=20ms` gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from edgesparse.errors import SettingsError, shown

__all__ = [
    "BUDGETS",
    "Budget",
    "Limit",
    "check_budgets",
    "parse_budget",
]

_COUNT = {"": 1}
_BYTES = {"": 1, "B": 1, "K": 1024, "M": 1024**2}
_TIME = {"us": Fraction(1, 1000), "ms": Fraction(1), "s": Fraction(1000)}
_POINTS = {"pt": 1}
_SHARE = {"": Fraction(1), "%": Fraction(1, 100)}


@dataclass(frozen=True)
class Budget:
    """What a limit can be set on.

    `scales`: the suffixes that a value may have, each with its factor to `unit`. `least`: the limit is the smallest
    value allowed, not the largest. Which figure it is on: report/budgets.py.
    """

    unit: str
    scales: Mapping[str, int] | Mapping[str, Fraction]
    whole: bool = True
    least: bool = False


BUDGETS: dict[str, Budget] = {
    "flash": Budget("bytes", _BYTES),
    "weights": Budget("bytes", _BYTES),
    "ram": Budget("bytes", _BYTES),
    "arena": Budget("bytes", _BYTES),
    "instructions": Budget("", _COUNT),
    "cycles": Budget("", _COUNT),
    "latency": Budget("ms", _TIME, whole=False),
    "accuracy-drop": Budget("pt", _POINTS, whole=False),
    "agreement": Budget("", _SHARE, whole=False, least=True),
}
"""By the name that --budget gives. All are of the sparse firmware, the one that ships."""

_VALUE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)([A-Za-z%]{0,8})")


@dataclass(frozen=True)
class Limit:
    """One limit. `value` is in the unit of BUDGETS[name]."""

    name: str
    value: int | float


def parse_budget(text: str) -> tuple[Limit, ...]:
    """The limits of `name=value,...`; SettingsError for unknown names and units, with the list of those known.

    K is 1,024 bytes and M 1,048,576. A number of bytes, instructions or cycles is whole.
    """
    limits: dict[str, Limit] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name or not value:
            raise SettingsError(f"budget: expected name=limit, got {shown(part.strip())}; names: {_forms()}")
        if name not in BUDGETS:
            raise SettingsError(f"budget: no figure is called {shown(name)}; known: {_forms()}")
        if name in limits:
            raise SettingsError(f"budget: {name!r} is given twice")
        limits[name] = Limit(name, _parse_value(name, value))
    return tuple(limits.values())


def check_budgets(text: str | None, *, accuracy: str = "", agreement: str = "") -> None:
    """SettingsError where a limit is on a figure that the run cannot measure; the arguments say why not.

    For what is known before anything is converted. What turns out later is a budget that is not kept.
    """
    for limit in parse_budget(text) if text is not None else ():
        reason = {"accuracy-drop": accuracy, "agreement": agreement}.get(limit.name)
        if reason:
            raise SettingsError(f"budget: {limit.name} cannot be measured: {reason}")


def _parse_value(name: str, text: str) -> int | float:
    budget = BUDGETS[name]
    match = _VALUE.fullmatch(text)
    if match is None or match[2] not in budget.scales:
        raise SettingsError(f"budget: {name}: expected {_form(name)}, got {shown(text)}")
    value = Fraction(match[1]) * budget.scales[match[2]]
    if not budget.whole:
        return float(value)
    if value.denominator != 1:
        raise SettingsError(f"budget: {name}: {text!r} is no whole number of {budget.unit or name}")
    return int(value)


def _forms() -> str:
    return ", ".join(f"{name}={_form(name)}" for name in BUDGETS)


def _form(name: str) -> str:
    scales: Sequence[str] = list(BUDGETS[name].scales)
    if scales == [""]:
        return "N"
    return "|".join(f"N{suffix}" for suffix in scales)
