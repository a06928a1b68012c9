"""Sparse int8 neural networks for microcontrollers: prune, quantize, pack, build, and prove on an emulated Cortex-M.

`edgesparse.convert` is the whole flow; `edgesparse.commands` has the other commands as functions.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgesparse.commands.convert import convert

__all__ = ["__version__", "convert"]

__version__ = metadata.version("edgesparse")


def __getattr__(name: str) -> Any:
    if name == "convert":
        from edgesparse.commands.convert import convert

        return convert
    raise AttributeError(f"module 'edgesparse' has no attribute {name!r}")
