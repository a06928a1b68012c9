"""Samples that need not fit into memory: a folder of shards, found and judged by what they declare, and not read.

    FOLDER/*.npz         x, and y where there are labels; what calibrates and trains
    FOLDER/test/*.npz    the test part, if there is one; accuracy is measured on it

Or `*.tfrecord`, also `*.tfrecord-00000-of-00010`. Shards go by their names in the order of characters. Names that begin
with a point, other files and other folders are not looked at.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.arrays import Header, npz_headers
from edgesparse.errors import DataError, cut
from edgesparse.files import open_file
from edgesparse.graph import FloatArray
from edgesparse.limits import MAX_RECORD_BYTES, MAX_SHARDS

__all__ = ["TEST_FOLDER", "Batch", "NpzShard", "RecordShard", "Shard", "Shards", "Stream", "find_shards", "spread_rows"]

TEST_FOLDER = "test"

_RECORD_NAME = re.compile(r"\.tfrecords?(-\d+-of-\d+)?$")
_FRAME_BYTES = 16
"""Of a record: its length (8), the checksum of that (4), and behind the data the data's (4)."""

Batch: TypeAlias = tuple[FloatArray, "npt.NDArray[Any] | None"]
"""Samples [n, *input], and labels as in Dataset."""


class Stream(Protocol):
    """The training part of shards, read again in each epoch."""

    @property
    def samples(self) -> int:
        """In an epoch."""

    @property
    def digest(self) -> str:
        """Of all that an epoch gives, in hexadecimal."""

    def epoch(self, number: int, *, seed: int, batch: int) -> Iterator[Batch]:
        """All samples once, `batch` at once, fewer in the last; the order depends on number, seed and batch only.

        DataError where the shards are not any more what they were.
        """


@dataclass(frozen=True)
class Shard:
    """A file of samples, and what it was when it was found."""

    path: Path
    samples: int
    size: int
    modified_ns: int

    def check(self) -> None:
        """DataError where the file is gone, or was changed since it was found."""
        try:
            found = self.path.stat()
        except OSError as error:
            raise DataError(
                f"--data {self.path}: {error.strerror or error}, it was there when the run began; put it back"
            ) from error
        if (found.st_size, found.st_mtime_ns) != (self.size, self.modified_ns):
            raise DataError(f"--data {self.path}: was changed during the run; leave the shards alone and start again")


@dataclass(frozen=True)
class NpzShard(Shard):
    """Arrays x [n, ...] and perhaps y [n, ...]."""

    x: Header
    y: Header | None


@dataclass(frozen=True)
class RecordShard(Shard):
    """Records of tf.train.Example, the largest of which takes so many bytes."""

    largest_bytes: int


@dataclass(frozen=True)
class Shards:
    """A folder of shards, all of one kind. Those of a part are alike in shape, dtype and labels."""

    folder: Path
    train: tuple[NpzShard, ...] | tuple[RecordShard, ...]
    test: tuple[NpzShard, ...] | tuple[RecordShard, ...]

    @property
    def evaluation_samples(self) -> int:
        """Of the part that accuracy is measured on."""
        return sum(shard.samples for shard in self.test or self.train)

    @property
    def labelled(self) -> bool | None:
        """Whether the part that accuracy is measured on has labels; None for records, which are not read here."""
        shard = (self.test or self.train)[0]
        return shard.y is not None if isinstance(shard, NpzShard) else None

    def describe(self) -> str:
        """One line."""
        parts = (*self.train, *self.test)
        size = sum(shard.size for shard in parts)
        return f"{sum(shard.samples for shard in parts):,} samples in {len(parts):,} shards, {size:,} bytes"


def find_shards(folder: Path) -> Shards:
    """The shards of a folder; DataError where there are none, where they are of two kinds, or not alike."""
    train = _part(folder)
    if train is None:
        raise DataError(
            f"--data {folder}: expected .npz or .tfrecord files in the folder, and those of the test part in"
            f" {folder / TEST_FOLDER}; found none"
        )
    if not (folder / TEST_FOLDER).is_dir():
        return Shards(folder, train, ())
    test = _part(folder / TEST_FOLDER)
    if test is None:
        raise DataError(f"--data {folder}: {TEST_FOLDER} has no shards; remove it, or put the test part there")
    if type(test[0]) is not type(train[0]):
        raise DataError(
            f"--data {folder}: the shards in {TEST_FOLDER} are of another kind; use .npz or .tfrecord for all"
        )
    return Shards(folder, train, test)


