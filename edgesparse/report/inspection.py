"""What inspect and sparsify find out, which make no report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edgesparse import record
from edgesparse.missing import Missing
from edgesparse.record import Json, optional
from edgesparse.result import Channels, OutputDistance

__all__ = [
    "FloatAccuracy",
    "FloatFidelity",
    "InspectedLayer",
    "InspectedModel",
    "Inspection",
    "Sparsification",
    "SparsifiedLayer",
    "SparsifiedModel",
]

Real: TypeAlias = float
"""In classes with a field `float`, which is the float model's figure."""


@dataclass(frozen=True)
class InspectedModel:
    """Totals. `sparsity`: zeros / prunable weights."""

    macs: int
    parameters: int
    prunable: int
    sparsity: float


@dataclass(frozen=True)
class InspectedLayer:
    """One op. `note`: why it can or cannot gain from zeros."""

    name: str
    op: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    weights: int
    sparsity: float | Missing
    prunable: bool
    note: str


@dataclass(frozen=True)
class Inspection:
    """A model as the firmware would run it."""

    path: str
    model: InspectedModel
    layers: tuple[InspectedLayer, ...]

    def to_json(self) -> Json:
        """What `inspect --json` prints."""
        return record.to_json(self)


@dataclass(frozen=True)
class SparsifiedModel:
    """The sparse Keras model. `sparsity`: zeros / prunable weights."""

    parameters: int
    prunable: int
    sparsity: float
    channels: Channels | None = optional()


@dataclass(frozen=True)
class FloatAccuracy:
    """`metric`: top1 (higher is better) or mse (lower is better), on `samples` samples."""

    metric: Literal["top1", "mse"]
    samples: int
    float: Real
    sparse_float: Real


@dataclass(frozen=True)
class FloatFidelity:
    """The sparse model beside the one that it was made from."""

    samples: int
    sparse_vs_float: OutputDistance


@dataclass(frozen=True)
class SparsifiedLayer:
    """What happened to one kernel, as sparsify.LayerPlan says it."""

    name: str
    kind: str
    shape: tuple[int, ...]
    weights: int
    prunable: bool
    pattern: str | None
    sparsity: Real
    reason: str


@dataclass(frozen=True)
class Sparsification:
    """What sparsify did. `path`: of the file that it wrote; `settings`: those that it has a use for."""

    path: str
    source: str
    settings: Mapping[str, str | int | float | bool | None]
    model: SparsifiedModel
    accuracy: FloatAccuracy | Missing
    fidelity: FloatFidelity | Missing
    layers: tuple[SparsifiedLayer, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> Json:
        """What `sparsify --json` prints."""
        return record.to_json(self)
