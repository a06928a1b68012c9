"""What runs on this computer."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["PROC", "alive", "descendants", "wait_for"]

PROC = Path("/proc")


def descendants(of: int) -> list[int]:
    """Processes that a process has started, and those that they have."""
    children: dict[int, list[int]] = {}
    for path in PROC.glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, rest = [], [of]
    while rest:
        for child in children.get(rest.pop(), []):
            found.append(child)
            rest.append(child)
    return found


def alive(process: int) -> bool:
    """Whether it has not ended; a zombie has."""
    try:
        return (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition: Callable[[], bool], within_s: float = 60) -> bool:
    """Whether it comes true in time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False
