"""How an op of two inputs repeats the smaller one along the larger."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby

__all__ = ["Broadcast", "broadcast"]


@dataclass(frozen=True)
class Broadcast:
    """The larger input as [outer, inner]; the smaller one's value for (o, i) is at o * step_outer + i * step_inner.

    step_inner is 0 or 1.
    """

    outer: int
    inner: int
    step_outer: int
    step_inner: int


def broadcast(larger: tuple[int, ...], smaller: tuple[int, ...]) -> Broadcast | None:
    """Equal shapes, one value for all, one per channel (of the last axes), or one per position (of the first axes).

    None for others: where the smaller input is larger along an axis, or repeats along axes that are no neighbours.
    """
    padded = (1,) * (len(larger) - len(smaller)) + smaller
    if len(padded) != len(larger) or any(small not in (1, size) for small, size in zip(padded, larger, strict=True)):
        return None
    # Neighbouring axes that are repeated, or that are not, are one.
    axes = [(size, small == size) for small, size in zip(padded, larger, strict=True) if size > 1]
    parts = [(math.prod(size for size, _ in group), own) for own, group in groupby(axes, key=lambda axis: axis[1])] or [
        (1, True)
    ]
    if len(parts) == 1:
        ((size, own),) = parts
        return Broadcast(1, size, 0, int(own))
    if len(parts) > 2:
        return None
    (outer, own_outer), (inner, own_inner) = parts
    return Broadcast(outer, inner, int(own_outer), int(own_inner))
