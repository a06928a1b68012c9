"""TFLite's sparsity encoding of one tensor: a tree of levels whose leaves are the stored values.

A level is an axis of the tensor, dense (every index has a child) or CSR (`segments` and `indices` say which). Axes may
come in any order (traversal order). A block is a dense sub-axis below all of them. After TACO's storage formats
(Kjolstad et al., OOPSLA 2017) and the comments of TFLite's schema. Here one axis is CSR and stands last, in front of
the blocks.
Bytes: FORMAT.md, TFLite sparsity.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Level", "Scheme", "SparseTensor", "decode", "encode", "smallest"]

_BLOCKS = (1, 2, 4, 8, 16)
"""Block sizes that are tried along the first and the last axis."""


@dataclass(frozen=True, eq=False)
class Level:
    """One level. Dense: `size` children each. CSR (`segments` is not None): node i has the children
    indices[segments[i]:segments[i + 1]]; both arrays in the smallest of uint8, uint16 and int32."""

    size: int
    segments: npt.NDArray[Any] | None = None
    indices: npt.NDArray[Any] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the two arrays."""
        return sum(array.nbytes for array in (self.segments, self.indices) if array is not None)


@dataclass(frozen=True)
class Scheme:
    """Which axis is CSR, and the extent of a block along every axis (all 1: single values)."""

    axis: int
    block: tuple[int, ...]

    @property
    def name(self) -> str:
        """`unstructured`, or `block1x4` for blocks of 1 along the first axis and 4 along the last."""
        if math.prod(self.block) == 1:
            return "unstructured"
        return f"block{self.block[0]}x{self.block[-1]}"


@dataclass(frozen=True, eq=False)
class SparseTensor:
    """An encoded tensor. `traversal_order`: the axis of each level, blocks numbered behind the axes; `block_map`: the
    axis that each block divides; `values`: the leaves from left to right."""

    shape: tuple[int, ...]
    traversal_order: tuple[int, ...]
    block_map: tuple[int, ...]
    levels: tuple[Level, ...]
    values: npt.NDArray[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of the values and of the tables."""
        return self.values.nbytes + sum(level.nbytes for level in self.levels)


def smallest(weights: npt.NDArray[Any]) -> tuple[Scheme, SparseTensor]:
    """The smallest encoding of a tensor of rank 2 or more, single values or blocks along its first and last axis.

    Ties go to single values, then to the smaller block, then to the first axis.
    """
    scheme = min(_schemes(weights.shape), key=lambda scheme: _encoded_bytes(weights, scheme))
    return scheme, encode(weights, scheme)


def encode(weights: npt.NDArray[Any], scheme: Scheme) -> SparseTensor:
    """Encode a tensor whose axes the block divides.

    A block is kept where any of its values is not zero. A tensor of zeros keeps its first block: runtimes take a
    tensor without data for one that is not constant.
    """
    rows = _rows(weights, scheme)
    kept = _kept(rows)
    at = np.argwhere(kept)
    counts = kept.sum(axis=1)
    segments = _narrow(np.concatenate(([0], np.cumsum(counts))))
    axes = [*(axis for axis in range(weights.ndim) if axis != scheme.axis), scheme.axis]
    blocked = [axis for axis, size in enumerate(scheme.block) if size > 1]
    levels = [Level(weights.shape[axis] // scheme.block[axis]) for axis in axes[:-1]]
    levels.append(Level(kept.shape[1], segments, _narrow(at[:, 1])))
    levels += [Level(scheme.block[axis]) for axis in blocked]
    return SparseTensor(
        shape=weights.shape,
        traversal_order=(*axes, *range(weights.ndim, weights.ndim + len(blocked))),
        block_map=tuple(blocked),
        levels=tuple(levels),
        values=rows[kept].reshape(-1),
    )


def decode(sparse: SparseTensor) -> npt.NDArray[Any]:
    """The dense tensor, of any encoding: every level may be CSR."""
    nodes = np.zeros(1, np.int64)
    path: list[npt.NDArray[np.int64]] = []
    for level in sparse.levels:
        if level.segments is None or level.indices is None:
            parents = np.repeat(np.arange(len(nodes)), level.size)
            index = np.tile(np.arange(level.size), len(nodes))
            nodes = nodes[parents] * level.size + index
        else:
            segments = level.segments.astype(np.int64)
            counts = (segments[1:] - segments[:-1])[nodes]
            parents = np.repeat(np.arange(len(nodes)), counts)
            nodes = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + segments[nodes][parents]
            index = level.indices.astype(np.int64)[nodes]
        path = [coordinate[parents] for coordinate in path] + [index]
    rank = len(sparse.shape)
    place = dict(zip(sparse.traversal_order, path, strict=True))
    sizes = dict(zip(sparse.traversal_order, (level.size for level in sparse.levels), strict=True))
    coordinates = [place[axis] for axis in range(rank)]
    for number, axis in enumerate(sparse.block_map):
        coordinates[axis] = coordinates[axis] * sizes[rank + number] + place[rank + number]
    dense = np.zeros(sparse.shape, sparse.values.dtype)
    dense[tuple(coordinates)] = sparse.values
    return dense


def _schemes(shape: tuple[int, ...]) -> Iterator[Scheme]:
    sizes = sorted(
        ((first, last) for first in _BLOCKS for last in _BLOCKS if shape[0] % first == 0 and shape[-1] % last == 0),
        key=lambda pair: (pair[0] * pair[1], pair[0]),
    )
    for first, last in sizes:
        block = (first, *(1 for _ in shape[1:-1]), last)
        for axis in range(len(shape)):
            if axis in (0, len(shape) - 1) or shape[axis] > 1:
                yield Scheme(axis, block)


def _encoded_bytes(weights: npt.NDArray[Any], scheme: Scheme) -> int:
    """What `encode` would give, without building it."""
    kept = _kept(_rows(weights, scheme))
    blocks = int(np.count_nonzero(kept))
    block_bytes = math.prod(scheme.block) * weights.itemsize
    return blocks * (block_bytes + _width(kept.shape[1] - 1)) + (len(kept) + 1) * _width(blocks)


def _rows(weights: npt.NDArray[Any], scheme: Scheme) -> npt.NDArray[Any]:
    """[nodes above the CSR axis, extent of the CSR axis, values of a block]."""
    split: list[int] = []
    for size, block in zip(weights.shape, scheme.block, strict=True):
        split += [size // block, block]
    outer = [2 * axis for axis in range(weights.ndim) if axis != scheme.axis]
    inner = [2 * axis + 1 for axis in range(weights.ndim)]
    blocks = weights.reshape(split).transpose(*outer, 2 * scheme.axis, *inner)
    return blocks.reshape(-1, weights.shape[scheme.axis] // scheme.block[scheme.axis], math.prod(scheme.block))


def _kept(rows: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    kept: npt.NDArray[np.bool_] = np.any(rows != 0, axis=2)
    if not kept.any():
        kept[0, 0] = True
    return kept


def _width(largest: int) -> int:
    """Bytes of the smallest index type that holds 0 to `largest`."""
    return 1 if largest < 1 << 8 else 2 if largest < 1 << 16 else 4


def _narrow(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    types = {1: np.uint8, 2: np.uint16, 4: np.int32}
    return values.astype(types[_width(int(values.max(initial=0)))])
