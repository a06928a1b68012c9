"""A lowered network: kernel calls in execution order, and what became of each op."""

from __future__ import annotations

from dataclasses import dataclass

from edgesparse.lowering.call import KernelCall

__all__ = ["Layer", "PackedModel"]


@dataclass(frozen=True)
class Layer:
    """What became of one op of the graph."""

    weight_bytes: int  # packed, with indices
    estimated_instructions: int
    reason: str  # why this kernel and format, or why none


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
