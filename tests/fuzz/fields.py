"""The fields of a `.tflite` as places in its bytes, and files with some of them changed in place.

Mutants that are packed again are well-formed flatbuffers; here offsets, lengths and vtables are wrong too.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Place", "mutant", "places"]


@dataclass(frozen=True)
class Place:
    """`size` bytes at `at`. kind: number, float, offset, length or slot (an entry of a vtable)."""

    at: int
    size: int
    kind: str


_TABLES: dict[str, dict[int, str]] = {
    "Model": {0: "u4", 1: "[OperatorCode", 2: "[SubGraph", 3: "[u1", 4: "[Buffer", 5: "[i4", 6: "[Metadata"},
    "OperatorCode": {0: "i1", 1: "[u1", 2: "i4", 3: "i4"},
    "SubGraph": {0: "[Tensor", 1: "[i4", 2: "[i4", 3: "[Operator", 4: "[u1"},
    "Tensor": {
        0: "[i4", 1: "i1", 2: "u4", 3: "[u1", 4: "Quantization", 5: "i1", 6: "Sparsity", 7: "[i4", 8: "i1",
        9: "[Variant",
    },
    "Quantization": {0: "[f4", 1: "[f4", 2: "[f4", 3: "[i8", 4: "i1", 5: "Options", 6: "i4"},
    "Operator": {
        0: "u4", 1: "[i4", 2: "[i4", 3: "i1", 4: "Options", 5: "[u1", 6: "i1", 7: "[u1", 8: "[i4", 9: "u8", 10: "u8",
    },
    "Buffer": {0: "[u1", 1: "u8", 2: "u8"},
    "Metadata": {0: "[u1", 1: "u4"},
    "Sparsity": {0: "[i4", 1: "[i4"},
    "Variant": {0: "[i4", 1: "i1"},
    "Options": dict.fromkeys(range(8), "any"),
}  # fmt: skip
"""TFLite's schema as far as it is read: fields by number. `[` is a vector; names are tables."""

_MOST_ITEMS = 24
"""Of a vector whose items are places."""
_MOST_PLACES = 2000
_VALUES_SHARE = 0.6
"""Of changes, those of numbers alone: a wrong offset hides what is behind it."""


def places(data: bytes) -> list[Place]:
    """The places of a file's fields; those that can be reached, where it is damaged."""
    found: list[Place] = []
    seen: set[int] = set()
    try:
        for place in _table(data, 0, "Model", seen):
            found.append(place)
            if len(found) >= _MOST_PLACES:
                break
    except (struct.error, RecursionError):
        pass
    return found


def _table(data: bytes, at: int, kind: str, seen: set[int]) -> Iterator[Place]:
    """The table that the offset at `at` refers to."""
    yield Place(at, 4, "offset")
    position = at + struct.unpack_from("<I", data, at)[0]
    if position in seen:
        return
    seen.add(position)
    yield Place(position, 4, "offset")
    vtable = position - struct.unpack_from("<i", data, position)[0]
    if vtable < 0:
        return
    size = struct.unpack_from("<H", data, vtable)[0]
    yield Place(vtable, 2, "slot")
    for field, form in _TABLES[kind].items():
        slot = vtable + 4 + 2 * field
        if slot + 2 > vtable + size:
            return
        yield Place(slot, 2, "slot")
        offset = struct.unpack_from("<H", data, slot)[0]
        if offset:
            yield from _field(data, position + offset, form, seen)


def _field(data: bytes, at: int, form: str, seen: set[int]) -> Iterator[Place]:
    if form == "any":
        yield Place(at, 1, "number")
        yield Place(at, 4, "number")
        yield Place(at, 4, "float")
    elif form in _TABLES:
        yield from _table(data, at, form, seen)
    elif form[0] == "[":
        yield Place(at, 4, "offset")
        start = at + struct.unpack_from("<I", data, at)[0]
        length = struct.unpack_from("<I", data, start)[0]
        yield Place(start, 4, "length")
        item = form[1:]
        size = 4 if item in _TABLES else int(item[1])
        for index in range(min(length, _MOST_ITEMS if item not in _TABLES else length)):
            place = start + 4 + index * size
            if place + size > len(data):
                return
            if item in _TABLES:
                yield from _table(data, place, item, seen)
            else:
                yield Place(place, size, "float" if item[0] == "f" else "number")
        if item == "u1" and length in (4, 8, 16, 32):  # the axes, sizes and paddings that ops take as constants
            yield from (Place(place, 4, "number") for place in range(start + 4, start + 4 + length, 4))
    else:
        yield Place(at, int(form[1]), "number")


_NUMBERS = (0, 1, 2, 3, 4, 6, 7, 8, 9, 16, 31, 32, 64, 100, 127, 128, 129, 255, 256, 1000, 32767, 32768, 65535, 65536,
            1 << 24, (1 << 26) - 1, 1 << 26, 1 << 30, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1,
            1 << 63)  # fmt: skip
_FLOATS = (0.0, -0.0, 1e-45, 1.2e-38, 1e-30, 1e-12, 1e-8, 1e-3, 1.0, -1.0, 255.0, 1e3, 1e9, 1e20, 3.4e38,
           float("inf"), float("-inf"), float("nan"))  # fmt: skip


def mutant(data: bytes, found: list[Place], rng: random.Random) -> bytes:
    """A copy with one to four of the places changed."""
    changed = bytearray(data)
    values = [place for place in found if place.kind in ("number", "float")]
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        some = values if values and rng.random() < _VALUES_SHARE else found
        if some:
            _change(changed, rng.choice(some), found, rng)
    if rng.random() < 0.03:
        del changed[rng.randrange(len(changed) + 1) :]
    return bytes(changed)


def _change(data: bytearray, place: Place, found: list[Place], rng: random.Random) -> None:
    bits = 8 * place.size
    if place.at + place.size > len(data):
        return
    old = int.from_bytes(data[place.at : place.at + place.size], "little")
    way = rng.random()
    if place.kind == "float" and way < 0.7:
        data[place.at : place.at + 4] = struct.pack("<f", rng.choice(_FLOATS))
        return
    if place.kind == "offset" and way < 0.5:
        value = rng.choice(found).at - place.at  # a table or a vector of another kind
    elif way < 0.4:
        value = old + rng.choice((-2, -1, 1, 2))
    elif way < 0.55:
        value = -rng.choice(_NUMBERS)
    elif way < 0.9:
        value = rng.choice(_NUMBERS)
    elif way < 0.95:
        value = old ^ (1 << rng.randrange(bits))
    else:
        other = rng.choice(found)
        value = int.from_bytes(data[other.at : other.at + other.size], "little")
    data[place.at : place.at + place.size] = (value % (1 << bits)).to_bytes(place.size, "little")
