"""A .tflite file without what no interpreter reads: the same outputs from fewer bytes."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from edgesparse.errors import ModelError
from edgesparse.tflite import objects

__all__ = ["share", "slim"]

_RUNTIME_METADATA = (b"OfflineMemoryAllocation", b"COMPRESSION_METADATA", b"reduced_precision_support")
"""Entries that an interpreter looks up: the first two TFLite Micro, the third TFLite's delegates."""


def slim(data: bytes, *, keep_metadata: bool = False) -> bytes:
    """The model of a .tflite file in few bytes. Tensors and ops keep their order and all that interpreters read.

    Dropped: names, descriptions, metadata, signatures (and with them the signature runner), the calibration ranges
    that stand beside scales and zero points; keep_metadata keeps these. Dropped in any case: buffers and operator
    codes without a user, second copies of equal ones, files that were appended to the flatbuffer.
    ModelError where the file is damaged.
    """
    model = objects.parse(data)
    if not keep_metadata:
        _drop_metadata(model)
    _drop_empty(model)
    share(model)
    return objects.pack(model)


def share(model: Any) -> None:
    """Drop buffers and operator codes of a ModelT that nothing refers to, and second copies of equal ones."""
    _merge_operator_codes(model)
    _merge_buffers(model)


def _drop_metadata(model: Any) -> None:
    model.description = model.signatureDefs = model.metadataBuffer = None
    model.metadata = [entry for entry in model.metadata or () if entry.name in _RUNTIME_METADATA] or None
    for subgraph in model.subgraphs or ():
        subgraph.name = None
        subgraph.debugMetadataIndex = -1
        for operator in subgraph.operators or ():
            operator.debugMetadataIndex = -1
    for tensor in _tensors(model):
        tensor.name = None
        if tensor.quantization is not None:
            tensor.quantization.min = tensor.quantization.max = None


def _drop_empty(model: Any) -> None:
    """Fields whose absence means the same as what they hold."""
    for tensor in _tensors(model):
        quantization = tensor.quantization
        if quantization is not None and all(
            _is_empty(values) for values in (quantization.scale, quantization.min, quantization.max)
        ):
            tensor.quantization = quantization if quantization.details is not None else None
    for subgraph in model.subgraphs or ():
        for operator in subgraph.operators or ():
            if _is_empty(operator.intermediates):
                operator.intermediates = None
            if operator.mutatingVariableInputs is not None and not np.any(operator.mutatingVariableInputs):
                operator.mutatingVariableInputs = None


def _merge_operator_codes(model: Any) -> None:
    codes = _Pool(
        [(c.deprecatedBuiltinCode, c.customCode, c.version, c.builtinCode) for c in model.operatorCodes or ()]
    )
    for subgraph in model.subgraphs or ():
        for operator in subgraph.operators or ():
            operator.opcodeIndex = codes.number(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[index] for index in codes.kept]


def _merge_buffers(model: Any) -> None:
    """Buffer 0 stays where it is: it stands for no data, and tensors without data refer to it."""
    if not model.buffers:
        return
    buffers = _Pool([_content(buffer) for buffer in model.buffers])
    buffers.number(0)
    for tensor in _tensors(model):
        tensor.buffer = buffers.number(tensor.buffer)
    for entry in model.metadata or ():
        entry.buffer = buffers.number(entry.buffer)
    if model.metadataBuffer is not None:
        model.metadataBuffer = [buffers.number(int(index)) for index in model.metadataBuffer]
    model.buffers = [model.buffers[index] for index in buffers.kept]


def _content(buffer: Any) -> Hashable:
    return b"" if _is_empty(buffer.data) else bytes(buffer.data), buffer.offset, buffer.size


def _tensors(model: Any) -> Iterator[Any]:
    for subgraph in model.subgraphs or ():
        yield from subgraph.tensors or ()


def _is_empty(values: Any) -> bool:
    return values is None or len(values) == 0


class _Pool:
    """Items of which some are equal and some unused; those that are asked for are kept, in that order, once each."""

    def __init__(self, items: Sequence[Hashable]) -> None:
        self._items = items
        self._numbers: dict[Hashable, int] = {}
        self.kept: list[int] = []

    def number(self, index: int) -> int:
        """The new number of the item that had this index."""
        if not 0 <= index < len(self._items):
            raise ModelError(f"damaged file: it refers to item {index} of a list of {len(self._items)}")
        item = self._items[index]
        if item not in self._numbers:
            self._numbers[item] = len(self.kept)
            self.kept.append(index)
        return self._numbers[item]
