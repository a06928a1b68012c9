"""Geometry of the plots in report.html, in percent of their width: bars, the flash map, the arena over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from edgesparse.missing import Missing
from edgesparse.report.report import Report
from edgesparse.report.show.figures import exact
from edgesparse.result import ArenaBuffer, Baseline, BuildFigures, LayerFigures

__all__ = ["ArenaBox", "Bar", "Measure", "Segment", "arena_boxes", "builds", "flash_maps", "layer_bars", "measures"]

Build: TypeAlias = BuildFigures | Baseline
Number: TypeAlias = int | float
Part: TypeAlias = tuple[str, Number | Missing]


@dataclass(frozen=True)
class _Figure:
    """A figure of a build, and the parts that it is the sum of."""

    title: str
    unit: str
    value: Callable[[Build], Number | Missing]
    parts: Callable[[Build], tuple[Part, ...]] = lambda _build: ()


_FIGURES = (
    _Figure(
        "Flash",
        "B",
        lambda build: build.flash_bytes,
        lambda build: (("code", build.code_bytes), ("weights", build.weight_bytes), ("tables", build.table_bytes)),
    ),
    _Figure(
        "RAM",
        "B",
        lambda build: build.ram_bytes,
        lambda build: (("arena", build.arena_bytes), ("stack", build.stack_bytes), ("other", build.static_bytes)),
    ),
    _Figure("Instructions", "", lambda build: build.instructions),
    _Figure("Cycles (estimate)", "", lambda build: build.cycles),
    _Figure("Latency (estimate)", "ms", lambda build: build.latency_ms),
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


def builds(report: Report) -> dict[str, Build]:
    """The builds by name, those that there are."""
    found: dict[str, Build] = {"dense": report.dense, "sparse": report.sparse}
    return found if isinstance(report.baseline, Missing) else {**found, "baseline": report.baseline}


def measures(report: Report) -> tuple[Measure, ...]:
    """Flash, RAM, instructions, cycles and latency of every build."""
    found = []
    for figure in _FIGURES:
        values = {name: figure.value(build) for name, build in builds(report).items()}
        largest = _largest(values.values())
        bars = tuple(
            _bar(name, values[name], figure.parts(build), figure.unit, largest)
            for name, build in builds(report).items()
        )
        found.append(Measure(figure.title, bars))
    return tuple(found)


def layer_bars(layers: Sequence[LayerFigures]) -> tuple[Measure, ...]:
    """Instructions of each layer, dense and sparse, all to one scale."""
    rows = [(layer.name, (("dense", layer.dense_instructions), ("sparse", layer.instructions))) for layer in layers]
    largest = _largest(value for _, pair in rows for _, value in pair)
    return tuple(
        Measure(layer, tuple(_bar(name, value, (), "", largest) for name, value in pair)) for layer, pair in rows
    )


def flash_maps(report: Report) -> tuple[Measure, ...]:
    """Code, the weights of each layer, and tables, for both builds."""
    largest = max(report.dense.flash_bytes, report.sparse.flash_bytes)
    weights = {
        "dense": [(layer.name, layer.dense_weight_bytes) for layer in report.layers],
        "sparse": [(layer.name, layer.weight_bytes) for layer in report.layers],
    }
    bars = []
    for name, build in (("dense", report.dense), ("sparse", report.sparse)):
        layers = [(layer, size) for layer, size in weights[name] if size]
        rest = build.weight_bytes - sum(size for _, size in layers)
        if rest < 0:  # the runtime stores them in its own way
            layers, rest = [("all weights", build.weight_bytes)], 0
        padding = [("between weights", rest)] if rest else []
        parts: list[tuple[str, Number, int]] = [("code", build.code_bytes, 0)]
        parts += [(layer, size, 1 + index % 2) for index, (layer, size) in enumerate([*layers, *padding])]
        parts.append(("tables", build.table_bytes, 3))
        bars.append(Bar(name, f"{exact(build.flash_bytes)} B", _segments(parts, "B", largest)))
    return (Measure("Flash", tuple(bars)),)


def arena_boxes(plan: Sequence[ArenaBuffer], arena_bytes: int) -> tuple[ArenaBox, ...]:
    """The buffers of the arena; `arena_bytes` is the full width."""
    return tuple(
        ArenaBox(
            name=row.tensor if row.kind != "scratch" else f"scratch of {row.tensor}",
            kind=row.kind,
            text=f"{exact(row.bytes)} B at {exact(row.offset)}",
            x=_share(row.offset, arena_bytes),
            width=_share(row.bytes, arena_bytes),
            row=row.first_layer,
            rows=row.last_layer - row.first_layer + 1,
        )
        for row in plan
    )


def _bar(name: str, value: Number | Missing, parts: Sequence[Part], unit: str, largest: float) -> Bar:
    if isinstance(value, Missing):
        return Bar(name, exact(value), ())
    sizes = [(part, size, shade) for shade, (part, size) in enumerate(parts) if not isinstance(size, Missing)]
    if not parts or len(sizes) != len(parts) or sum(size for _, size, _ in sizes) != value:
        sizes = [(name, value, 0)]
    return Bar(name, f"{exact(value)} {unit}".rstrip(), _segments(sizes, unit, largest))


def _segments(parts: Sequence[tuple[str, Number, int]], unit: str, largest: float) -> tuple[Segment, ...]:
    found: list[Segment] = []
    start: Number = 0
    for name, size, shade in parts:
        text = f"{exact(size)} {unit}".rstrip()
        found.append(Segment(name, text, _share(start, largest), _share(size, largest), shade))
        start += size
    return tuple(found)


def _largest(values: Iterable[Number | Missing]) -> Number:
    return max((value for value in values if not isinstance(value, Missing)), default=0)


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.3f}%" if whole else "0%"
