"""Shards are read once before anything is made of them: each sample is judged, some of them stay in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.data import Dataset
from edgesparse.errors import DataError
from edgesparse.graph import FloatArray
from edgesparse.keras_model.check_data import check_data
from edgesparse.keras_model.loaded import input_shape, output_shape
from edgesparse.limits import MAX_STREAMED_BYTES
from edgesparse.progress import Progress, silent
from edgesparse.shards import TEST_FOLDER, NpzShard, RecordShard, Shards, spread_rows
from edgesparse.training.npz_shards import NpzReader
from edgesparse.training.record_shards import record_reader
from edgesparse.training.streaming import SHARE_BYTES, Reader, ShardStream

__all__ = ["Check", "dataset_for", "survey"]

Check = Callable[[FloatArray, "npt.NDArray[Any] | None", str], None]
"""Samples, labels, and what --data names, for messages; DataError where they do not fit the model."""

_MOST_SAMPLE_BYTES = MAX_STREAMED_BYTES // 256
"""So that what is in memory at once is enough to choose from, and a batch is a small part of it."""
_ROW_BYTES = 24
"""That choosing a sample takes."""


def dataset_for(model: Any, data: Dataset | Shards, *, seed: int, say: Progress = silent) -> Dataset:
    """Data for a tf_keras model: shards are surveyed, anything else is as it is. DataError where shards do not fit."""
    if isinstance(data, Dataset):
        return data

    def check(x: FloatArray, y: npt.NDArray[Any] | None, source: str) -> None:
        try:
            check_data(model, x, y)
        except DataError as error:
            raise DataError(f"--data {source}: {str(error).removeprefix('--data: ')}") from error

    inputs, outputs = input_shape(model), output_shape(model)
    return survey(data, inputs=inputs, outputs=outputs, check=check, seed=seed, say=say)


def survey(
    shards: Shards,
    *,
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    check: Check,
    seed: int,
    say: Progress = silent,
) -> Dataset:
    """Read all shards once. x, y and the test part of the result are chosen by the seed, evenly over the shards.

    inputs, outputs: shapes of the model's, without batch. Each part of the result takes SHARE_BYTES at
    most, as float32. DataError, with the shard's name, for samples that check refuses and for damaged files.
    """
    say(f"--data {shards.folder}: reading all shards once")
    train = _read(shards.train, inputs, outputs, check, seed)
    stream = ShardStream(shards.train, train.reader, train.total, train.digest, train.y is not None)
    if not shards.test:
        return Dataset(train.x, train.y, stream=stream, notes=_notes(train, "samples", shards.folder))
    test = _read(shards.test, inputs, outputs, check, seed)
    notes = _notes(test, "test samples", shards.folder / TEST_FOLDER)
    return Dataset(train.x, train.y, test.x, test.y, stream, notes)


@dataclass(frozen=True, eq=False)
class _Part:
    """Samples of a part, and what is known of all of it."""

    reader: Any
    x: FloatArray
    y: npt.NDArray[Any] | None
    total: int
    digest: str


def _read(
    shards: tuple[NpzShard, ...] | tuple[RecordShard, ...],
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    check: Check,
    seed: int,
) -> _Part:
    reader = _reader(shards, inputs, outputs)
    if reader.sample_bytes > _MOST_SAMPLE_BYTES:
        raise DataError(
            f"--data {shards[0].path.parent}: a sample takes {reader.sample_bytes:,} bytes; at most"
            f" {_MOST_SAMPLE_BYTES:,} in a folder of shards: give one .npz"
        )
    total = sum(shard.samples for shard in shards)
    rows = spread_rows(total, SHARE_BYTES // (reader.sample_bytes + _ROW_BYTES), seed)
    sha = hashlib.sha256()
    x = np.empty((len(rows), *inputs), np.float32)
    y: npt.NDArray[Any] | None = None
    start = 0
    for shard in shards:
        sha.update(f"\0{shard.path.name}\0{shard.samples}".encode())
        first = start
        for block_x, block_y in reader.blocks(shard):
            check(block_x, block_y, str(shard.path))
            low, high = np.searchsorted(rows, (start, start + len(block_x)))
            wanted = rows[low:high] - start
            x[low:high] = block_x[wanted]
            sha.update(block_x.data)
            if block_y is not None:
                y = np.empty((len(rows), *block_y.shape[1:]), block_y.dtype) if y is None else y
                y[low:high] = block_y[wanted]
                sha.update(block_y.data)
            start += len(block_x)
        if start - first != shard.samples:
            raise DataError(
                f"--data {shard.path}: {start - first:,} samples, found {shard.samples:,} before; start again"
            )
    return _Part(reader, x, y, total, sha.hexdigest())


def _reader(
    shards: tuple[NpzShard, ...] | tuple[RecordShard, ...], inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> Reader[Any]:
    first = shards[0]
    if isinstance(first, NpzShard):
        return NpzReader(first.x, first.y)
    return record_reader([shard for shard in shards if isinstance(shard, RecordShard)], inputs, outputs)


def _notes(part: _Part, what: str, folder: Path) -> tuple[str, ...]:
    """What to say where not all samples of the part that is judged are."""
    if len(part.x) == part.total:
        return ()
    return (
        f"accuracy is measured on {len(part.x):,} of the {part.total:,} {what} in {folder}, chosen by the seed: those"
        f" take the {SHARE_BYTES >> 20} MiB that they may",
    )
