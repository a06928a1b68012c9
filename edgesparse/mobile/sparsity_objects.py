"""SparseTensor <-> the SparsityParametersT of TFLite's schema."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError
from edgesparse.mobile.sparsity import Level, SparseTensor
from edgesparse.tflite import objects

__all__ = ["read", "write"]

_DENSE, _CSR = 0, 1
_VECTORS = {1: "Int32Vector", 2: "Uint16Vector", 3: "Uint8Vector"}
_DTYPES = {"Int32Vector": np.int32, "Uint16Vector": np.uint16, "Uint8Vector": np.uint8}


def write(sparse: SparseTensor) -> Any:
    """The tensor's tables as a SparsityParametersT; its values go into the tensor's buffer."""
    parameters = objects.generated().SparsityParametersT()
    parameters.traversalOrder = list(sparse.traversal_order)
    parameters.blockMap = list(sparse.block_map) or None
    parameters.dimMetadata = [_write_level(level) for level in sparse.levels]
    return parameters


def read(parameters: Any, shape: tuple[int, ...], values: npt.NDArray[Any]) -> SparseTensor:
    """The tensor of `shape` whose tables are `parameters` and whose buffer holds `values`; ModelError where damaged."""
    order = tuple(int(axis) for axis in _present(parameters.traversalOrder))
    block_map = tuple(int(axis) for axis in _present(parameters.blockMap))
    levels = [_read_level(metadata) for metadata in _present(parameters.dimMetadata)]
    rank = len(shape)
    if sorted(order) != list(range(rank + len(block_map))) or len(levels) != len(order):
        raise ModelError(f"damaged sparsity tables: {len(levels)} levels in order {list(order)} for rank {rank}")
    if set(order[:rank]) != set(range(rank)) or any(not 0 <= axis < rank for axis in block_map):
        raise ModelError(f"damaged sparsity tables: order {list(order)} and blocks of axes {list(block_map)}")
    sizes = list(shape)
    for number, axis in enumerate(block_map):
        block = levels[order.index(rank + number)].size
        if block < 1 or sizes[axis] % block:
            raise ModelError(f"damaged sparsity tables: blocks of {block} do not divide axis {axis} of {list(shape)}")
        sizes[axis] //= block
    nodes = 1
    checked = []
    for axis, level in zip(order, levels, strict=True):
        size = sizes[axis] if axis < rank else level.size
        checked.append(Level(size, level.segments, level.indices))
        nodes = _check_level(checked[-1], level.size, nodes, axis)
    if nodes != values.size:
        raise ModelError(f"damaged sparsity tables: they place {nodes} values, the buffer holds {values.size}")
    return SparseTensor(shape, order, block_map, tuple(checked), values)


def _check_level(level: Level, stated: int, nodes: int, axis: int) -> int:
    """The number of nodes of the level; ModelError where its tables do not fit `nodes` parents."""
    if level.segments is None or level.indices is None:
        if stated != level.size:
            raise ModelError(f"damaged sparsity tables: axis {axis} has {level.size} places, its level {stated}")
        return nodes * level.size
    segments, indices = level.segments.astype(np.int64), level.indices.astype(np.int64)
    if len(segments) != nodes + 1 or segments[0] != 0 or segments[-1] != len(indices) or np.any(np.diff(segments) < 0):
        raise ModelError(f"damaged sparsity tables: the segments of axis {axis} do not fit its indices")
    if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < level.size:
        raise ModelError(f"damaged sparsity tables: an index of axis {axis} lies outside 0 to {level.size - 1}")
    return len(indices)


def _write_level(level: Level) -> Any:
    schema = objects.generated()
    metadata = schema.DimensionMetadataT()
    if level.segments is None or level.indices is None:
        metadata.format, metadata.denseSize = _DENSE, level.size
        return metadata
    metadata.format = _CSR
    metadata.arraySegmentsType, metadata.arraySegments = _write_vector(level.segments)
    metadata.arrayIndicesType, metadata.arrayIndices = _write_vector(level.indices)
    return metadata


def _write_vector(values: npt.NDArray[Any]) -> tuple[int, Any]:
    code, name = next((code, name) for code, name in _VECTORS.items() if _DTYPES[name] == values.dtype)
    vector = getattr(objects.generated(), f"{name}T")()
    vector.values = values
    return code, vector


def _read_level(metadata: Any) -> Level:
    if metadata.format == _DENSE:
        return Level(int(metadata.denseSize))
    return Level(
        0,
        _read_vector(metadata.arraySegmentsType, metadata.arraySegments),
        _read_vector(metadata.arrayIndicesType, metadata.arrayIndices),
    )


def _read_vector(code: int, vector: Any) -> npt.NDArray[Any]:
    if code not in _VECTORS or vector is None:
        raise ModelError(f"damaged sparsity tables: index vector type {code} is not known")
    return np.array(_present(vector.values), _DTYPES[_VECTORS[code]])


def _present(values: Any) -> Any:
    return () if values is None else values
