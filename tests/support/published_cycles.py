"""The table of docs/timing.md: how far the timing model is off on firmware images whose cycles were measured."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PublishedImage", "band", "percentages", "published_images"]

_DOCS = Path(__file__).parents[2] / "docs" / "timing.md"
_ROW = re.compile(
    r"^\| (?P<profile>[\w-]+) \| [^|]+ \| (?P<network>\w+) \| (?P<weights>flash|sram) \| [\d,]+ \| [\d,]+ "
    r"\| (?P<core_only>[+-][\d.]+)% \| (?P<modelled>[+-][\d.]+)% \|",
    re.MULTILINE,
)


@dataclass(frozen=True)
class PublishedImage:
    """One row. Errors in percent: of the core alone, and with the memories of `profile`."""

    profile: str
    network: str
    weights: str
    core_only: float
    modelled: float


def published_images() -> list[PublishedImage]:
    """All rows."""
    return [
        PublishedImage(row["profile"], row["network"], row["weights"], float(row["core_only"]), float(row["modelled"]))
        for row in _ROW.finditer(_DOCS.read_text())
    ]


def band(values: Iterable[float]) -> tuple[float, float]:
    """The smallest and the largest."""
    found = list(values)
    return min(found), max(found)


def percentages(text: str) -> list[float]:
    """The signed numbers of a text, in its order."""
    return [float(number) for number in re.findall(r"[+-]\d+(?:\.\d+)?", text)]
