"""What the caller asks of training: samples, labels, epochs, and what else decides how weights move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgesparse.graph import FloatArray
from edgesparse.keras_model.check_data import Labels
from edgesparse.shards import Stream
from edgesparse.training.checkpoints import Checkpoints

__all__ = ["MIN_SAMPLES", "Training"]

MIN_SAMPLES = 16
"""Fewer say too little about what a layer's inputs have in common."""


@dataclass(frozen=True, eq=False)
class Training:
    """What a sparsifier may use beside the model. `progress` is called with a line of text per epoch."""

    x: FloatArray | None = None  # [n, *input]
    y: Labels | None = None
    stream: Stream | None = None  # what training reads, where x and y are only some of the samples
    epochs: int = 10
    seed: int = 0
    batch: int = 32
    learning_rate: float = 2e-3  # at its highest
    labels: bool = True  # whether training may use y
    distill: bool = True  # whether training learns from the outputs of the unpruned model
    activity_l1: float = 0.0  # strength of the penalty on the outputs of ReLUs
    schedule: str = "polynomial"  # of gradual: polynomial or constant
    cluster: int = 0  # the most values that the weights of a layer share in the end; 0 for any number
    dense_per_channel: bool = False  # whether quantization will give each output of a Dense layer a scale
    teacher: Any = None  # the unpruned tf_keras model, where the one to be made sparse has lost channels before
    checkpoints: Checkpoints | None = None  # where training that was interrupted goes on from
    progress: Callable[[str], None] | None = None
