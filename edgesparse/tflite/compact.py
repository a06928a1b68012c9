"""A flatbuffer in few bytes: what is equal is stored once, what is at its default is left out.

flatc's Pack methods write through a `flatbuffers.Builder`. `CompactBuilder` takes its place: it records a graph of
tables and vectors in which equal nodes are one node, and `finish` lays that out (flatbuffers.dev/internals).

    0      4      8
    | root | id   | tables and vectors of tables, parents first | constant data | other vectors, strings, vtables |

References point forward, so that a node may stand anywhere behind all that refer to it. Aligned data leaves gaps; the
small nodes that fit are moved there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.tflite.placement import Piece, place

__all__ = ["CompactBuilder", "Handle"]

Handle: TypeAlias = int
"""A recorded node; never 0, which generated code takes for an absent one."""


@dataclass(frozen=True)
class _Table:
    fields: tuple[tuple[int, bytes | Handle], ...]  # (slot, the value's bytes or what it refers to)


@dataclass(frozen=True)
class _References:
    targets: tuple[Handle, ...]  # a vector of tables or strings


@dataclass(frozen=True)
class _Scalars:
    length: int
    raw: bytes  # the numbers, or a string with the 0 behind it
    item_bytes: int


_Node: TypeAlias = _Table | _References | _Scalars


class CompactBuilder:
    """The part of flatbuffers.Builder that generated code calls: its names, its arguments, its rule for defaults.

    One object makes one file: record by a generated Pack method, then call `finish`.
    """

    def __init__(self) -> None:
        self._nodes: list[_Node] = []
        self._handles: dict[_Node, Handle] = {}
        self._fields: dict[int, bytes | Handle] = {}
        self._elements: list[bytes] = []
        self._targets: list[Handle] = []
        self._item_bytes = 0

    def StartObject(self, _numfields: int) -> None:
        self._fields = {}

    def EndObject(self) -> Handle:
        return self._add(_Table(tuple(sorted(self._fields.items()))))

    def StartVector(self, elemSize: int, _numElems: int, _alignment: int) -> None:
        self._elements, self._targets, self._item_bytes = [], [], elemSize

    def EndVector(self) -> Handle:
        if self._targets:
            return self._add(_References(tuple(reversed(self._targets))))
        return self._add(_Scalars(len(self._elements), b"".join(reversed(self._elements)), self._item_bytes))

    def CreateString(self, s: str | bytes) -> Handle:
        raw = s.encode() if isinstance(s, str) else bytes(s)
        return self._add(_Scalars(len(raw), raw + b"\0", 1))

    def CreateNumpyVector(self, x: npt.NDArray[Any]) -> Handle:
        little = np.ascontiguousarray(x, dtype=x.dtype.newbyteorder("<"))
        return self._add(_Scalars(x.size, little.tobytes(), x.dtype.itemsize))

    def PrependUOffsetTRelative(self, off: Handle) -> None:
        self._targets.append(off)

    def PrependUOffsetTRelativeSlot(self, o: int, x: Handle, d: Handle) -> None:
        if x != d:
            self._fields[o] = x

    def PrependBool(self, x: bool) -> None:
        self._elements.append(struct.pack("<?", x))

    def PrependUint8(self, x: int) -> None:
        self._elements.append(struct.pack("<B", x))

    def PrependUint16(self, x: int) -> None:
        self._elements.append(struct.pack("<H", x))

    def PrependInt32(self, x: int) -> None:
        self._elements.append(struct.pack("<i", x))

    def PrependUint32(self, x: int) -> None:
        self._elements.append(struct.pack("<I", x))

    def PrependInt64(self, x: int) -> None:
        self._elements.append(struct.pack("<q", x))

    def PrependFloat32(self, x: float) -> None:
        self._elements.append(struct.pack("<f", x))

    def PrependBoolSlot(self, o: int, x: bool, d: bool) -> None:
        self._scalar("<?", o, x, d)

    def PrependInt8Slot(self, o: int, x: int, d: int) -> None:
        self._scalar("<b", o, x, d)

    def PrependUint8Slot(self, o: int, x: int, d: int) -> None:
        self._scalar("<B", o, x, d)

    def PrependInt32Slot(self, o: int, x: int, d: int) -> None:
        self._scalar("<i", o, x, d)

    def PrependUint32Slot(self, o: int, x: int, d: int) -> None:
        self._scalar("<I", o, x, d)

    def PrependInt64Slot(self, o: int, x: int, d: int) -> None:
        self._scalar("<q", o, x, d)

    def PrependUint64Slot(self, o: int, x: int, d: int) -> None:
        self._scalar("<Q", o, x, d)

    def PrependFloat32Slot(self, o: int, x: float, d: float) -> None:
        self._scalar("<f", o, x, d)

    def referred(self, tables: Iterable[Handle], slot: int) -> set[Handle]:
        """What a field of these tables refers to; of a vector of tables, its elements."""
        found: set[Handle] = set()
        for handle in tables:
            table = self._nodes[handle - 1]
            target = dict(table.fields).get(slot) if isinstance(table, _Table) else None
            if isinstance(target, int):
                vector = self._nodes[target - 1]
                found |= set(vector.targets) if isinstance(vector, _References) else {target}
        return found

    def finish(self, root: Handle, identifier: bytes, *, alignments: Mapping[Handle, int]) -> bytes:
        """The file, with its root table and 4-byte identifier.

        alignments: of the first element of vectors, in bytes, where more than an element's own size is needed.
        """
        tables: list[Piece] = []
        vectors: list[Piece] = []
        references: list[tuple[Handle, int, Handle]] = []  # in which node, at which byte of it, to which node
        vtables: dict[Handle, bytes] = {}
        # Children are recorded before their parents. The other way round, no child stands before a parent.
        for handle in range(root, 0, -1):
            node = self._nodes[handle - 1]
            if isinstance(node, _Table):
                piece, vtables[handle], targets = _table(handle, node)
            elif isinstance(node, _References):
                piece, targets = _references(handle, node)
            else:
                piece, targets = _scalars(handle, node, alignments.get(handle, 1)), []
            (vectors if isinstance(node, _Scalars) else tables).append(piece)
            references += [(handle, at, target) for at, target in targets]
        vectors += [Piece(vtable, vtable, alignment=2) for vtable in dict.fromkeys(vtables.values())]
        return _write(root, identifier, place(8, tables, vectors), references, vtables)

    def _scalar(self, form: str, slot: int, value: float, default: float) -> None:
        if value != default:
            self._fields[slot] = struct.pack(form, value)

    def _add(self, node: _Node) -> Handle:
        if node not in self._handles:
            self._nodes.append(node)
            self._handles[node] = len(self._nodes)
        return self._handles[node]


def _table(handle: Handle, node: _Table) -> tuple[Piece, bytes, list[tuple[int, Handle]]]:
    """A table, its vtable, and where it refers to what. The widest fields come first, so that none needs a gap."""
    widths = {slot: len(value) if isinstance(value, bytes) else 4 for slot, value in node.fields}
    values = dict(node.fields)
    offsets: dict[int, int] = {}
    targets = []
    body = bytearray(4)
    for slot in sorted(values, key=lambda slot: (-widths[slot], slot)):
        offsets[slot] = len(body)
        value = values[slot]
        if isinstance(value, bytes):
            body += value
        else:
            targets.append((len(body), value))
            body += bytes(4)
    entries = [offsets.get(slot, 0) for slot in range(max(offsets, default=-1) + 1)]
    vtable = struct.pack(f"<{2 + len(entries)}H", 4 + 2 * len(entries), len(body), *entries)
    widest = max(widths.values(), default=4)
    return Piece(handle, bytes(body), max(4, widest), 4 if widest > 4 else 0), vtable, targets


def _references(handle: Handle, node: _References) -> tuple[Piece, list[tuple[int, Handle]]]:
    body = struct.pack("<I", len(node.targets)) + bytes(4 * len(node.targets))
    return Piece(handle, body), [(4 + 4 * index, target) for index, target in enumerate(node.targets)]


def _scalars(handle: Handle, node: _Scalars, alignment: int) -> Piece:
    return Piece(handle, struct.pack("<I", node.length) + node.raw, max(4, node.item_bytes, alignment), lead=4)


def _write(
    root: Handle,
    identifier: bytes,
    placed: list[tuple[int, Piece]],
    references: list[tuple[Handle, int, Handle]],
    vtables: Mapping[Handle, bytes],
) -> bytes:
    """The bytes of all pieces, with every reference as the distance that it is stored as."""
    position = {piece.key: at for at, piece in placed}
    data = bytearray(max(at + len(piece.body) for at, piece in placed))
    for at, piece in placed:
        data[at : at + len(piece.body)] = piece.body
    struct.pack_into("<I4s", data, 0, position[root], identifier)
    for handle, at, target in references:
        struct.pack_into("<I", data, position[handle] + at, position[target] - position[handle] - at)
    for handle, vtable in vtables.items():
        struct.pack_into("<i", data, position[handle], position[handle] - position[vtable])
    return bytes(data)
