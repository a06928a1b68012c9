"""What a search found, for people: lines and tables of the terminal, and one page with the front."""

from __future__ import annotations

import time
from collections import deque
from typing import Protocol

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from edgesparse.errors import printable
from edgesparse.missing import Missing
from edgesparse.report.search import Found, Tried
from edgesparse.report.show.figures import clean, exact
from edgesparse.report.show.html import environment, style
from edgesparse.report.show.plot import BOTTOM, HEIGHT, LEFT, WIDTH, Scale, across, up
from edgesparse.report.show.tradeoff import TITLES, shown
from edgesparse.report.tradeoff import Figures

__all__ = ["Happening", "Watched", "found_table", "one_line", "render_page"]

_SHOWN = 10


def one_line(tried: Tried) -> str:
    """A trial in words."""
    removed = f", channels {tried.channels:.0%}" if tried.channels else ""
    what = f"{tried.pattern} {tried.sparsity:.0%}{removed}"
    if not tried.rungs:
        return f"{what}: {tried.failed}"
    last = tried.rungs[-1]
    return (
        f"{what}, {last.rung}: loses {last.loss.points:+.2f} pt, about {tried.instructions:,} instructions, "
        f"{tried.flash_bytes:,} B of flash{', holds' if tried.holds else ''}"
    )


class Happening(Protocol):
    """What a search tells while it runs: search.run.Event."""

    @property
    def kind(self) -> str:
        """trial, at its end, or rung."""

    @property
    def trial(self) -> Tried:
        """Which."""

    @property
    def done(self) -> int:
        """Trials that have ended."""

    @property
    def trials(self) -> int:
        """At the most."""

    @property
    def best(self) -> Tried | None:
        """The cheapest that holds."""

    @property
    def elapsed_s(self) -> float:
        """Since the start."""


class Watched:
    """The live table: the last trials, the best so far, the time."""

    def __init__(self) -> None:
        self._words, self._begin = "starting", time.monotonic()
        self._last: deque[str] = deque(maxlen=_SHOWN)
        self._happened: Happening | None = None

    def say(self, words: str) -> None:
        """A line of progress."""
        self._words = words

    def take(self, event: Happening) -> None:
        """Something that happened."""
        self._happened = event
        going = "" if event.kind == "trial" else ", goes on"
        self._last.append(f"{event.trial.number:>4}  {one_line(event.trial)}{going}")

    def table(self) -> RenderableType:
        """As it stands."""
        elapsed = time.monotonic() - self._begin
        lines = [*self._last]
        event = self._happened
        if event is None:
            lines.append(f"{self._words} ({elapsed:.0f} s)")
        else:
            best = "none yet" if event.best is None else f"trial {event.best.number}, {one_line(event.best)}"
            left = event.elapsed_s / max(event.done, 1) * (event.trials - event.done)
            lines.append(f"best: {best}")
            lines.append(
                f"{event.done} of at most {event.trials} trials, {elapsed / 60:.1f} min, at most {left / 60:.0f} more"
            )
        return Text("\n".join(printable(line) for line in lines))


def found_table(found: Found) -> list[RenderableType]:
    """The choice beside the dense firmware, and how it was come by."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    for head in ("", f"{TITLES[found.metric]}, test", "latency, ms", "cycles", "instructions", "flash, B", "RAM, B"):
        table.add_column(head, justify="left" if head == "" else "right", overflow="fold")
    if not isinstance(found.float, Missing):
        table.add_row("float model", shown(found.float, found.metric))
    table.add_row("dense int8", *_cells(found, found.dense))
    lines: list[RenderableType] = [table]
    if not isinstance(found.chosen, Missing) and not isinstance(found.ratios, Missing):
        ratios = found.ratios
        table.add_row("chosen", *_cells(found, found.chosen.figures))
        row = (ratios.cycles, ratios.cycles, ratios.instructions, ratios.flash, ratios.ram)
        table.add_row("ratio", "", *("" if isinstance(value, Missing) else f"{value:.2f}" for value in row))
        loss = found.chosen.loss
        lines += [
            Text(
                f"loss on the {found.chosen.figures.test.samples:,} test samples: {loss.points:+.2f} points "
                f"(standard error {loss.error:.2f}); no trial saw them"
            ),
            Text(f"trial {found.chosen.number}, in {found.chosen.folder}; again alone: {found.chosen.command}"),
        ]
    looked = f"{len(found.trials)} candidates looked at, ended by: {found.stopped}; this run took {found.seconds:,} s"
    return [*lines, Text(looked), *(Text(f"warning: {warning}", style="yellow") for warning in found.warnings)]


def _cells(found: Found, figures: Figures) -> tuple[str, ...]:
    values = (figures.latency_ms, figures.cycles, figures.instructions, figures.flash_bytes, figures.ram_bytes)
    return (shown(figures.test, found.metric), *(exact(value) for value in values))


def render_page(found: Found) -> str:
    """The page. Every figure of it is one of search.json."""
    cleaned = clean(found)
    dots = [tried for tried in cleaned.trials if tried.rungs]
    dense = cleaned.dense.instructions
    costs = [float(tried.instructions) for tried in dots] + ([] if isinstance(dense, Missing) else [float(dense)])
    points = [tried.rungs[-1].loss.points for tried in dots]
    shown_least = min(10.0, max(points, default=1.0))  # what loses more is drawn at the edge
    x, y = Scale(0.0, max(costs, default=1.0)), Scale(-shown_least, -min(points, default=0.0))
    places = {
        tried.number: (
            across(x.share(float(tried.instructions))),
            up(y.share(max(-tried.rungs[-1].loss.points, -shown_least))),
        )
        for tried in dots
    }
    chosen = None if isinstance(cleaned.chosen, Missing) else cleaned.chosen
    return (
        environment()
        .get_template("search.html.j2")
        .render(
            found=cleaned,
            chosen=chosen,
            ratios=None if isinstance(cleaned.ratios, Missing) else cleaned.ratios,
            within=None if isinstance(cleaned.aim.within, Missing) else cleaned.aim.within,
            float_model="" if isinstance(cleaned.float, Missing) else shown(cleaned.float, cleaned.metric),
            dense=_cells(cleaned, cleaned.dense),
            cells=() if chosen is None else _cells(cleaned, chosen.figures),
            metric=TITLES[cleaned.metric],
            dots=[(tried, *places[tried.number], one_line(tried)) for tried in dots],
            line=" ".join(f"{places[number][0]},{places[number][1]}" for number in cleaned.front if number in places),
            dense_place=None if isinstance(dense, Missing) else (across(x.share(float(dense))), up(y.share(0.0))),
            limit=None if isinstance(cleaned.aim.within, Missing) else up(y.share(-cleaned.aim.within)),
            x_ticks=[(across(x.share(tick)), f"{tick:,.10g}") for tick in x.ticks()],
            y_ticks=[(up(y.share(tick)), f"{tick:+.3g}") for tick in y.ticks()],
            rows=[(tried, one_line(tried)) for tried in cleaned.trials],
            width=WIDTH,
            height=HEIGHT,
            left=LEFT,
            bottom=BOTTOM,
            css=style(),
        )
    )
