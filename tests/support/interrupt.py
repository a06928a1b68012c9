"""Ctrl-C at a chosen line of progress."""

from __future__ import annotations

__all__ = ["Stop"]


class Stop:
    """Interrupts when a line of progress says so; notes all lines."""

    def __init__(self, at: str = "") -> None:
        """at: how the line begins; "" for none."""
        self.at, self.lines = at, list[str]()

    def __call__(self, line: str) -> None:
        """Take a line."""
        self.lines.append(line)
        if self.at and line.startswith(self.at):
            raise KeyboardInterrupt
