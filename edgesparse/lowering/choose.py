"""Which weight format a layer gets: the fastest by estimate of those that are neither larger nor slower than dense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgesparse.errors import ModelError
from edgesparse.graph import Int8Array
from edgesparse.lowering.call import Array
from edgesparse.packing import block1x4, delta8, dense

__all__ = ["FORMATS", "Choice", "Cost", "Line", "choose"]


@dataclass(frozen=True)
class Line:
    """Instructions of one pass in one format: start + rows * row + units * unit.

    A unit is what the inner loop takes: four dense weights, one 1x4 block, or one delta8 entry.
    """

    start: float
    row: float
    unit: float

    def at(self, rows: int, units: int) -> float:
        """The line's value."""
        return self.start + rows * self.row + units * self.unit


@dataclass(frozen=True)
class Cost:
    """Estimated instructions of one kernel call, as straight lines through measured builds.

    A pass decodes the rows once: for 4 output pixels of a convolution, for one input row of a fully connected
    layer.
    """

    passes: int
    dense: Line
    block1x4: Line
    delta8: Line

    def estimate(self, line: Line, rows: int, units: int) -> int:
        """Instructions of all passes."""
        return round(self.passes * line.at(rows, units))


@dataclass(frozen=True, eq=False)
class Choice:
    """A packed layer: the arrays of the struct fields weights, gaps, pairs, counts (None where unused)."""

    format: str
    weights: Array | None
    gaps: Array | None
    pairs: Array | None
    counts: Array | None
    instructions: int
    reason: str

    @property
    def nbytes(self) -> int:
        """Bytes of weights with their indices."""
        arrays = (self.weights, self.gaps, self.pairs, self.counts)
        return sum(array.values.nbytes for array in arrays if array is not None)

    def fields(self) -> tuple[tuple[str, Array | None], ...]:
        """In the order of the C structs."""
        return (
            ("weights", self.weights),
            ("gaps", self.gaps),
            ("pairs", self.pairs),
            ("counts", self.counts),
        )


def _dense(weights: Int8Array, cost: Cost) -> Choice:
    packed = dense.pack(weights)
    values = Array("weights", "int8_t", packed.values, "weights")
    return Choice(
        "dense", values, None, None, None, cost.estimate(cost.dense, packed.rows, len(packed.values) // 4), ""
    )


def _block1x4(weights: Int8Array, cost: Cost) -> Choice:
    packed = block1x4.pack(weights)
    return Choice(
        "block1x4",
        Array("weights", "int8_t", packed.values, "weights"),
        Array("gaps", "uint8_t", packed.gaps, "weights"),
        None,
        Array("counts", "uint16_t", packed.counts, "weights"),
        cost.estimate(cost.block1x4, packed.rows, len(packed.gaps)),
        "",
    )


def _delta8(weights: Int8Array, cost: Cost) -> Choice:
    packed = delta8.pack(weights)
    return Choice(
        "delta8",
        None,
        None,
        Array("pairs", "uint16_t", packed.pairs, "weights"),
        Array("counts", "uint16_t", packed.counts, "weights"),
        cost.estimate(cost.delta8, packed.rows, len(packed.pairs)),
        "",
    )


FORMATS: dict[str, Callable[[Int8Array, Cost], Choice]] = {
    "dense": _dense,
    "block1x4": _block1x4,
    "delta8": _delta8,
}
"""Weight formats, in the order in which ties are broken."""


def choose(weights: Int8Array, cost: Cost, excluded: frozenset[str]) -> Choice:
    """Pack int8 weights [rows, columns] in the cheapest format that is not `excluded`.

    A sparse format qualifies where it takes at most the bytes and at most the estimated instructions of dense.
    """
    plain = FORMATS["dense"](weights, cost)
    zeros = float(np.mean(weights == 0)) if weights.size else 0.0
    share = f"{100 * zeros:.0f} % zeros"
    rejected = []
    qualified = []
    for name, pack in FORMATS.items():
        if name == "dense":
            continue
        if name in excluded:
            continue
        try:
            candidate = pack(weights, cost)
        except ModelError as error:
            rejected.append(f"{name}: {error}")
            continue
        instructions = candidate.instructions / max(plain.instructions, 1)
        size = candidate.nbytes / max(plain.nbytes, 1)
        text = f"{instructions:.2f}x the instructions and {size:.2f}x the bytes of dense"
        if instructions <= 1 and size <= 1:
            qualified.append(_with_reason(candidate, f"{name}: estimated {text} at {share}"))
        else:
            rejected.append(f"{name} would take {text}")
    if qualified:
        return min(qualified, key=lambda choice: choice.instructions)
    if not rejected:
        return _with_reason(plain, f"dense: {share}")
    return _with_reason(plain, f"dense: {share} are too few; {'; '.join(rejected)}")


def _with_reason(choice: Choice, reason: str) -> Choice:
    return Choice(choice.format, choice.weights, choice.gaps, choice.pairs, choice.counts, choice.instructions, reason)
