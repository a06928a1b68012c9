"""Two reports side by side: what got worse, and by more than is tolerated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from edgesparse import record
from edgesparse.errors import InputError, SettingsError
from edgesparse.missing import Missing
from edgesparse.record import Json
from edgesparse.report.fidelity import closeness
from edgesparse.report.report import Report
from edgesparse.report.show.figures import exact
from edgesparse.result import Accuracy, BuildFigures, Fidelity

__all__ = ["Comparison", "Figure", "compare_reports", "parse_percent", "parse_points"]

Value: TypeAlias = int | float | Missing

_FIGURES: tuple[tuple[str, Callable[[BuildFigures], Value], str, bool], ...] = (
    ("flash", lambda build: build.flash_bytes, "bytes", True),
    ("weights", lambda build: build.weight_bytes, "bytes", False),
    ("RAM", lambda build: build.ram_bytes, "bytes", True),
    ("arena", lambda build: build.arena_bytes, "bytes", False),
    ("instructions", lambda build: build.instructions, "", True),
    ("cycles (estimate)", lambda build: build.cycles, "", False),
)
"""Name, figure of `sparse`, unit, and whether a rise is a regression: cycles are estimates, the others are parts."""

_CONDITIONS: tuple[tuple[str, Callable[[Report], str | float]], ...] = (
    ("board", lambda report: report.board.name),
    ("model file", lambda report: report.source.sha256),
    ("runtime", lambda report: report.settings.runtime),
    ("toolchain", lambda report: report.environment.toolchain),
    ("emulator", lambda report: report.environment.emulator),
    ("sparsity asked for", lambda report: report.settings.sparsity),
    ("optimize", lambda report: report.settings.optimize),
    ("edgesparse", lambda report: report.edgesparse),
)


@dataclass(frozen=True)
class Figure:
    """One figure of both reports.

    `change`: in words. `checked`: whether it can be a regression at all; `ok`: whether it is none.
    """

    name: str
    unit: str
    old: Value
    new: Value
    change: str
    checked: bool
    ok: bool
    tolerance: str

    def describe(self) -> str:
        """One line."""
        unit = f" {self.unit}" if self.unit else ""
        if isinstance(self.new, Missing):
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

    def to_json(self) -> Json:
        """What `compare --json` prints."""
        return {"ok": not self.regressions, **record.to_json(self)}


def compare_reports(
    old: Report,
    new: Report,
    *,
    tolerance: Fraction,
    accuracy_tolerance: Fraction,
    any_board: bool = False,
) -> Comparison:
    """Compare two reports.

    tolerance: of flash, RAM, instructions and a mean squared error, as a share of the old figure.
    accuracy_tolerance: of accuracy and of agreement with the float model, in percentage points. any_board: compare
    reports of different boards. InputError where boards or metrics differ.
    A figure that the old report has and the new one lacks is a regression.
    """
    boards = [report.board.name for report in (old, new)]
    if boards[0] != boards[1] and not any_board:
        raise InputError(
            f"the reports are of different boards, {boards[0]} and {boards[1]}: their figures do not compare; run both "
            "on one board, or give --any-board"
        )
    figures = [
        _rise(name, unit, figure(old.sparse), figure(new.sparse), tolerance, checked)
        for name, figure, unit, checked in _FIGURES
    ]
    figures.append(_accuracy(old.accuracy, new.accuracy, tolerance, accuracy_tolerance))
    figures.append(_agreement(old.fidelity, new.fidelity, accuracy_tolerance))
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


def _rise(name: str, unit: str, old: Value, new: Value, tolerance: Fraction, checked: bool) -> Figure:
    """A figure that should not rise by more than a share of itself."""
    tolerated = f"+{_decimal(100 * tolerance)}%" if checked else ""
    if isinstance(old, Missing) or isinstance(new, Missing):
        return Figure(name, unit, old, new, "", checked, not checked or isinstance(old, Missing), tolerated)
    before, after = Fraction(str(old)), Fraction(str(new))
    if before == after:
        change = "0%"
    else:
        change = f"{_float(100 * (after - before) / before):+.2f}%" if before else f"{_float(after):+g}"
    ok = not checked or after <= before * (1 + tolerance)
    return Figure(name, unit, old, new, change, checked, ok, tolerated)


def _fall(name: str, old: Value, new: Value, tolerance: Fraction) -> Figure:
    """A share that should not fall by more than so many percentage points."""
    tolerated = f"-{_decimal(tolerance)} points"
    if isinstance(old, Missing) or isinstance(new, Missing):
        return Figure(name, "", old, new, "", True, isinstance(old, Missing), tolerated)
    points = 100 * (Fraction(str(new)) - Fraction(str(old)))
    change = f"{_float(points):+.2f} points" if points else "0 points"
    return Figure(name, "", old, new, change, True, -points <= tolerance, tolerated)


def _accuracy(old: Accuracy | Missing, new: Accuracy | Missing, tolerance: Fraction, points: Fraction) -> Figure:
    metrics = [part.metric for part in (old, new) if not isinstance(part, Missing)]
    if len(set(metrics)) > 1:
        raise InputError(f"the reports have different metrics, {metrics[0]} and {metrics[1]}: they do not compare")
    before, after = (part if isinstance(part, Missing) else part.sparse_int8 for part in (old, new))
    if not metrics:
        return _fall("accuracy", before, after, points)
    if metrics[0] == "mse":
        return _rise("mean squared error", "", before, after, tolerance, True)
    return _fall(f"accuracy ({metrics[0]})", before, after, points)


def _agreement(old: Fidelity | Missing, new: Fidelity | Missing, points: Fraction) -> Figure:
    """Agreement with the float model, which needs no labels; the correlation where there are no classes."""
    names: list[str] = []
    values: list[Value] = []
    for fidelity in (old, new):
        if isinstance(fidelity, Missing):
            values.append(fidelity)
        else:
            name, value = closeness(fidelity.sparse_vs_float)
            names.append(name)
            values.append(value)
    if len(set(names)) > 1:
        raise InputError("one report has class scores, the other has none: they do not compare")
    name = names[0] if names else "correlation"
    return _fall(f"{name.replace('_', ' ')} with the float model", values[0], values[1], points)


def _notes(old: Report, new: Report) -> tuple[str, ...]:
    pairs = [(name, condition(old), condition(new)) for name, condition in _CONDITIONS]
    return tuple(
        f"{name} differs: {_short(before)} and {_short(after)}" for name, before, after in pairs if before != after
    )


def _short(value: str | float) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text


def _decimal(value: Fraction) -> str:
    return f"{_float(value):g}"


def _float(value: Fraction) -> float:
    """Infinite where a float cannot hold it: a change from next to nothing."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
