"""Two reports side by side: what got worse, and by more than is tolerated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from edgesparse.errors import InputError, SettingsError
from edgesparse.report.show.figures import exact, is_missing

__all__ = ["Comparison", "Figure", "compare_reports", "parse_percent", "parse_points"]

_FIGURES = (
    ("flash", "flash_bytes", "bytes", True),
    ("weights", "weight_bytes", "bytes", False),
    ("RAM", "ram_bytes", "bytes", True),
    ("arena", "arena_bytes", "bytes", False),
    ("instructions", "instructions", "", True),
    ("cycles (estimate)", "cycles", "", False),
)
"""Name, field of `sparse`, unit, and whether a rise is a regression: cycles are estimates, the others are parts."""

_CONDITIONS = (
    ("model file", ("source", "sha256")),
    ("runtime", ("settings", "runtime")),
    ("toolchain", ("environment", "toolchain")),
    ("emulator", ("environment", "emulator")),
    ("sparsity asked for", ("settings", "sparsity")),
    ("optimize", ("settings", "optimize")),
    ("edgesparse", ("edgesparse",)),
)


@dataclass(frozen=True)
class Figure:
    """One figure of both reports. `old`, `new`: numbers, or `{"unavailable": reason}`.

    `change`: in words. `checked`: whether it can be a regression at all; `ok`: whether it is none.
    """

    name: str
    unit: str
    old: Any
    new: Any
    change: str
    checked: bool
    ok: bool
    tolerance: str

    def describe(self) -> str:
        """One line."""
        unit = f" {self.unit}" if self.unit else ""
        if is_missing(self.new):
            return f"regression of {self.name}: {exact(self.old)}{unit} before, now not measured: {exact(self.new)}"
        return (
            f"regression of {self.name}: {exact(self.old)} to {exact(self.new)}{unit} ({self.change}), tolerated "
            f"{self.tolerance}"
        )


@dataclass(frozen=True)
class Comparison:
    """All figures; `notes` says what else differs between the two runs."""

    figures: tuple[Figure, ...]
    notes: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Figure, ...]:
        """The figures that got worse than tolerated."""
        return tuple(figure for figure in self.figures if not figure.ok)

    def as_json(self) -> dict[str, Any]:
        """What `compare --json` prints."""
        return {
            "ok": not self.regressions,
            "figures": [asdict(figure) for figure in self.figures],
            "notes": list(self.notes),
        }


def compare_reports(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    tolerance: Fraction,
    accuracy_tolerance: Fraction,
    any_board: bool = False,
) -> Comparison:
    """Compare two objects of report.json.

    tolerance: of flash, RAM, instructions and a mean squared error, as a share of the old figure.
    accuracy_tolerance: of accuracy and of agreement with the float model, in percentage points. any_board: compare
    reports of different boards. InputError where boards or metrics differ.
    A figure that the old report has and the new one lacks is a regression.
    """
    boards = [report["board"]["name"] for report in (old, new)]
    if boards[0] != boards[1] and not any_board:
        raise InputError(
            f"the reports are of different boards, {boards[0]} and {boards[1]}: their figures do not compare; run both "
            "on one board, or give --any-board"
        )
    figures = [
        _rise(name, unit, _field(old, field), _field(new, field), tolerance, checked)
        for name, field, unit, checked in _FIGURES
    ]
    figures.append(_accuracy(old.get("accuracy", {}), new.get("accuracy", {}), tolerance, accuracy_tolerance))
    figures.append(_agreement(old, new, accuracy_tolerance))
    return Comparison(tuple(figures), _notes(old, new))


def parse_percent(text: str, name: str) -> Fraction:
    """ "1%" as a share; SettingsError for anything else."""
    return _parse(text, "%", name, "1%") / 100


def parse_points(text: str, name: str) -> Fraction:
    """ "0.5pt" as percentage points; SettingsError for anything else."""
    return _parse(text, "pt", name, "0.5pt")


def _parse(text: str, unit: str, name: str, example: str) -> Fraction:
    digits = text.strip().removesuffix(unit)
    plain = digits.replace(".", "", 1)
    if digits == text.strip() or not (plain.isascii() and plain.isdigit()):
        raise SettingsError(f"{name}: expected a number with {unit}, as {example}, got {text!r}")
    return Fraction(digits)


def _field(report: Mapping[str, Any], field: str) -> Any:
    return report.get("sparse", {}).get(field, {"unavailable": f"the report has no {field}"})


def _rise(name: str, unit: str, old: Any, new: Any, tolerance: Fraction, checked: bool) -> Figure:
    """A figure that should not rise by more than a share of itself."""
    tolerated = f"+{_decimal(100 * tolerance)}%" if checked else ""
    if is_missing(old) or is_missing(new):
        return Figure(name, unit, old, new, "", checked, not checked or is_missing(old), tolerated)
    before, after = Fraction(str(old)), Fraction(str(new))
    if before == after:
        change = "0%"
    else:
        change = f"{float(100 * (after - before) / before):+.2f}%" if before else f"{float(after):+g}"
    ok = not checked or after <= before * (1 + tolerance)
    return Figure(name, unit, old, new, change, checked, ok, tolerated)


def _fall(name: str, old: Any, new: Any, tolerance: Fraction) -> Figure:
    """A share that should not fall by more than so many percentage points."""
    tolerated = f"-{_decimal(tolerance)} points"
    if is_missing(old) or is_missing(new):
        return Figure(name, "", old, new, "", True, is_missing(old), tolerated)
    points = 100 * (Fraction(str(new)) - Fraction(str(old)))
    change = f"{float(points):+.2f} points" if points else "0 points"
    return Figure(name, "", old, new, change, True, -points <= tolerance, tolerated)


def _accuracy(old: Mapping[str, Any], new: Mapping[str, Any], tolerance: Fraction, points: Fraction) -> Figure:
    metrics = [part.get("metric") for part in (old, new)]
    if None not in metrics and metrics[0] != metrics[1]:
        raise InputError(f"the reports have different metrics, {metrics[0]} and {metrics[1]}: they do not compare")
    absent = {"unavailable": "the report has no accuracy"}
    before, after = (dict(part) if "unavailable" in part else part.get("sparse_int8", absent) for part in (old, new))
    metric = metrics[0] or metrics[1]
    if metric == "mse":
        return _rise("mean squared error", "", before, after, tolerance, True)
    return _fall(f"accuracy ({metric})" if metric else "accuracy", before, after, points)


def _agreement(old: Mapping[str, Any], new: Mapping[str, Any], points: Fraction) -> Figure:
    """Agreement with the float model, which needs no labels; the correlation where there are no classes."""
    names, values = [], []
    for report in (old, new):
        fidelity = report.get("fidelity", {})
        figures = fidelity.get("sparse_vs_float", fidelity)
        name = "top1_agreement" if "top1_agreement" in figures else "correlation"
        absent = {"unavailable": "the report has no fidelity"}
        values.append(dict(figures) if "unavailable" in figures else figures.get(name, absent))
        names.append(name)
    if names[0] != names[1] and not any(is_missing(value) for value in values):
        raise InputError("one report has class scores, the other has none: they do not compare")
    name = names[1] if is_missing(values[0]) else names[0]
    return _fall(f"{name.replace('_', ' ')} with the float model", values[0], values[1], points)


def _notes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    notes = []
    for name, path in (("board", ("board", "name")), *_CONDITIONS):
        before, after = (_follow(report, path) for report in (old, new))
        if before != after:
            notes.append(f"{name} differs: {_short(before)} and {_short(after)}")
    return tuple(notes)


def _follow(report: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = report
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text[:12] if len(text) == 64 else text


def _decimal(value: Fraction) -> str:
    return f"{float(value):g}"
