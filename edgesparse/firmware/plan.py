"""Plan: which kernels run a network on a core, and where its tensors lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgesparse.boards import Core
from edgesparse.graph import Graph
from edgesparse.lowering import PackedModel, lower
from edgesparse.lowering.arena import MemoryPlan, plan_memory

__all__ = ["Plan", "plan_network"]


@dataclass(frozen=True, eq=False)
class Plan:
    """Kernel calls with their packed weights, and the arena.

    zero_inputs: by op index, the measured share of zero inputs that kernels were chosen with.
    """

    packed: PackedModel
    memory: MemoryPlan
    zero_inputs: Mapping[int, float] = field(default_factory=dict)


def plan_network(
    graph: Graph,
    core: Core,
    *,
    optimize: str,
    dense_only: bool = False,
    zero_inputs: Mapping[int, float] | None = None,
) -> Plan:
    """Choose kernels and place tensors; names do not matter. Arguments and errors as lower's."""
    packed = lower(graph, core, dense_only=dense_only, optimize=optimize, zero_inputs=zero_inputs)
    return Plan(packed, plan_memory(graph, packed), dict(zero_inputs or {}))
