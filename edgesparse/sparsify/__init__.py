"""Which weights to remove (plan), in which pattern, and how (methods)."""

from __future__ import annotations

from edgesparse.sparsify.channel_groups import ChannelAxis, ChannelGraph, ChannelGroup, channel_graph
from edgesparse.sparsify.checkpoint import Checkpoints
from edgesparse.sparsify.data import Training, check_data
from edgesparse.sparsify.device_costs import device_costs
from edgesparse.sparsify.kernels import Kernel, iter_kernels
from edgesparse.sparsify.methods import METHODS, Sparsifier, SparsifyResult, sparsify
from edgesparse.sparsify.patterns import PATTERNS, Pattern
from edgesparse.sparsify.plan import PATTERN_NAMES, Curve, LayerPlan, SparsityPlan, plan
from edgesparse.sparsify.prune import prune
from edgesparse.sparsify.remove_channels import remove_channels

__all__ = [
    "METHODS",
    "PATTERNS",
    "PATTERN_NAMES",
    "ChannelAxis",
    "ChannelGraph",
    "ChannelGroup",
    "Checkpoints",
    "Curve",
    "Kernel",
    "LayerPlan",
    "Pattern",
    "Sparsifier",
    "SparsifyResult",
    "SparsityPlan",
    "Training",
    "channel_graph",
    "check_data",
    "device_costs",
    "iter_kernels",
    "plan",
    "prune",
    "remove_channels",
    "sparsify",
]
