"""What stands in the place of a figure that was not measured."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Missing"]


@dataclass(frozen=True)
class Missing:
    """A figure that is not there, and why; `{"unavailable": reason}` in JSON."""

    reason: str
