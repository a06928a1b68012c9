"""Weights for TFLite Micro's op TFLM_DECODE, type pruning: a bitmap and the weights that are not at the zero point.

Bytes: FORMAT.md, TFLM_DECODE.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgesparse.graph import Int8Array, Int32Array

__all__ = ["HEADER_BYTES", "Encoded", "encode", "expand"]

HEADER_BYTES = 16

_TYPE_PRUNING = 2
_VERSION = 1
_PRUNING_VERSION = 1


@dataclass(frozen=True)
class Encoded:
    """The two constant inputs of one TFLM_DECODE."""

    bitmap: bytes
    ancillary: bytes

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return len(self.bitmap) + len(self.ancillary)


def encode(weights: Int8Array, zero_points: Int32Array) -> Encoded:
    """Encode int8 weights of any shape, in their order in memory.

    zero_points: the value that needs no byte, of a shape that broadcasts to that of the weights.
    """
    kept = (weights != zero_points).ravel()
    header = bytes([_TYPE_PRUNING, _VERSION, 0, 0, _PRUNING_VERSION]).ljust(HEADER_BYTES, b"\0")
    bitmap = np.packbits(kept, bitorder="big").tobytes()
    return Encoded(bitmap, header + weights.ravel()[kept].tobytes())


def expand(encoded: Encoded, zero_points: Int32Array, shape: tuple[int, ...]) -> Int8Array:
    """The weights, as TFLM_DECODE writes them into the arena."""
    weights = np.broadcast_to(zero_points, shape).astype(np.int8).ravel()
    bits = np.frombuffer(encoded.bitmap, np.uint8)
    kept = np.unpackbits(bits, count=weights.size, bitorder="big").astype(np.bool_)
    weights[kept] = np.frombuffer(encoded.ancillary, np.int8, offset=HEADER_BYTES)
    return weights.reshape(shape)
