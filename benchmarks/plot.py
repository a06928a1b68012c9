"""Plots of the benchmarks; needs matplotlib, from the extra `bench`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["bars", "lines"]

Points = Sequence[tuple[float, float]]


def lines(panels: Mapping[str, Mapping[str, Points]], *, x: str, y: str, title: str, path: Path) -> None:
    """One panel per name, in it one line per name."""
    if not _available(path):
        return
    import matplotlib.pyplot as plt

    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.6 * columns, 3.4 * rows), squeeze=False)
    for axis, (name, series) in zip(axes.flat, panels.items(), strict=False):
        for label, points in series.items():
            axis.plot([p[0] for p in points], [p[1] for p in points], marker="o", markersize=3, label=label)
        axis.set_title(name, fontsize=9)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    figure.supxlabel(x)
    figure.supylabel(y)
    _save(figure, title, path)


def bars(groups: Mapping[str, Mapping[str, float]], *, y: str, title: str, path: Path) -> None:
    """One group of bars per name."""
    if not _available(path):
        return
    import matplotlib.pyplot as plt

    labels = list(dict.fromkeys(label for group in groups.values() for label in group))
    figure, axis = plt.subplots(figsize=(1.6 + 2.2 * len(groups), 4))
    width = 0.8 / max(len(labels), 1)
    for index, label in enumerate(labels):
        places = [position + (index - (len(labels) - 1) / 2) * width for position in range(len(groups))]
        axis.bar(places, [group.get(label, 0.0) for group in groups.values()], width, label=label)
    axis.set_xticks(range(len(groups)), list(groups))
    axis.set_ylabel(y)
    axis.grid(axis="y", alpha=0.3)
    axis.legend(fontsize=8)
    _save(figure, title, path)


def _available(path: Path) -> bool:
    if importlib.util.find_spec("matplotlib") is None:
        print(f"no {path.name}: matplotlib is not installed (pip install 'edgesparse[bench]')", file=sys.stderr)
        return False
    import matplotlib

    matplotlib.use("Agg")
    return True


def _save(figure: object, title: str, path: Path) -> None:
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    assert isinstance(figure, Figure)
    figure.suptitle(title)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
