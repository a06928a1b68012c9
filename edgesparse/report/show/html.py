"""report.html: the report for people, in one file that needs neither scripts nor a network.

Every figure is the one of report.json, written with all its digits. Names come from files that others made: they are
escaped, freed of what HTML forbids, and the page forbids scripts to itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import jinja2
from markupsafe import Markup

from edgesparse.budgets import describe_budget
from edgesparse.errors import InputError
from edgesparse.report.show import plots
from edgesparse.report.show.figures import clean, exact, is_missing, label, percent
from edgesparse.report.show.reproduce import command_line
from edgesparse.report.verdict import verdict

__all__ = ["render_html", "render_stored"]

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
_RATIOS = {"flash_bytes": "flash", "weight_bytes": "weights", "instructions": "instructions", "cycles": "cycles"}

_LAYER_COLUMNS = (
    ("op", "op", exact),
    ("input_shape", "input", lambda shape: " x ".join(map(exact, shape))),
    ("output_shape", "output", lambda shape: " x ".join(map(exact, shape))),
    ("macs", "MACs", exact),
    ("weights", "weights", exact),
    ("sparsity", "zeros", percent),
    ("weight_values", "distinct weights", exact),
    ("activation_sparsity", "zero inputs", percent),
    ("format", "format", exact),
    ("weight_bytes", "weight bytes", exact),
    ("dense_weight_bytes", "dense weight bytes", exact),
    ("instructions", "instructions", exact),
    ("dense_instructions", "dense instructions", exact),
    ("cycles", "cycles", exact),
    ("dense_cycles", "dense cycles", exact),
    ("scratch_bytes", "scratch bytes", exact),
    ("reason", "why", exact),
)
_NOT_IN_LAYER_TABLE = {"name", "prunable", "output_offset", "tflm_decode"}

_SHOWN = {
    *("schema", "edgesparse", "source", "settings", "environment", "accuracy", "fidelity", "model", "files", "board"),
    *("sparse", "dense", "baseline", "ratio", "bit_exact", "layers", "arena_plan", "tflm_decode", "mobile"),
    *("budgets", "warnings"),
}
"""Parts of report.json that the template has a place for; others go to its end, whatever they are."""


@dataclass(frozen=True)
class Row:
    """A line of a table: its head, and cells of which the last may span what is left."""

    head: str
    cells: tuple[str, ...]
    span: int = 1


@dataclass(frozen=True)
class Tree:
    """Any part of report.json: text, or a table, or named parts."""

    text: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    parts: tuple[tuple[str, Tree], ...] = ()


def render_html(report: Mapping[str, Any]) -> str:
    """The page for a report that was just made."""
    return _environment().get_template("report.html.j2").render(_view(clean(report)), css=_style())


def render_stored(report: Mapping[str, Any]) -> str:
    """The page for a report that was read; InputError where it lacks what every report of schema 1 has."""
    try:
        return render_html(report)
    except (LookupError, TypeError, AttributeError, ValueError, jinja2.UndefinedError) as error:
        raise InputError(
            f"report.json: damaged or not complete ({type(error).__name__}: {error}); run edgesparse convert again"
        ) from error


def _environment() -> jinja2.Environment:
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
        "budget": describe_budget,
    }
    return environment


def _style() -> Markup:
    return Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8"))  # our own file


def _view(report: Mapping[str, Any]) -> dict[str, Any]:
    arena_plan = report.get("arena_plan", {"unavailable": "this report was written without one"})
    has_plan = not is_missing(arena_plan)
    source = report["source"]
    return {
        "report": report,
        "title": PurePath(str(source["path"])).name or str(source["path"]),
        "verdict": verdict(report),
        "measures": plots.measures(report),
        "builds": [
            name for name in ("dense", "sparse", "baseline") if not is_missing(report.get(name, {"unavailable": ""}))
        ],
        "figures": _figures(report),
        "notes": _notes(report),
        "layer_columns": _layer_columns(report["layers"]),
        "layer_rows": _layer_rows(report["layers"]),
        "layer_bars": plots.layer_bars(report["layers"]),
        "flash_maps": plots.flash_maps(report),
        "arena_plan": arena_plan,
        "arena_boxes": plots.arena_boxes(arena_plan, _arena_width(report, arena_plan)) if has_plan else (),
        "decode_layers": [layer for layer in report["layers"] if "tflm_decode" in layer],
        "command": command_line(report),
        "settings": [(f"{name}", exact(value)) for name, value in report["settings"].items()],
        "more": [(label(name), _tree(value)) for name, value in report.items() if name not in _SHOWN],
    }


def _figures(report: Mapping[str, Any]) -> list[Row]:
    """All numbers of the builds; what has no place of its own comes last under its own name."""
    builds = [
        report[name]
        for name in ("dense", "sparse", "baseline")
        if not is_missing(report.get(name, {"unavailable": ""}))
    ]
    flat = [_flatten(build) for build in builds]
    known = dict(_FIGURES)
    others = [name for name in dict.fromkeys(key for build in flat for key in build) if name not in known]
    others = [name for name in others if not any(isinstance(build.get(name), str) for build in flat)]
    rows = []
    for name in (*(name for name in known if any(name in build for build in flat)), *others):
        values = [build.get(name) for build in flat]
        cells = ["" if value is None else exact(value) for value in values]
        ratio = report.get("ratio", {}).get(_RATIOS.get(name, ""), "")
        head = known.get(name) or label(name)
        if all(is_missing(value) for value in values) and len(set(cells)) == 1:
            rows.append(Row(head, (cells[0],), span=len(cells) + 1))
        else:
            rows.append(Row(head, (*cells, exact(ratio) if not is_missing(ratio) else "")))
    return rows


def _notes(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the builds say in words, each once."""
    found: dict[tuple[str, str], None] = {}
    for name in ("dense", "sparse", "baseline"):
        for key, value in _flatten(report.get(name, {})).items():
            if isinstance(value, str):
                found[(label(key), value)] = None
    return list(found)


