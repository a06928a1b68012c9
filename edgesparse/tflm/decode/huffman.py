"""Weights for TFLM_DECODE, type Huffman: values that are frequent have short codes.

The decoder takes as many bits as its table has them and looks up: a value and how many of the bits were its code (the
others are put back), or another table for the bits that follow. Which tables there are is free; here they are those
that take the fewest bytes.

    codes 0, 10, 110, 111      first table: 1 bit      0 -> a (1 bit); 1 -> second table
                               second table: 2 bits    00 01 -> b (1 bit); 10 -> c, 11 -> d (2 bits)
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from edgesparse.graph import Int8Array
from edgesparse.tflm.decode.encoding import HEADER_BYTES, Encoded, header

__all__ = ["encode", "expand"]

_MAX_TABLE_BITS = 10
_FOUND = 0x8000
_COUNT_SHIFT = 11
_WORD_BITS = 32
_INSTRUCTIONS = 27
"""For a weight whose first lookup finds its value."""
_INSTRUCTIONS_PER_TABLE = 20
"""For each further lookup."""

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Leaf:
    value: int


@dataclass(frozen=True)
class _Node:
    """A node of the code's tree: what follows a 0 and what follows a 1."""

    zero: _Tree
    one: _Tree

    @cached_property
    def depth(self) -> int:
        """Bits of the longest code below."""
        return 1 + max(child.depth if isinstance(child, _Node) else 0 for child in (self.zero, self.one))

    @cached_property
    def best(self) -> tuple[int, int]:
        """(entries, -bits): of the tables for this tree, and of the first of them; the fewest, and the widest then."""
        choices = []
        for bits in range(1, min(self.depth, _MAX_TABLE_BITS) + 1):
            below = sum(node.best[0] for _, node in _at(self, bits) if isinstance(node, _Node))
            choices.append(((1 << bits) + below, -bits))
        return min(choices)


_Tree = _Leaf | _Node


def encode(weights: Int8Array) -> Encoded | None:
    """Encode int8 weights of any shape, in their order in memory; None where all of them are the same."""
    values, places, counts = np.unique(weights.ravel(), return_inverse=True, return_counts=True)
    if len(values) < 2:
        return None
    lengths = _lengths(counts)
    order = np.lexsort((values, lengths))
    codes, tree = _codes(lengths[order]), _tree([int(values[i]) for i in order], lengths[order])
    of_value = np.empty(len(values), np.int64)
    of_value[order] = codes
    table: list[int] = []
    _append_tables(tree, table)
    bits = -tree.best[1]
    stream = _stream(of_value[places], lengths[places])
    # The last lookups may read bits behind the codes, and whole words are read.
    padded = -(-(len(stream) + _MAX_TABLE_BITS) // _WORD_BITS) * _WORD_BITS
    packed = np.packbits(np.pad(stream, (0, padded - len(stream)))).tobytes()
    ancillary = header("huffman", (bits - 1) << 4) + np.array(table, "<u2").tobytes()
    lookups = sum(int(counts[order[i]]) * many for i, many in enumerate(_lookups(tree)))
    instructions = _INSTRUCTIONS * weights.size + _INSTRUCTIONS_PER_TABLE * (lookups - weights.size)
    return Encoded("huffman", packed, ancillary, instructions)


def expand(encoded: Encoded, shape: tuple[int, ...]) -> Int8Array:
    """The weights, as TFLM_DECODE writes them into the arena."""
    table = np.frombuffer(encoded.ancillary, "<u2", offset=HEADER_BYTES).tolist()
    first = (encoded.ancillary[5] >> 4) + 1
    stream = "".join(f"{byte:08b}" for byte in encoded.codes)
    result, place = [], 0
    for _ in range(int(np.prod(shape))):
        width, at = first, int(stream[place : place + first], 2)
        while not table[at] & _FOUND:
            place += width
            width = (table[at] >> _COUNT_SHIFT) + 1
            at += (table[at] & 0x7FF) + int(stream[place : place + width], 2)
        place += table[at] >> _COUNT_SHIFT & 0xF
        result.append(table[at] & 0xFF)
    return np.array(result, np.uint8).view(np.int8).reshape(shape)


def _lengths(counts: Numbers) -> Numbers:
    """Bits of the code of each value (Huffman, 1952); ties go to what came first."""
    heap = [(int(count), index, [index]) for index, count in enumerate(counts)]
    heapq.heapify(heap)
    lengths = np.zeros(len(counts), np.int64)
    made = len(heap)
    while len(heap) > 1:
        (few, _, first), (more, _, second) = heapq.heappop(heap), heapq.heappop(heap)
        lengths[first + second] += 1
        heapq.heappush(heap, (few + more, made, first + second))
        made += 1
    return lengths


def _codes(lengths: Numbers) -> list[int]:
    """Canonical codes for ascending lengths."""
    codes, code, before = [], 0, 0
    for length in lengths.tolist():
        code <<= length - before
        codes.append(code)
        code, before = code + 1, length
    return codes


def _tree(values: list[int], lengths: Numbers) -> _Node:
    """The tree of the canonical codes."""
    leaves = iter(zip(lengths.tolist(), values, strict=True))
    length, value = next(leaves)

    def grow(depth: int) -> _Tree:
        nonlocal length, value
        if length == depth:
            leaf = _Leaf(value)
            length, value = next(leaves, (0, 0))
            return leaf
        return _Node(grow(depth + 1), grow(depth + 1))

    root = grow(0)
    assert isinstance(root, _Node)
    return root


def _at(tree: _Tree, bits: int) -> list[tuple[int, _Tree]]:
    """What `bits` bits lead to, in their order: (bits that are not used, leaf), or (0, node)."""
    if bits == 0 or isinstance(tree, _Leaf):
        return [(bits, tree)]
    return _at(tree.zero, bits - 1) + _at(tree.one, bits - 1)


def _append_tables(tree: _Node, table: list[int]) -> None:
    """Append the table of a tree, and behind it those that it refers to."""
    bits = -tree.best[1]
    start = len(table)
    table.extend([0] * (1 << bits))
    at = start
    for unused, part in _at(tree, bits):
        if isinstance(part, _Leaf):
            entry = _FOUND | (bits - unused) << _COUNT_SHIFT | part.value & 0xFF
            table[at : at + (1 << unused)] = [entry] * (1 << unused)
        else:
            table[at] = (-part.best[1] - 1) << _COUNT_SHIFT | len(table) - at
            _append_tables(part, table)
        at += 1 << unused


def _lookups(tree: _Node) -> Iterator[int]:
    """How many lookups find each leaf, in the order of the codes."""
    for _, part in _at(tree, -tree.best[1]):
        if isinstance(part, _Leaf):
            yield 1
        else:
            yield from (1 + many for many in _lookups(part))


def _stream(codes: Numbers, lengths: Numbers) -> npt.NDArray[np.uint8]:
    """The bits of the codes one after the other, each with its highest bit first."""
    ends = np.cumsum(lengths)
    place = np.arange(ends[-1])
    of = np.searchsorted(ends, place, side="right")
    return (codes[of] >> (ends[of] - 1 - place) & 1).astype(np.uint8)
