"""Layers for your own training, in Keras 3."""

from __future__ import annotations

from edgesparse.keras_model.drop_connect_keras3 import DropConnect

__all__ = ["DropConnect"]