def _flatten(part: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in part.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and not is_missing(value):
            flat |= _flatten(value, f"{name}: ")
        elif not (prefix == "" and key == "unavailable"):
            flat[name] = value
    return flat


def _layer_columns(layers: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    """Heads of the columns, each with whether it holds numbers."""
    words = {"op", "input_shape", "output_shape", "format", "reason"}
    known = [(title, key not in words) for key, title, _ in _known_columns(layers)]
    return [*known, *((label(key), False) for key in _extra_columns(layers))]


def _layer_rows(layers: Sequence[Mapping[str, Any]]) -> list[Row]:
    columns, extra = _known_columns(layers), _extra_columns(layers)
    rows = []
    for layer in layers:
        cells = [show(layer[key]) if key in layer else "" for key, _, show in columns]
        rows.append(Row(layer["name"], (*cells, *(exact(layer.get(key, "")) for key in extra))))
    return rows


def _known_columns(layers: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, Any]]:
    return [column for column in _LAYER_COLUMNS if any(column[0] in layer for layer in layers)]


def _extra_columns(layers: Sequence[Mapping[str, Any]]) -> list[str]:
    known = {key for key, _, _ in _LAYER_COLUMNS} | _NOT_IN_LAYER_TABLE
    keys = dict.fromkeys(key for layer in layers for key in layer if key not in known)
    return [key for key in keys if all(_is_flat(layer.get(key)) for layer in layers)]


def _is_flat(value: Any) -> bool:
    return is_missing(value) or not isinstance(value, Mapping | list)


def _arena_width(report: Mapping[str, Any], plan: Sequence[Mapping[str, Any]]) -> int:
    used = max((row["offset"] + row["bytes"] for row in plan), default=0)
    size = report.get("sparse", {}).get("arena_bytes", used)
    return max(used, size) if isinstance(size, int) else used


def _tree(value: Any) -> Tree:
    """Any JSON value: objects as named parts, lists of objects as tables, the rest as text."""
    if isinstance(value, Mapping) and not is_missing(value):
        return Tree(parts=tuple((label(key), _tree(item)) for key, item in value.items()))
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        keys = tuple(dict.fromkeys(key for item in value for key in item))
        rows = tuple(tuple(_cell(item.get(key, "")) for key in keys) for item in value)
        return Tree(columns=tuple(label(key) for key in keys), rows=rows)
    return Tree(text=_cell(value))


def _cell(value: Any) -> str:
    if isinstance(value, list) and any(isinstance(item, str) for item in value):
        return "\n".join(exact(item) for item in value)
    return exact(value)
