"""How a run tells what it is doing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Progress", "silent"]

Progress: TypeAlias = Callable[[str], None]
"""Takes a line of text at the start of each step."""


def silent(_: str) -> None:
    """Progress that nobody sees."""
