"""A lowered network: kernel calls in execution order, and what to report about each layer."""

from __future__ import annotations

from dataclasses import dataclass

from edgesparse.lowering.call import KernelCall

__all__ = ["Layer", "PackedModel"]


@dataclass(frozen=True)
class Layer:
    """One op of the graph. `macs`, `weights` and `zeros` are 0 for ops without weights.

    `weights` counts kernel weights without biases; `dense_weight_bytes` is what they take unpacked, one byte each.
    """

    op_index: int
    name: str
    kind: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    macs: int
    weights: int
    zeros: int
    format: str  # dense, block1x4, ...; "" for ops without weights
    weight_bytes: int  # packed, with indices
    dense_weight_bytes: int
    reason: str
    estimated_instructions: int

    @property
    def sparsity(self) -> float:
        """Zeros / weights; 0.0 without weights."""
        return self.zeros / self.weights if self.weights else 0.0


@dataclass(frozen=True, eq=False)
class PackedModel:
    """Kernel calls in execution order.

    `aliases` maps a tensor to the one whose memory it shares (RESHAPE output -> input), followed to the end:
    no value is itself a key. `layers` has one entry per op of the graph, in order.
    """

    calls: tuple[KernelCall, ...]
    aliases: dict[int, int]
    layers: tuple[Layer, ...]

    @property
    def weight_bytes(self) -> int:
        """Bytes of all packed weights with their indices."""
        return sum(call.weight_bytes for call in self.calls)
