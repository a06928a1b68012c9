"""report.html: the report for people, in one file that needs neither scripts nor a network.

Every figure is the one of report.json, written with all its digits. Names come from files that others made: they are
escaped, freed of what HTML forbids, and the page forbids scripts to itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypeGuard

import jinja2
from markupsafe import Markup

from edgesparse.missing import Missing
from edgesparse.report.report import Report
from edgesparse.report.show import plots
from edgesparse.report.show.figures import clean, exact, is_missing, label, parts, percent
from edgesparse.report.show.reproduce import command_line
from edgesparse.report.verdict import Verdict, verdict
from edgesparse.result import ArenaBuffer, LayerFigures

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["environment", "render_html", "style"]

_TEMPLATES = Path(__file__).parent / "template"

_FIGURES = (
    ("flash_bytes", "flash, bytes"),
    ("code_bytes", "code"),
    ("weight_bytes", "weights"),
    ("table_bytes", "tables"),
    ("ram_bytes", "RAM, bytes"),
    ("arena_bytes", "arena"),
    ("stack_bytes", "stack"),
    ("static_bytes", "other static data"),
    ("instructions", "instructions, largest"),
    ("instructions_min", "instructions, smallest"),
    ("cycles", "cycles (estimate)"),
    ("latency_ms", "latency, ms (estimate)"),
)
"""Fields of the builds that come first, in this order, each with its head."""


@dataclass(frozen=True)
class _Column:
    """Of the table of layers."""

    title: str
    show: Callable[[LayerFigures], str]
    is_number: bool = True


_LAYER_COLUMNS = (
    _Column("op", lambda layer: layer.op, is_number=False),
    _Column("input", lambda layer: _shape(layer.input_shape), is_number=False),
    _Column("output", lambda layer: _shape(layer.output_shape), is_number=False),
    _Column("MACs", lambda layer: exact(layer.macs)),
    _Column("weights", lambda layer: exact(layer.weights)),
    _Column("zeros", lambda layer: percent(layer.sparsity)),
    _Column("distinct weights", lambda layer: exact(layer.weight_values)),
    _Column("zero inputs", lambda layer: percent(layer.activation_sparsity)),
    _Column("format", lambda layer: layer.format, is_number=False),
    _Column("weight bytes", lambda layer: exact(layer.weight_bytes)),
    _Column("dense weight bytes", lambda layer: exact(layer.dense_weight_bytes)),
    _Column("instructions", lambda layer: exact(layer.instructions)),
    _Column("dense instructions", lambda layer: exact(layer.dense_instructions)),
    _Column("cycles", lambda layer: exact(layer.cycles)),
    _Column("dense cycles", lambda layer: exact(layer.dense_cycles)),
    _Column("scratch bytes", lambda layer: exact(layer.scratch_bytes)),
    _Column("why", lambda layer: layer.reason, is_number=False),
)


@dataclass(frozen=True)
class Row:
    """A line of a table: its head, and cells of which the last may span what is left."""

    head: str
    cells: tuple[str, ...]
    span: int = 1


@dataclass(frozen=True)
class Tree:
    """Any part of a report: text, or a table, or named parts."""

    text: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    parts: tuple[tuple[str, Tree], ...] = ()


@dataclass(frozen=True)
class _View:
    """What the template sees beside the report itself. `builds` by name; `more`: parts without a place of their own."""

    title: str
    verdict: Verdict
    measures: tuple[plots.Measure, ...]
    builds: tuple[str, ...]
    figures: tuple[Row, ...]
    notes: tuple[tuple[str, str], ...]
    layer_columns: tuple[_Column, ...]
    layer_rows: tuple[Row, ...]
    layer_bars: tuple[plots.Measure, ...]
    flash_maps: tuple[plots.Measure, ...]
    arena_boxes: tuple[plots.ArenaBox, ...]
    command: str
    settings: tuple[tuple[str, str], ...]
    more: tuple[tuple[str, Tree], ...]


def render_html(report: Report) -> str:
    """The page."""
    cleaned = clean(report)
    view = parts(_view(cleaned))
    return environment().get_template("report.html.j2").render(view, report=cleaned, css=style())


@cache
def environment() -> jinja2.Environment:
    """Of the pages' templates: everything escaped, nothing undefined."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "exact": exact,
        "percent": percent,
        "label": label,
        "missing": is_missing,
        "parts": parts,
    }
    return environment


