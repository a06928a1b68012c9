"""Which weight format a layer gets, by estimated instructions and by bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from edgesparse.errors import ModelError
from edgesparse.graph import Int8Array

__all__ = ["Packed", "Policy", "joined", "select"]


@dataclass(frozen=True)
class Policy:
    """What a choice must obey.

    `optimize`: under "latency" a format must be no slower than dense by estimate and no larger, and the fastest wins
    (the smallest of those that are about as fast). Under "flash" a format must be no larger than dense, and the
    smallest wins. `forced`: this format wherever it can be packed.
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

    @property
    def note(self) -> str:
        """Why it is no faster variant of the kernel, or ""."""


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
            rejected.append(f"{name} would take {text}{candidate.note and f' ({candidate.note})'}")
    if qualified:
        return _best(qualified, policy)
    if not rejected:
        return plain, f"dense: {share}"
    return plain, f"dense: {share} are too few; {'; '.join(rejected)}"


def joined(*parts: str) -> str:
    """Parts of a reason as one text, without those that are empty."""
    return "; ".join(part for part in parts if part)


def _pays(instructions: float, size: float, policy: Policy) -> bool:
    """Whether a format with these ratios to dense may stand in for it."""
    if policy.optimize == "flash":
        return size <= 1
    return instructions <= 1 and size <= 1


def _best(qualified: list[tuple[P, str]], policy: Policy) -> tuple[P, str]:
    if policy.optimize == "flash":
        return min(qualified, key=lambda pair: (pair[0].nbytes, pair[0].instructions))
    fastest = min(packed.instructions for packed, _ in qualified)
    close = [pair for pair in qualified if pair[0].instructions <= fastest * (1 + _TIE)]
    return min(close, key=lambda pair: (pair[0].nbytes, pair[0].instructions))
