"""What a report says of its board."""

from __future__ import annotations

from edgesparse.boards import Board

__all__ = ["board_warnings"]


def board_warnings(board: Board) -> list[str]:
    """What a reader must know before figures are believed."""
    if board.verified:
        return []
    return [
        f"board {board.name!r} is unverified: its memories, clocks and probe settings are read from manuals; compare "
        "them with your part before you rely on these figures or program it"
    ]
