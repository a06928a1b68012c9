"""Which weights to remove (plan), in which pattern, and how (methods)."""

from __future__ import annotations

from edgesparse.sparsify.channels.remove import remove_channels
from edgesparse.sparsify.device_costs import device_costs
from edgesparse.sparsify.methods import METHODS, Sparsifier, SparsifyResult, sparsify
from edgesparse.sparsify.patterns import PATTERNS, Pattern
from edgesparse.sparsify.plan import PATTERN_NAMES, Curve, LayerPlan, SparsityPlan, plan
from edgesparse.sparsify.prune import prune

__all__ = [
    "METHODS",
    "PATTERNS",
    "PATTERN_NAMES",
    "Curve",
    "LayerPlan",
    "Pattern",
    "Sparsifier",
    "SparsifyResult",
    "SparsityPlan",
    "device_costs",
    "plan",
    "prune",
    "remove_channels",
    "sparsify",
]
