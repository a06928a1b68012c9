"""Bounds-checked access to a flatbuffer, so that a damaged file is an error and never a wrong value.

Layout (flatbuffers.dev/internals): a table begins with a signed offset back to its vtable; the vtable holds its own
size, the table's size, and one 16-bit offset per field (0: absent, use the default). Vectors and strings begin with
a 32-bit length. All little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError
from edgesparse.limits import MAX_TENSORS, MAX_TEXT_BYTES

__all__ = ["Table", "root"]


@dataclass(frozen=True)
class Table:
    """A table at byte `position` of `buffer`. Fields are addressed by their number in the schema."""

    buffer: bytes
    position: int

    def int8(self, field: int) -> int:
        """A signed byte, 0 by default."""
        return self._scalar(field, "<b", 0)

    def boolean(self, field: int) -> bool:
        """A bool, False by default."""
        return self._scalar(field, "<B", 0) != 0

    def int32(self, field: int, default: int = 0) -> int:
        """A 32-bit signed integer."""
        return self._scalar(field, "<i", default)

    def uint32(self, field: int) -> int:
        """A 32-bit unsigned integer, 0 by default."""
        return self._scalar(field, "<I", 0)

    def uint64(self, field: int) -> int:
        """A 64-bit unsigned integer, 0 by default."""
        return self._scalar(field, "<Q", 0)

    def float32(self, field: int, default: float) -> float:
        """A 32-bit float."""
        at = self._field(field)
        return default if at is None else float(_unpack(self.buffer, "<f", at))

    def text(self, field: int) -> str:
        """A string, empty by default."""
        start, length = self._vector(field, 1)
        if length > MAX_TEXT_BYTES:
            raise ModelError(f"a name of {length:,} bytes; at most {MAX_TEXT_BYTES:,}")
        return self.buffer[start : start + length].decode("utf-8", errors="replace")

    def array(self, field: int, dtype: str) -> npt.NDArray[Any]:
        """A vector of scalars as a read-only array, empty by default. `dtype` as numpy spells it, such as '<i4'."""
        kind = np.dtype(dtype)
        start, length = self._vector(field, kind.itemsize)
        return np.frombuffer(self.buffer, kind, count=length, offset=start)

    def table(self, field: int) -> Table | None:
        """A nested table, or a union's value."""
        at = self._field(field)
        return None if at is None else _table(self.buffer, at + _unpack(self.buffer, "<I", at))

    def tables(self, field: int, *, most: int = MAX_TENSORS) -> tuple[Table, ...]:
        """A vector of tables, empty by default; ModelError for more than `most`."""
        start, length = self._vector(field, 4)
        if length > most:
            raise ModelError(f"a list of {length:,} tables; at most {most:,} are read")
        places = range(start, start + 4 * length, 4)
        return tuple(_table(self.buffer, at + _unpack(self.buffer, "<I", at)) for at in places)

    def _field(self, field: int) -> int | None:
        vtable = self.position - _unpack(self.buffer, "<i", self.position)
        size = _unpack(self.buffer, "<H", vtable)
        slot = 4 + 2 * field
        if slot + 2 > size:
            return None
        offset = _unpack(self.buffer, "<H", vtable + slot)
        return self.position + offset if offset else None

    def _scalar(self, field: int, form: str, default: int) -> int:
        at = self._field(field)
        return default if at is None else int(_unpack(self.buffer, form, at))

    def _vector(self, field: int, item_bytes: int) -> tuple[int, int]:
        at = self._field(field)
        if at is None:
            return 0, 0
        start = at + _unpack(self.buffer, "<I", at)
        length = _unpack(self.buffer, "<I", start)
        if start + 4 + length * item_bytes > len(self.buffer):
            raise ModelError(
                f"damaged flatbuffer: a vector of {length} x {item_bytes} bytes at {start} "
                f"runs past the end ({len(self.buffer)})"
            )
        return start + 4, length


def root(buffer: bytes, identifier: bytes) -> Table:
    """The root table; ModelError unless the file carries the 4-byte `identifier`."""
    if buffer[4:8] != identifier:
        raise ModelError(f"not a flatbuffer with identifier {identifier.decode()!r}: got {buffer[4:8]!r}")
    return _table(buffer, _unpack(buffer, "<I", 0))


def _table(buffer: bytes, position: int) -> Table:
    vtable = position - _unpack(buffer, "<i", position)
    size = _unpack(buffer, "<H", vtable)
    if size < 4 or size % 2 or vtable + size > len(buffer):
        raise ModelError(f"damaged flatbuffer: the vtable at {vtable} has {size} bytes")
    return Table(buffer, position)


_SCALARS = {form: struct.Struct(form) for form in ("<b", "<B", "<H", "<i", "<I", "<Q", "<f")}


def _unpack(buffer: bytes, form: str, at: int) -> Any:
    scalar = _SCALARS[form]
    if at < 0 or at + scalar.size > len(buffer):
        raise ModelError(f"damaged flatbuffer: offset {at} lies outside its {len(buffer)} bytes")
    return scalar.unpack_from(buffer, at)[0]
