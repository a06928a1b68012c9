"""Sparse int8 neural networks for microcontrollers: prune, quantize, pack, build, and prove on an emulated Cortex-M."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgesparse.pipeline import build, convert, emulate, firmware, inspect

__all__ = ["__version__", "build", "convert", "emulate", "firmware", "inspect"]

__version__ = metadata.version("edgesparse")


def __getattr__(name: str) -> Any:
    if name in __all__:
        from edgesparse import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module 'edgesparse' has no attribute {name!r}")