def style() -> Markup:
    """The pages' style sheet."""
    return Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8"))  # our own file


def _view(report: Report) -> _View:
    path = report.source.path
    plan = () if isinstance(report.arena_plan, Missing) else report.arena_plan
    more = {
        "quantization": report.quantization,
        "profile": report.profile,
        "dataset": report.dataset,
        "device": report.device,
    }
    return _View(
        title=PurePath(path).name or path,
        verdict=verdict(report),
        measures=plots.measures(report),
        builds=tuple(plots.builds(report)),
        figures=_figures(report),
        notes=_notes(report),
        layer_columns=_LAYER_COLUMNS,
        layer_rows=tuple(
            Row(layer.name, tuple(column.show(layer) for column in _LAYER_COLUMNS)) for layer in report.layers
        ),
        layer_bars=plots.layer_bars(report.layers),
        flash_maps=plots.flash_maps(report),
        arena_boxes=plots.arena_boxes(plan, _arena_width(report.sparse.arena_bytes, plan)),
        command=command_line(report),
        settings=tuple((field.name, exact(getattr(report.settings, field.name))) for field in fields(report.settings)),
        more=tuple((label(name), _tree(part)) for name, part in more.items() if part is not None),
    )


def _figures(report: Report) -> tuple[Row, ...]:
    """All numbers of the builds; what has no place of its own comes last under its own name."""
    flat = [_flatten(build) for build in plots.builds(report).values()]
    known = dict(_FIGURES)
    ratio = report.ratio
    ratios = {
        "flash_bytes": ratio.flash,
        "weight_bytes": ratio.weights,
        "instructions": ratio.instructions,
        "cycles": ratio.cycles,
    }
    others = [name for name in dict.fromkeys(key for build in flat for key in build) if name not in known]
    others = [name for name in others if not any(isinstance(build.get(name), str) for build in flat)]
    rows = []
    for name in (*known, *others):
        values = [build.get(name) for build in flat]
        cells = ["" if value is None else exact(value) for value in values]
        head = known.get(name) or label(name)
        if all(is_missing(value) for value in values) and len(set(cells)) == 1:
            rows.append(Row(head, (cells[0],), span=len(cells) + 1))
        else:
            quotient = ratios.get(name, "")
            rows.append(Row(head, (*cells, "" if is_missing(quotient) else exact(quotient))))
    return tuple(rows)


def _notes(report: Report) -> tuple[tuple[str, str], ...]:
    """What the builds say in words, each once."""
    found = (item for build in plots.builds(report).values() for item in _flatten(build).items())
    return tuple(dict.fromkeys((label(key), value) for key, value in found if isinstance(value, str)))


def _flatten(part: DataclassInstance, prefix: str = "") -> dict[str, object]:
    """The figures of a part and of its parts, by name."""
    flat: dict[str, object] = {}
    for key, value in parts(part).items():
        if is_dataclass(value) and not isinstance(value, type) and not is_missing(value):
            flat |= _flatten(value, f"{prefix}{key}: ")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _arena_width(arena_bytes: int, plan: Sequence[ArenaBuffer]) -> int:
    return max([arena_bytes, *(row.offset + row.bytes for row in plan)])


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(exact, shape))


def _tree(value: object) -> Tree:
    """Any part: one with fields as named parts, several alike as a table, the rest as text."""
    if _is_part(value):
        return Tree(parts=tuple((label(name), _tree(part)) for name, part in _named(value).items()))
    if isinstance(value, tuple) and value and all(map(_is_part, value)):
        rows = [_named(row) for row in value]
        keys = tuple(dict.fromkeys(key for row in rows for key in row))
        cells = tuple(tuple(_cell(row.get(key, "")) for key in keys) for row in rows)
        return Tree(columns=tuple(map(label, keys)), rows=cells)
    return Tree(text=_cell(value))


def _is_part(value: object) -> TypeGuard[Mapping[str, object] | DataclassInstance]:
    return isinstance(value, Mapping) or (is_dataclass(value) and not is_missing(value))


def _named(value: Mapping[str, object] | DataclassInstance) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else parts(value)


def _cell(value: object) -> str:
    if isinstance(value, tuple) and any(isinstance(item, str) for item in value):
        return "\n".join(exact(item) for item in value)
    return exact(value)
