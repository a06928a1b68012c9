"""Layers for your own training, in tf_keras (Keras 2); for Keras 3 they are in edgesparse.layers.keras3.

TensorFlow is imported when a layer is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgesparse.keras_model.drop_connect_tf_keras import DropConnect

__all__ = ["DropConnect"]


def __getattr__(name: str) -> Any:
    if name == "DropConnect":
        from edgesparse.keras_model.drop_connect_tf_keras import DropConnect

        return DropConnect
    raise AttributeError(f"module 'edgesparse.layers' has no attribute {name!r}")
