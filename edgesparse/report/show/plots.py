"""Geometry of the plots in report.html, in percent of their width: bars, the flash map, the arena over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from edgesparse.report.show.figures import exact, is_missing

__all__ = ["ArenaBox", "Bar", "Measure", "Segment", "arena_boxes", "flash_maps", "layer_bars", "measures"]

_BUILDS = ("dense", "sparse", "baseline")

_MEASURES: tuple[tuple[str, str, str, tuple[tuple[str, str], ...]], ...] = (
    ("Flash", "flash_bytes", "B", (("code", "code_bytes"), ("weights", "weight_bytes"), ("tables", "table_bytes"))),
    ("RAM", "ram_bytes", "B", (("arena", "arena_bytes"), ("stack", "stack_bytes"), ("other", "static_bytes"))),
    ("Instructions", "instructions", "", ()),
    ("Cycles (estimate)", "cycles", "", ()),
    ("Latency (estimate)", "latency_ms", "ms", ()),
)


@dataclass(frozen=True)
class Segment:
    """A part of a bar. `x`, `width` in percent; `shade` counts from 0."""

    name: str
    text: str
    x: str
    width: str
    shade: int


@dataclass(frozen=True)
class Bar:
    """`text` is the value with its unit, or why there is none; then there are no segments."""

    name: str
    text: str
    segments: tuple[Segment, ...]

    @property
    def parts(self) -> str:
        """The parts in words; "" where the bar has only one."""
        return ", ".join(f"{s.name} {s.text}" for s in self.segments) if len(self.segments) > 1 else ""


@dataclass(frozen=True)
class Measure:
    """Bars of one figure, to one scale."""

    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class ArenaBox:
    """A buffer in the arena: `x`, `width` in percent of it, from layer `row` on, for `rows` layers."""

    name: str
    kind: str
    text: str
    x: str
    width: str
    row: int
    rows: int


def measures(report: Mapping[str, Any]) -> tuple[Measure, ...]:
    """Flash, RAM, instructions, cycles and latency of every build that was measured."""
    builds = {name: report[name] for name in _BUILDS if name in report and not is_missing(report[name])}
    found = []
    for title, field, unit, parts in _MEASURES:
        values = {name: build[field] for name, build in builds.items() if field in build}
        if values:
            largest = max((value for value in values.values() if _is_number(value)), default=0)
            bars = tuple(_bar(name, builds[name], field, parts, unit, largest) for name in values)
            found.append(Measure(title, bars))
    return tuple(found)


def layer_bars(layers: Sequence[Mapping[str, Any]]) -> tuple[Measure, ...]:
    """Instructions of each layer, dense and sparse, all to one scale."""
    fields = (("dense", "dense_instructions"), ("sparse", "instructions"))
    values = [layer[field] for layer in layers for _, field in fields if _is_number(layer.get(field))]
    largest = max(values, default=0)
    return tuple(
        Measure(
            layer["name"],
            tuple(_bar(name, layer, field, (), "", largest) for name, field in fields if field in layer),
        )
        for layer in layers
    )


def flash_maps(report: Mapping[str, Any]) -> tuple[Measure, ...]:
    """Code, the weights of each layer, and tables, for both builds."""
    builds = {name: report[name] for name in ("dense", "sparse") if name in report}
    totals = [build.get("flash_bytes") for build in builds.values()]
    if not totals or not all(_is_number(total) for total in totals):
        return ()
    largest = max(totals)
    bars = []
    for name, build in builds.items():
        field = "weight_bytes" if name == "sparse" else "dense_weight_bytes"
        layers = [(layer["name"], layer[field]) for layer in report["layers"] if layer.get(field)]
        rest = build["weight_bytes"] - sum(size for _, size in layers)
        if rest < 0:  # the runtime stores them in its own way
            layers, rest = [("all weights", build["weight_bytes"])], 0
        padding = [("between weights", rest)] if rest else []
        parts = [("code", build["code_bytes"], 0)]
        parts += [(layer, size, 1 + index % 2) for index, (layer, size) in enumerate([*layers, *padding])]
        parts.append(("tables", build["table_bytes"], 3))
        bars.append(Bar(name, f"{exact(build['flash_bytes'])} B", _segments(parts, "B", largest)))
    return (Measure("Flash", tuple(bars)),)


def arena_boxes(plan: Sequence[Mapping[str, Any]], arena_bytes: int) -> tuple[ArenaBox, ...]:
    """The buffers of `arena_plan`; `arena_bytes` is the full width."""
    return tuple(
        ArenaBox(
            name=row["tensor"] if row["kind"] != "scratch" else f"scratch of {row['tensor']}",
            kind=row["kind"],
            text=f"{exact(row['bytes'])} B at {exact(row['offset'])}",
            x=_share(row["offset"], arena_bytes),
            width=_share(row["bytes"], arena_bytes),
            row=row["first_layer"],
            rows=row["last_layer"] - row["first_layer"] + 1,
        )
        for row in plan
    )


def _bar(
    name: str,
    build: Mapping[str, Any],
    field: str,
    parts: Sequence[tuple[str, str]],
    unit: str,
    largest: float,
) -> Bar:
    value = build[field]
    if not _is_number(value):
        return Bar(name, exact(value), ())
    sizes = [(part, build[key], shade) for shade, (part, key) in enumerate(parts) if _is_number(build.get(key))]
    if not parts or len(sizes) != len(parts) or sum(size for _, size, _ in sizes) != value:
        sizes = [(name, value, 0)]
    return Bar(name, f"{exact(value)} {unit}".rstrip(), _segments(sizes, unit, largest))


def _segments(parts: Sequence[tuple[str, Any, int]], unit: str, largest: float) -> tuple[Segment, ...]:
    found, start = [], 0
    for name, size, shade in parts:
        text = f"{exact(size)} {unit}".rstrip()
        found.append(Segment(name, text, _share(start, largest), _share(size, largest), shade))
        start += size
    return tuple(found)


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.3f}%" if whole else "0%"


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
