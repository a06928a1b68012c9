"""A Tradeoff for people: the terminal's table, CSV, and one page with the fronts, without scripts or requests."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from edgesparse.missing import Missing
from edgesparse.report.show.figures import clean, exact
from edgesparse.report.show.html import environment, style
from edgesparse.report.tradeoff import COSTS, Cost, Estimate, Figures, Metric, Point, Tradeoff

__all__ = ["render_csv", "render_page", "tradeoff_table"]

_TITLES = {
    "top1": "accuracy",
    "mse": "mean squared error",
    "agreement": "agreement with the float model",
    "correlation": "correlation with the float model",
}
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _MARGIN = 640, 340, 64, 40, 16
_TICKS = 5
_COLUMNS = (
    *("name", "method", "pattern", "sparsity", "channels", "zeros"),
    *("validation", "validation_low", "validation_high", "test", "test_low", "test_high"),
    *("flash_bytes", "ram_bytes", "instructions", "cycles", "latency_ms", "fronts", "knees", "command", "error"),
)


def shown(estimate: Estimate, metric: Metric) -> str:
    """A figure with its interval."""
    if metric == "mse":
        return f"{estimate.value:.4g} ({estimate.low:.4g} to {estimate.high:.4g})"
    return f"{estimate.value:.1%} ({estimate.low:.1%} to {estimate.high:.1%})"


def tradeoff_table(tradeoff: Tradeoff) -> list[RenderableType]:
    """All points, and by cost which are on the front."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    heads = (
        "",
        "zeros",
        f"{_TITLES[tradeoff.metric]}, test",
        "latency, ms",
        "instructions",
        "flash, B",
        "RAM, B",
        "best in",
    )
    for head in heads:
        table.add_column(head, justify="left" if head in ("", "best in") else "right", overflow="fold")
    if not isinstance(tradeoff.float, Missing):
        table.add_row("float model", "", shown(tradeoff.float, tradeoff.metric))
    table.add_row("dense int8", *_cells(tradeoff.dense, tradeoff.metric), "")
    failed = []
    for point in tradeoff.points:
        if isinstance(point.figures, Missing):
            failed.append(Text(f"{point.name}: {point.figures.reason}", style="yellow"))
            continue
        table.add_row(point.name, *_cells(point.figures, tradeoff.metric), ", ".join(_marks(tradeoff, point)))
    test = next((p.figures.test.samples for p in tradeoff.points if not isinstance(p.figures, Missing)), 0)
    words = (
        f"{len(tradeoff.points)} combinations compared; fronts were chosen on other samples than the {test:,} of these "
        "figures (95 % intervals); * where a front bends most"
    )
    warnings = [Text(f"warning: {warning}", style="yellow") for warning in tradeoff.warnings]
    return [table, *failed, Text(words), *warnings]


def _cells(figures: Figures, metric: Metric) -> tuple[str, ...]:
    return (
        f"{figures.sparsity:.1%}",
        shown(figures.test, metric),
        *(exact(value) for value in (figures.latency_ms, figures.instructions, figures.flash_bytes, figures.ram_bytes)),
    )


def _marks(tradeoff: Tradeoff, point: Point) -> list[str]:
    """Costs on whose front a point is, with a star where it is the knee."""
    return [
        f"{name}{'*' if tradeoff.knees[name] == point.name else ''}"
        for name, names in tradeoff.fronts.items()
        if point.name in names
    ]


def render_csv(tradeoff: Tradeoff) -> str:
    """One line for each point; the dense firmware first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerow({"name": "dense", **_row(tradeoff.dense)})
    for point in tradeoff.points:
        settings = point.settings
        writer.writerow(
            {
                "name": point.name,
                "method": settings.method,
                "pattern": settings.pattern,
                "sparsity": settings.sparsity,
                "channels": settings.channels,
                "fronts": " ".join(name for name, names in tradeoff.fronts.items() if point.name in names),
                "knees": " ".join(name for name, knee in tradeoff.knees.items() if knee == point.name),
                "command": point.command,
                **({"error": point.figures.reason} if isinstance(point.figures, Missing) else _row(point.figures)),
            }
        )
    return text.getvalue()


def _row(figures: Figures) -> dict[str, object]:
    found: dict[str, object] = {"zeros": figures.sparsity}
    for name, estimate in (("validation", figures.validation), ("test", figures.test)):
        found |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    costs = ("flash_bytes", "ram_bytes", "instructions", "cycles", "latency_ms")
    return found | {name: "" if isinstance(value := getattr(figures, name), Missing) else value for name in costs}


@dataclass(frozen=True)
class _Dot:
    """x, y, low, high: places in the plot. line: of which line it is."""

    name: str
    text: str
    x: float
    y: float
    low: float
    high: float
    line: int
    on_front: bool
    knee: bool


@dataclass(frozen=True)
class _Plot:
    """A cost against how good the points are. front: places of the front's line. ticks: places and texts."""

    title: str
    dots: tuple[_Dot, ...]
    front: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    dense: tuple[float, float] | None


