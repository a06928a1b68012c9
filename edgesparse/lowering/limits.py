"""How large the sums of a layer may be for its kernels.

A channel that cannot vary is rewritten where its sum may reach the smallest limit of its op (constant_channels.py), so
that a filter without weights, whose bias may be huge, takes no kernel and no format from the other channels.
"""

from __future__ import annotations

__all__ = ["CONV_2D_BIAS", "DEPTHWISE_3X3_BIAS", "HALF_ACCUMULATOR_SUM", "PAIR_SUM", "REQUANTIZED_SUM"]

REQUANTIZED_SUM = 1 << 30
"""|sum| << left shift stays below it: the requantization of dsp/ doubles it."""

DEPTHWISE_3X3_BIAS = 1 << 28
"""-limit <= bias < limit, with the input's zero point folded in: the records of the 3x3 kernels have 29 bits."""

CONV_2D_BIAS = 1 << 26
"""The same: the tables of CONV_2D in dsp/ have 27 bits for it, beside the shift."""

PAIR_SUM = 1 << 23
"""|sum| stays below it: FULLY_CONNECTED with pairs has 8 bits less, es_pairs.h."""

HALF_ACCUMULATOR_SUM = 1 << 22
"""-limit <= sum < limit: the lower one of two sums in an accumulator has 23 bits with its sign, es_patch.h."""
