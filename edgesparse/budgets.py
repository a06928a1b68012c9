"""Budgets: limits on figures of report.json, as `--budget flash=96K,latency=20ms` gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from edgesparse.errors import SettingsError

__all__ = [
    "BUDGETS",
    "Budget",
    "Limit",
    "check_budgets",
    "describe_budget",
    "evaluate_budgets",
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

    `path`: of the figure in report.json; () where it is computed. `scales`: the suffixes that a value may have, each
    with its factor to `unit`. `least`: the limit is the smallest value allowed, not the largest.
    """

    path: tuple[str, ...]
    unit: str
    scales: Mapping[str, int] | Mapping[str, Fraction]
    whole: bool = True
    least: bool = False


BUDGETS: dict[str, Budget] = {
    "flash": Budget(("sparse", "flash_bytes"), "bytes", _BYTES),
    "weights": Budget(("sparse", "weight_bytes"), "bytes", _BYTES),
    "ram": Budget(("sparse", "ram_bytes"), "bytes", _BYTES),
    "arena": Budget(("sparse", "arena_bytes"), "bytes", _BYTES),
    "instructions": Budget(("sparse", "instructions"), "", _COUNT),
    "cycles": Budget(("sparse", "cycles"), "", _COUNT),
    "latency": Budget(("sparse", "latency_ms"), "ms", _TIME, whole=False),
    "accuracy-drop": Budget((), "pt", _POINTS, whole=False),
    "agreement": Budget((), "", _SHARE, whole=False, least=True),
}
"""By the name that --budget gives. All are of the sparse firmware, the one that ships."""

_VALUE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z%]*)")


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
            raise SettingsError(f"budget: expected name=limit, got {part.strip()!r}; names: {_forms()}")
        if name not in BUDGETS:
            raise SettingsError(f"budget: no figure is called {name!r}; known: {_forms()}")
        if name in limits:
            raise SettingsError(f"budget: {name!r} is given twice")
        limits[name] = Limit(name, _parse_value(name, value))
    return tuple(limits.values())


def check_budgets(text: str | None, *, accuracy: str = "", agreement: str = "") -> None:
    """SettingsError where a limit is on a figure that the run cannot measure; the arguments say why not.

    For what is known before anything is converted. What turns out later makes evaluate_budgets say `ok: false`.
    """
    for limit in parse_budget(text) if text is not None else ():
        reason = {"accuracy-drop": accuracy, "agreement": agreement}.get(limit.name)
        if reason:
            raise SettingsError(f"budget: {limit.name} cannot be measured: {reason}")


def evaluate_budgets(text: str | None, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`budgets` of report.json: name, limit, actual, unit, ok.

    A figure that the report does not have is `{"unavailable": reason}`, and its budget is not kept.
    """
    rows = []
    for limit in parse_budget(text) if text is not None else ():
        budget = BUDGETS[limit.name]
        actual = _figure(limit.name, report)
        measured = not isinstance(actual, dict)
        ok = measured and (actual >= limit.value if budget.least else actual <= limit.value)
        rows.append({"name": limit.name, "limit": limit.value, "actual": actual, "unit": budget.unit, "ok": ok})
    return rows


def describe_budget(row: Mapping[str, Any]) -> str:
    """One line on a row of `budgets`."""
    unit = f" {row['unit']}" if row["unit"] else ""
    least = row["name"] in BUDGETS and BUDGETS[row["name"]].least
    limit = f"{'at least' if least else 'at most'} {row['limit']:,}{unit}"
    actual = row["actual"]
    if isinstance(actual, Mapping):
        return f"budget {row['name']}: cannot be checked against {limit}: {actual['unavailable']}"
    verdict = "kept" if row["ok"] else "not reached" if least else "exceeded"
    return f"budget {row['name']} {verdict}: {actual:,}{unit}, allowed {limit}"


def _figure(name: str, report: Mapping[str, Any]) -> Any:
    if name == "accuracy-drop":
        return _accuracy_drop(report.get("accuracy", {}))
    if name == "agreement":
        return _agreement(report.get("fidelity", {}))
    value: Any = report
    for key in BUDGETS[name].path:
        if not isinstance(value, Mapping) or "unavailable" in value:
            break
        value = value.get(key, {"unavailable": f"the report has no {key}"})
    return value


def _accuracy_drop(accuracy: Mapping[str, Any]) -> Any:
    """Percentage points from the float model to the sparse int8 one."""
    if "unavailable" in accuracy:
        return dict(accuracy)
    if accuracy.get("metric") == "mse":
        return {"unavailable": "the metric is mse; points of accuracy need labels that are whole numbers"}
    if not {"float", "sparse_int8"} <= set(accuracy):
        return {"unavailable": "the report has no accuracy"}
    return round((accuracy["float"] - accuracy["sparse_int8"]) * 100, 6)


def _agreement(fidelity: Mapping[str, Any]) -> Any:
    """Top-1 agreement with the float model; the correlation of the outputs where there are no classes."""
    figures = fidelity.get("sparse_vs_float", fidelity)
    if "unavailable" in figures:
        return dict(figures)
    missing = {"unavailable": "the report has no fidelity"}
    return figures.get("top1_agreement", figures.get("correlation", missing))


def _parse_value(name: str, text: str) -> int | float:
    budget = BUDGETS[name]
    match = _VALUE.fullmatch(text)
    if match is None or match[2] not in budget.scales:
        raise SettingsError(f"budget: {name}: expected {_form(name)}, got {text!r}")
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
