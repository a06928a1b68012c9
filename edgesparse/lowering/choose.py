"""Which weight format a layer gets, by estimated instructions and by bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np

from edgesparse.errors import ModelError
from edgesparse.graph import Int8Array
from edgesparse.lowering.call import Array
from edgesparse.lowering.costs import Work
from edgesparse.packing import block1x4, delta8, dense

__all__ = ["FORMATS", "Choice", "Cost", "Estimate", "Policy", "choose", "select"]


@dataclass(frozen=True)
class Policy:
    """What a choice must obey.

    `optimize`: under "latency" a format must be no slower than dense by estimate, and the fastest wins (the smallest of
    those that are about as fast); one that is larger than dense must save a larger share of the instructions than it
    adds of the bytes. Under "flash" a format must be no larger than dense, and the smallest wins. `forced`: this format
    wherever it can be packed.
    """

    excluded: frozenset[str] = frozenset()
    optimize: str = "latency"
    forced: str = ""


_TIE = 0.03
"""Instructions this close are equal, as far as an estimate can tell: then bytes decide."""


class Packed(Protocol):
    """A layer in one format."""

    @property
    def format(self) -> str:
        """Its name."""

    @property
    def nbytes(self) -> int:
        """Bytes of weights with their indices."""

    @property
    def instructions(self) -> int:
        """Estimated, of the whole call."""


P = TypeVar("P", bound=Packed)


def select(plain: P, pack: Mapping[str, Callable[[], P]], policy: Policy, weights: Int8Array) -> tuple[P, str]:
    """The format to take, and why. `plain` is dense; `pack` makes the others, or raises ModelError."""
    zeros = float(np.mean(weights == 0)) if weights.size else 0.0
    share = f"{100 * zeros:.0f} % zeros"
    rejected, qualified = [], []
    for name, make in pack.items():
        if name in policy.excluded or (policy.forced and name != policy.forced):
            continue
        try:
            candidate = make()
        except ModelError as error:
            rejected.append(f"{name}: {error}")
            continue
        instructions = candidate.instructions / max(plain.instructions, 1)
        size = candidate.nbytes / max(plain.nbytes, 1)
        text = f"{instructions:.2f}x the instructions and {size:.2f}x the bytes of dense"
        if policy.forced or _pays(instructions, size, policy):
            qualified.append((candidate, f"{name}: estimated {text} at {share}"))
        else:
            rejected.append(f"{name} would take {text}")
    if qualified:
        return _best(qualified, policy)
    if not rejected:
        return plain, f"dense: {share}"
    return plain, f"dense: {share} are too few; {'; '.join(rejected)}"


def _pays(instructions: float, size: float, policy: Policy) -> bool:
    """Whether a format with these ratios to dense may stand in for it."""
    if policy.optimize == "flash":
        return size <= 1
    return instructions <= 1 and size - 1 <= 1 - instructions


def _best(qualified: list[tuple[P, str]], policy: Policy) -> tuple[P, str]:
    if policy.optimize == "flash":
        return min(qualified, key=lambda pair: (pair[0].nbytes, pair[0].instructions))
    fastest = min(packed.instructions for packed, _ in qualified)
    close = [pair for pair in qualified if pair[0].instructions <= fastest * (1 + _TIE)]
    return min(close, key=lambda pair: (pair[0].nbytes, pair[0].instructions))


@dataclass(frozen=True, eq=False)
class Choice:
    """A packed layer: the arrays of the struct fields weights, gaps, pairs, counts (None where unused)."""

    format: str
    weights: Array | None
    gaps: Array | None
    pairs: Array | None
    counts: Array | None
    instructions: int
    work: Work
    reason: str = ""

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


@dataclass(frozen=True)
class Estimate:
    """Instructions of a call, and the work that they follow from."""

    instructions: int
    work: Work


Cost = Callable[[str, int, int], Estimate]
"""(format, rows, units) -> Estimate. A unit is what the inner loop takes: four dense weights, one 1x4 block, or one
delta8 entry."""


def _dense(weights: Int8Array, cost: Cost) -> Choice:
    packed = dense.pack(weights)
    estimate = cost("dense", packed.rows, len(packed.values) // 4)
    values = Array("weights", "int8_t", packed.values, "weights")
    return Choice("dense", values, None, None, None, estimate.instructions, estimate.work)


def _block1x4(weights: Int8Array, cost: Cost) -> Choice:
    packed = block1x4.pack(weights)
    estimate = cost("block1x4", packed.rows, len(packed.gaps))
    return Choice(
        "block1x4",
        Array("weights", "int8_t", packed.values, "weights"),
        Array("gaps", "uint8_t", packed.gaps, "weights"),
        None,
        Array("counts", "uint16_t", packed.counts, "weights"),
        estimate.instructions,
        estimate.work,
    )


def _delta8(weights: Int8Array, cost: Cost) -> Choice:
    packed = delta8.pack(weights)
    estimate = cost("delta8", packed.rows, len(packed.pairs))
    return Choice(
        "delta8",
        None,
        None,
        Array("pairs", "uint16_t", packed.pairs, "weights"),
        Array("counts", "uint16_t", packed.counts, "weights"),
        estimate.instructions,
        estimate.work,
    )


FORMATS: dict[str, Callable[[Int8Array, Cost], Choice]] = {
    "dense": _dense,
    "block1x4": _block1x4,
    "delta8": _delta8,
}
"""Weight formats, in the order in which ties are broken."""


def choose(weights: Int8Array, cost: Cost, policy: Policy) -> Choice:
    """Pack int8 weights [rows, columns] in the format that the policy prefers."""
    plain = FORMATS["dense"](weights, cost)
    others = {name: _packer(name, weights, cost) for name in FORMATS if name != "dense"}
    choice, reason = select(plain, others, policy, weights)
    return replace(choice, reason=reason)


def _packer(name: str, weights: Int8Array, cost: Cost) -> Callable[[], Choice]:
    return lambda: FORMATS[name](weights, cost)
