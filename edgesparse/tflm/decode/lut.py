"""Weights for TFLM_DECODE, type lookup table: 1 to 7 bits per weight, and the values that they stand for."""

from __future__ import annotations

import numpy as np

from edgesparse.graph import Int8Array
from edgesparse.tflm.decode.encoding import HEADER_BYTES, Encoded, header

__all__ = ["MAX_VALUES", "encode", "expand"]

MAX_VALUES = 128

_SAME_TABLE = 0
"""Bytes from the table of one channel to that of the next."""
_FAST = {2: 7, 3: 10, 4: 7}
"""Instructions per weight at these widths, in long runs of one channel."""
_SLOW = 30


def encode(weights: Int8Array, *, last_axis: bool) -> Encoded | None:
    """Encode int8 weights of any shape, in their order in memory; None for more than MAX_VALUES distinct values.

    last_axis: whether scales are along the last axis, so that each weight is of another channel than the one before.
    """
    values, places = np.unique(weights.ravel(), return_inverse=True)
    if not 0 < len(values) <= MAX_VALUES:
        return None
    width = max(1, (len(values) - 1).bit_length())
    bits = places.astype(np.uint8)[:, np.newaxis] >> np.arange(width - 1, -1, -1, dtype=np.uint8) & 1
    codes = np.packbits(bits.ravel(), bitorder="big").tobytes()
    per_weight = _SLOW if last_axis else _FAST.get(width, _SLOW)
    ancillary = header("lut", width, _SAME_TABLE) + values.tobytes()
    return Encoded("lut", codes, ancillary, per_weight * weights.size)


def expand(encoded: Encoded, shape: tuple[int, ...]) -> Int8Array:
    """The weights, as TFLM_DECODE writes them into the arena."""
    count, width = int(np.prod(shape)), encoded.ancillary[5]
    bits = np.unpackbits(np.frombuffer(encoded.codes, np.uint8), count=count * width, bitorder="big")
    places = bits.reshape(count, width) @ (1 << np.arange(width - 1, -1, -1))
    values = np.frombuffer(encoded.ancillary, np.int8, offset=HEADER_BYTES)
    result: Int8Array = values[places].reshape(shape)
    return result