def render_page(tradeoff: Tradeoff) -> str:
    """The page. Every figure of it is one of sweep.json."""
    cleaned = clean(tradeoff)
    lines = tuple(dict.fromkeys(_line(point) for point in cleaned.points))
    plots = [_plot(cleaned, cost, lines) for cost in COSTS.values()]
    rows = [
        (
            point,
            point.figures.reason if isinstance(point.figures, Missing) else "",
            () if isinstance(point.figures, Missing) else _cells(point.figures, cleaned.metric),
            ", ".join(_marks(cleaned, point)),
        )
        for point in cleaned.points
    ]
    return (
        environment()
        .get_template("sweep.html.j2")
        .render(
            tradeoff=cleaned,
            plots=[plot for plot in plots if plot is not None],
            lines=lines,
            rows=rows,
            dense=_cells(cleaned.dense, cleaned.metric),
            float_model="" if isinstance(cleaned.float, Missing) else shown(cleaned.float, cleaned.metric),
            metric=_TITLES[cleaned.metric],
            width=_WIDTH,
            height=_HEIGHT,
            left=_LEFT,
            bottom=_HEIGHT - _BOTTOM,
            css=style(),
        )
    )


def _line(point: Point) -> str:
    return f"{point.settings.method}, {point.settings.pattern}" + (
        f", channels {point.settings.channels:g}" if point.settings.channels else ""
    )


def _plot(tradeoff: Tradeoff, cost: Cost, lines: Sequence[str]) -> _Plot | None:
    found = [
        (point, point.figures, value)
        for point in tradeoff.points
        if not isinstance(point.figures, Missing) and not isinstance(value := cost.value(point.figures), Missing)
    ]
    if not found:
        return None
    dense = tradeoff.dense
    dense_cost = cost.value(dense)
    costs = [float(value) for _, _, value in found]
    ends = [end for _, figures, _ in found for end in (figures.test.low, figures.test.high)]
    if not isinstance(dense_cost, Missing):
        costs.append(float(dense_cost))
        ends += [dense.test.low, dense.test.high]
    across, up = _Scale(0.0, max(costs)), _Scale(min(ends), max(ends))
    dots = tuple(
        _Dot(
            name=point.name,
            text=f"{point.name}: {shown(figures.test, tradeoff.metric)}, {exact(value)} {cost.unit}".rstrip(),
            x=_across(across.share(float(value))),
            y=_up(up.share(figures.test.value)),
            low=_up(up.share(figures.test.low)),
            high=_up(up.share(figures.test.high)),
            line=lines.index(_line(point)) % 6,
            on_front=point.name in tradeoff.fronts[cost.name],
            knee=tradeoff.knees[cost.name] == point.name,
        )
        for point, figures, value in found
    )
    by_name = {dot.name: dot for dot in dots}
    places = [by_name[name] for name in tradeoff.fronts[cost.name] if name in by_name]
    percent = tradeoff.metric != "mse"
    return _Plot(
        title=f"{cost.title}{', ' + cost.unit if cost.unit else ''}",
        dots=dots,
        front=" ".join(f"{dot.x},{dot.y}" for dot in places),
        x_ticks=tuple((_across(across.share(tick)), f"{tick:,.10g}") for tick in across.ticks()),
        y_ticks=tuple((_up(up.share(tick)), f"{tick:.1%}" if percent else f"{tick:.3g}") for tick in up.ticks()),
        dense=None
        if isinstance(dense_cost, Missing)
        else (_across(across.share(float(dense_cost))), _up(up.share(dense.test.value))),
    )


@dataclass(frozen=True)
class _Scale:
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


def _across(share: float) -> float:
    return round(_LEFT + share * (_WIDTH - _LEFT - _MARGIN), 1)


def _up(share: float) -> float:
    return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _MARGIN), 1)
