"""Rows of measurements as lines for people: the tables of docs/methods.md, and what the goals say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.methods.ways import DATASETS, GOALS, WAYS, DatasetSpec

__all__ = ["check_lines", "tables"]

Rows = Mapping[str, Mapping[str, Any]]
"""Rows of one data set, by key."""

_SEEDS = 3
_METRICS = {"top1": "top-1", "auc": "AUC"}


def tables(rows: Mapping[str, Rows]) -> str:
    """One Markdown table per data set, of the ways that were measured, with how many seeds."""
    return "\n".join(_table(DATASETS[name], found) for name, found in rows.items() if found)


def _table(dataset: DatasetSpec, rows: Rows) -> str:
    first = next(iter(rows.values()))
    dense = 100 * float(np.mean([row["dense_accuracy"] for row in rows.values()]))
    metric = _METRICS[dataset.metric]
    lines = [
        f"### {dataset.name}",
        "",
        f"Dense, int8: {metric} {dense:.1f} %, {first['dense']['flash_bytes']:,} B of flash,"
        f" {first['dense']['instructions']:,} instructions. Training: {dataset.epochs} epochs.",
        "",
        f"| method | what goes | when to use | needs labels | seeds | {metric}, int8 | lowest to highest |"
        " against dense | flash, B | instructions | train - test |",
        "| --- | --- | --- | --- |" + " ---: |" * 7,
    ]
    for way in WAYS:
        found = _of(rows, dataset, way.settings)
        if not found:
            continue
        scores = [100 * row["accuracy"] for row in found]
        mean = float(np.mean(scores))
        gaps = [row["train_accuracy"] - row["accuracy"] for row in found if row["train_accuracy"] is not None]
        flash, instructions = (float(np.mean([row[key] for row in found])) for key in ("flash_bytes", "instructions"))
        gap = f"{100 * float(np.mean(gaps)):.1f}" if gaps else "-"
        lines.append(
            f"| {way.name} | {way.shape} | {way.when} | {way.labels} | {len(found)} | {mean:.1f} % |"
            f" {min(scores):.1f} to {max(scores):.1f} | {mean - _dense(found):+.1f} |"
            f" {flash:,.0f} | {instructions:,.0f} | {gap} |"
        )
    return "\n".join(lines) + "\n"


def check_lines(rows: Mapping[str, Rows]) -> tuple[list[str], bool]:
    """One line per goal, and whether all are met."""
    lines, all_ok = [], True
    for goal in GOALS:
        what = " ".join(f"{key}={value}" for key, value in goal.settings.items())
        found = _of(rows[goal.dataset], DATASETS[goal.dataset], goal.settings)
        if len(found) < _SEEDS:
            lines.append(f"{goal.dataset:8}{what}: {len(found)} of {_SEEDS} seeds measured; run make methods")
            all_ok = False
            continue
        sparse, dense = 100 * float(np.mean([row["accuracy"] for row in found])), _dense(found)
        ok = dense - sparse <= goal.points + 1e-9
        all_ok = all_ok and ok
        lines.append(
            f"{goal.dataset:8}{what}: dense int8 {dense:.2f}, sparse int8 {sparse:.2f}, difference"
            f" {sparse - dense:+.2f}, limit -{goal.points:.1f}: {'ok' if ok else 'MISS'}"
        )
    return lines, all_ok


def _of(rows: Rows, dataset: DatasetSpec, settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows of all seeds of these settings."""
    wanted = {**settings, "epochs": dataset.epochs}
    return [
        row
        for row in rows.values()
        if {key: value for key, value in row["settings"].items() if key != "seed"} == wanted
    ]


def _dense(found: list[Mapping[str, Any]]) -> float:
    return 100 * float(np.mean([row["dense_accuracy"] for row in found]))
