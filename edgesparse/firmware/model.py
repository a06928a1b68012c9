"""FirmwareModel: all that a template may see. Plain values only, so that a template decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CallView", "FirmwareModel", "LayerView", "OffsetView", "TableView", "TensorView"]


@dataclass(frozen=True)
class TableView:
    """One constant C array, with its values as wrapped text."""

    name: str
    ctype: str
    length: int
    text: str
    section: Literal["ES_WEIGHTS", "ES_TABLE"]


@dataclass(frozen=True)
class CallView:
    """One kernel call. `fields`: C text of each parameter; `statement`: the call itself."""

    struct: str
    params: str  # C name of the parameters
    fields: tuple[tuple[str, str], ...]
    statement: str
    tables: tuple[TableView, ...]


@dataclass(frozen=True)
class LayerView:
    """One layer. `comment` says op, shapes, format, density and bytes; `inner_comment`, indented, the same."""

    index: int
    comment: str
    inner_comment: str
    calls: tuple[CallView, ...]


@dataclass(frozen=True)
class OffsetView:
    """Where a buffer lies in the arena, in bytes."""

    name: str
    value: int


@dataclass(frozen=True)
class TensorView:
    """The input or the output."""

    ctype: str
    shape: tuple[int, ...]
    values: int
    scale: str  # a C literal, "" where values are real numbers
    zero_point: int


@dataclass(frozen=True)
class FirmwareModel:
    """The model as C text. `name`: what all of its C names begin with, and its files are called."""

    name: str
    tool: str  # edgesparse 0.1.0
    source_sha256: str
    kernels_version: int
    input: TensorView
    output: TensorView
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    offsets: tuple[OffsetView, ...]  # AT_INPUT and AT_OUTPUT first
    layers: tuple[LayerView, ...]
    headers: tuple[str, ...]
    kernels: tuple[str, ...]  # source names without .c
    constants: tuple[TableView, ...]  # constant operands, such as of ADD
    vectors: tuple[str, ...]  # wrapped text of each test input
    vector_crcs: tuple[int, ...]  # CRC-32 of the output that each must give
    weights_crc: int
    runtime: str = "aot"  # what `make` builds without RUNTIME
    weights: str = "flash"  # where `make` puts them without WEIGHTS
