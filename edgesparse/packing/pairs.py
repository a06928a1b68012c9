"""Two weights as one int16, as the fully connected kernels multiply them. Bytes: FORMAT.md, pairs.

Of neighbours w0, w1 the low byte is w0 and the high byte is w1, less one where w0 is negative, so that the
int16 is w0 + 256 * w1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgesparse.graph import Int8Array, Int32Array

__all__ = ["decode", "encode", "even_sums", "misfits"]


def misfits(weights: Int8Array) -> npt.NDArray[np.bool_]:
    """Which pairs of the last axis (of even length) leave int16: w0 < 0 and w1 == -128."""
    fit: npt.NDArray[np.bool_] = (weights[..., 0::2] < 0) & (weights[..., 1::2] == -128)
    return fit


def encode(weights: Int8Array) -> Int8Array:
    """Bytes of int8 weights whose last axis is even; no pair of them a misfit."""
    encoded = weights.copy()
    encoded[..., 1::2] -= (weights[..., 0::2] < 0).astype(np.int8)
    return encoded


def decode(encoded: Int8Array) -> Int8Array:
    """The weights again."""
    weights = encoded.copy()
    weights[..., 1::2] += (encoded[..., 0::2] < 0).astype(np.int8)
    return weights


def even_sums(weights: Int8Array) -> Int32Array:
    """Sums of the weights in even columns [rows]: the kernels add 127 times these."""
    sums: Int32Array = weights[:, 0::2].sum(axis=1, dtype=np.int32)
    return sums
