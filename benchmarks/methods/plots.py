"""Plots of the examples: accuracy, flash and instructions of fine-tuned networks against their zeros."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["plot"]

_PANELS = (("accuracy", "accuracy"), ("flash_bytes", "flash, KB"), ("instructions", "instructions, thousands"))
_PATTERNS = {"unstructured": "unstructured", "auto": "auto (blocks of four)"}


def plot(rows: Mapping[str, Mapping[str, Any]], path: Path, *, title: str) -> None:
    """Write an SVG of the rows (by key) of one data set that --method finetune made; bars: lowest to highest seed."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = title  # the same figures, the same bytes
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(_PANELS), figsize=(10, 3.2))
    first = next(iter(rows.values()))
    dense = {"accuracy": first["dense_accuracy"], **first["dense"]}
    for axis, (key, label) in zip(axes, _PANELS, strict=True):
        factor = 1.0 if key == "accuracy" else 1e-3
        for pattern, name in _PATTERNS.items():
            points: dict[float, list[float]] = {}
            for row in rows.values():
                settings = row["settings"]
                plain = set(settings) == {"method", "pattern", "sparsity", "seed", "epochs"}
                if plain and settings["method"] == "finetune" and settings["pattern"] == pattern:
                    points.setdefault(settings["sparsity"], []).append(factor * row[key])
            places = [0.0, *sorted(points)]
            values = [[factor * dense[key]], *(points[place] for place in sorted(points))]
            means = np.array([np.mean(value) for value in values])
            spread = [means - [min(value) for value in values], [max(value) for value in values] - means]
            axis.errorbar([100 * p for p in places], means, yerr=spread, marker="o", markersize=3, label=name)
        axis.set_xlabel("zeros, %")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        if key != "accuracy":
            axis.set_ylim(bottom=0)
    axes[0].legend(fontsize=8)
    figure.suptitle(title)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
