"""What stands in the place of a figure that was not measured."""

from __future__ import annotations

__all__ = ["unavailable"]


def unavailable(reason: str) -> dict[str, str]:
    """What stands where a figure was not measured."""
    return {"unavailable": reason}
