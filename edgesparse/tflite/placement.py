"""Where the pieces of a file go: aligned as each needs it, with small pieces in the gaps that alignment leaves."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

__all__ = ["Piece", "place"]


@dataclass(frozen=True)
class Piece:
    """Bytes that may stand where `(position + lead) % alignment == 0`."""

    key: Hashable
    body: bytes
    alignment: int = 4
    lead: int = 0

    def next(self, position: int) -> int:
        """The first place for it at or behind `position`."""
        return position + (-position - self.lead) % self.alignment


def place(head: int, ordered: Iterable[Piece], free: Iterable[Piece]) -> list[tuple[int, Piece]]:
    """Positions behind the first `head` bytes: the ordered pieces in their order, then the free ones in any order."""
    placed: list[tuple[int, Piece]] = []
    end = head

    def put(piece: Piece) -> None:
        nonlocal end
        placed.append((piece.next(end), piece))
        end = piece.next(end) + len(piece.body)

    for piece in ordered:
        put(piece)
    pool = sorted(free, key=lambda piece: (-piece.alignment, -len(piece.body)))
    fillers = [piece for piece in pool if piece.alignment <= _EASY]
    for piece in pool[: len(pool) - len(fillers)]:
        while filler := _fitting(fillers, end, piece.next(end)):
            fillers.remove(filler)
            put(filler)
        put(piece)
    for piece in fillers:
        put(piece)
    return placed


_EASY = 4
"""Pieces of this alignment or less fill gaps; there are none between them."""


def _fitting(fillers: list[Piece], start: int, stop: int) -> Piece | None:
    """The first, and so the largest, that fits between two positions."""
    if stop - start < _EASY:
        return None
    return next((piece for piece in fillers if piece.next(start) + len(piece.body) <= stop), None)
