"""Weights for TFLM_DECODE, type pruning: a bitmap and the weights that are not at the zero point."""

from __future__ import annotations

import numpy as np

from edgesparse.graph import Int8Array, Int32Array
from edgesparse.tflm.decode.encoding import HEADER_BYTES, Encoded, header

__all__ = ["INSTRUCTIONS_PER_WEIGHT", "encode", "expand"]

INSTRUCTIONS_PER_WEIGHT = 17
"""Zero or not."""


def encode(weights: Int8Array, zero_points: Int32Array) -> Encoded:
    """Encode int8 weights of any shape, in their order in memory.

    zero_points: the value that needs no byte, of a shape that broadcasts to that of the weights.
    """
    kept = (weights != zero_points).ravel()
    bitmap = np.packbits(kept, bitorder="big").tobytes()
    ancillary = header("pruning") + weights.ravel()[kept].tobytes()
    return Encoded("pruning", bitmap, ancillary, INSTRUCTIONS_PER_WEIGHT * weights.size)


def expand(encoded: Encoded, zero_points: Int32Array, shape: tuple[int, ...]) -> Int8Array:
    """The weights, as TFLM_DECODE writes them into the arena."""
    weights = np.broadcast_to(zero_points, shape).astype(np.int8).ravel()
    bits = np.frombuffer(encoded.codes, np.uint8)
    kept = np.unpackbits(bits, count=weights.size, bitorder="big").astype(np.bool_)
    weights[kept] = np.frombuffer(encoded.ancillary, np.int8, offset=HEADER_BYTES)
    return weights.reshape(shape)