def _part(folder: Path) -> tuple[NpzShard, ...] | tuple[RecordShard, ...] | None:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
    except OSError as error:
        raise DataError(f"--data {folder}: cannot read the folder: {error.strerror or error}") from error
    arrays = [folder / name for name in names if name.endswith(".npz")]
    records = [folder / name for name in names if _RECORD_NAME.search(name)]
    if arrays and records:
        raise DataError(
            f"--data {folder}: holds {arrays[0].name} and {records[0].name}; expected shards of one kind, put the"
            " others elsewhere"
        )
    paths = arrays or records
    if len(paths) > MAX_SHARDS:
        raise DataError(f"--data {folder}: {len(paths):,} shards; at most {MAX_SHARDS:,}: make them larger")
    if not paths:
        return None
    if records:
        return tuple(_record_shard(path) for path in records)
    shards = tuple(_npz_shard(path) for path in arrays)
    for shard in shards[1:]:
        _check_alike(shards[0], shard)
    return shards


def _npz_shard(path: Path) -> NpzShard:
    try:
        found = path.stat()
        headers, names = npz_headers(path, ("x", "y", "x_test", "y_test"))
    except (DataError, OSError) as error:
        raise DataError(f"--data {path}: {cut(error)}") from error
    if "x_test" in headers or "y_test" in headers:
        raise DataError(
            f"--data {path}: a shard with x_test or y_test; put x and y of the test part into {TEST_FOLDER}/*.npz"
        )
    x, y = headers.get("x"), headers.get("y")
    if x is None:
        raise DataError(f"--data {path}: expected an array named 'x', got {cut(', '.join(names)) or 'none'}")
    if x.dtype.kind not in "fiub" or len(x.shape) < 2 or 0 in x.shape:
        raise DataError(f"--data {path}: x must hold numbers of shape (samples, ...), got {cut(x.dtype)} {x.shape}")
    if y is not None and y.shape[:1] != x.shape[:1]:
        raise DataError(f"--data {path}: x has {x.shape[0]} samples and y has {y.shape[0] if y.shape else 'no'}")
    return NpzShard(path, x.shape[0], found.st_size, found.st_mtime_ns, x, y)


def _check_alike(first: NpzShard, other: NpzShard) -> None:
    for name, wanted, got in (("x", first.x, other.x), ("y", first.y, other.y)):
        if _kind(wanted) != _kind(got):
            raise DataError(
                f"--data {other.path}: {name} is {_kind(got)}, and {_kind(wanted)} in {first.path.name}; make all"
                " shards alike"
            )


def _kind(header: Header | None) -> str:
    if header is None:
        return "absent"
    return f"{cut(header.dtype)} ({', '.join(['n', *map(str, header.shape[1:])])})"


def _record_shard(path: Path) -> RecordShard:
    """Counts the records by their lengths alone; checksums are compared when they are read."""
    try:
        with open_file(path) as file:
            found = os.fstat(file.fileno())
            records, largest = _count(file.fileno(), found.st_size)
    except (DataError, OSError) as error:
        raise DataError(f"--data {path}: {cut(error)}") from error
    if not records:
        raise DataError(f"--data {path}: holds no records; remove it, or write samples into it")
    return RecordShard(path, records, found.st_size, found.st_mtime_ns, largest)


def _count(file: int, size: int) -> tuple[int, int]:
    at = records = largest = 0
    while at < size:
        head = os.pread(file, 8, at)
        (length,) = struct.unpack("<Q", head) if len(head) == 8 else (0,)
        if length > MAX_RECORD_BYTES:
            raise DataError(
                f"record {records} takes {length:,} bytes; at most {MAX_RECORD_BYTES:,}: damaged, compressed, or no"
                " TFRecord file"
            )
        at += _FRAME_BYTES + length
        if at > size:
            raise DataError(f"record {records} ends at byte {at:,} of {size:,}: cut off; write the file again")
        records, largest = records + 1, max(largest, length)
    return records, largest


def spread_rows(total: int, count: int, seed: int) -> npt.NDArray[np.int64]:
    """`count` of `total` rows in their order, one from each of `count` equal stretches; all where there are no more."""
    if count >= total:
        return np.arange(total, dtype=np.int64)
    edges = np.arange(count + 1, dtype=np.int64) * total // count
    return np.random.default_rng(seed).integers(edges[:-1], edges[1:])
