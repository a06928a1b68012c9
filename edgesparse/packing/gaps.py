"""Positions of kept columns, row by row, as 8-bit distances with fillers: what block1x4 and delta8 share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError

__all__ = ["LONGEST_GAP", "MOST_ENTRIES", "Gaps", "decode", "encode"]

LONGEST_GAP = 255
MOST_ENTRIES = 65535


@dataclass(frozen=True, eq=False)
class Gaps:
    """Entries of all rows, one after another.

    `gaps` is each entry's distance to the one before in its row; the first of a row counts from column 0.
    `columns` is where the entry takes its values from, or -1 for a filler, which advances and adds nothing.
    """

    counts: npt.NDArray[np.uint16]  # [rows] entries, fillers included
    gaps: npt.NDArray[np.uint8]  # [entries]
    rows: npt.NDArray[np.int64]  # [entries]
    columns: npt.NDArray[np.int64]  # [entries]


def encode(keep: npt.NDArray[np.bool_], longest: int = LONGEST_GAP) -> Gaps:
    """Encode the true columns of `keep` [rows, columns]; ModelError past MOST_ENTRIES in a row."""
    rows, columns = np.nonzero(keep)
    previous = np.zeros_like(columns)
    same_row = rows[1:] == rows[:-1]
    previous[1:][same_row] = columns[:-1][same_row]
    distances = columns - previous
    fillers = np.maximum(distances - 1, 0) // longest
    last = np.cumsum(fillers + 1) - 1  # each entry's place, behind its fillers
    total = int(last[-1]) + 1 if len(last) else 0
    gaps = np.full(total, longest, np.uint8)
    gaps[last] = distances - fillers * longest
    sources = np.full(total, -1, np.int64)
    sources[last] = columns
    entry_rows = np.repeat(rows, fillers + 1)
    counts = np.bincount(entry_rows, minlength=keep.shape[0])
    if counts.size and counts.max() > MOST_ENTRIES:
        raise ModelError(f"a row has {counts.max()} packed entries, at most {MOST_ENTRIES} fit; keep it dense")
    return Gaps(counts.astype(np.uint16), gaps, entry_rows.astype(np.int64), sources)


def decode(counts: npt.NDArray[np.uint16], gaps: npt.NDArray[np.uint8]) -> Gaps:
    """Columns of all entries (fillers point at the column that they advance to)."""
    rows = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    running = np.cumsum(gaps, dtype=np.int64)
    starts = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))[:-1]
    before = np.where(starts > 0, running[np.maximum(starts - 1, 0)], 0) if len(running) else starts
    return Gaps(counts, gaps, rows, running - before[rows])
