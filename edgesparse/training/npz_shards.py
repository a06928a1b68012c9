"""Shards that are .npz files: their rows in blocks, and as a tf.data pipeline."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgesparse.arrays import Header, npz_rows
from edgesparse.errors import DataError, cut
from edgesparse.keras_model.backend import tensorflow
from edgesparse.sample_arrays import as_labels, as_samples
from edgesparse.shards import Batch, NpzShard
from edgesparse.training.streaming import BLOCK_BYTES, OPEN_SHARDS

__all__ = ["NpzReader"]


@dataclass(frozen=True)
class NpzReader:
    """Reads shards that are alike: x [n, *input], and y where there are labels."""

    x: Header
    y: Header | None

    @property
    def sample_bytes(self) -> int:
        """Of a sample and its label, in memory."""
        label = 4 * math.prod(self.y.shape[1:]) if self.y is not None and self.y.dtype.kind == "f" else 8
        return 4 * math.prod(self.x.shape[1:]) + label

    def blocks(self, shard: NpzShard) -> Iterator[Batch]:
        """All rows of a shard in their order, some at once; DataError that names it."""
        shard.check()
        names = ("x",) if self.y is None else ("x", "y")
        source = str(shard.path)
        rows = npz_rows(shard.path, names, max(1, BLOCK_BYTES // self.sample_bytes))
        while True:
            try:
                arrays = next(rows, None)
            except DataError as error:
                raise DataError(f"--data {source}: {cut(error)}") from error
            if arrays is None:
                return
            yield as_samples(arrays["x"], "x", source), as_labels(arrays.get("y"), "y", source)

    def pipeline(
        self, shards: Sequence[NpzShard], *, seed: int, buffer: int, batch: int, failed: Callable[[DataError], None]
    ) -> Any:
        """A tf.data.Dataset of batches (x, y), labels 0 where there are none.

        failed: gets an error of a shard, whose other rows are then missing: TensorFlow would make a traceback of it.
        """
        tf = tensorflow()
        floats = self.y is not None and self.y.dtype.kind == "f"
        target = self.y.shape[1:] if self.y is not None and floats else ()
        signature = (
            tf.TensorSpec((None, *self.x.shape[1:]), tf.float32),
            tf.TensorSpec((None, *target), tf.float32 if floats else tf.int64),
        )

        def rows(index: int) -> Iterator[Batch]:
            try:
                for x, y in self.blocks(shards[int(index)]):
                    yield x, np.zeros(len(x), np.int64) if y is None else y
            except DataError as error:
                failed(error)

        def read(index: Any) -> Any:
            return tf.data.Dataset.from_generator(rows, output_signature=signature, args=(index,))

        numbers = tf.data.Dataset.range(len(shards))
        blocks = numbers.interleave(read, cycle_length=OPEN_SHARDS, block_length=1, deterministic=True)
        return blocks.unbatch().shuffle(buffer, seed=seed, reshuffle_each_iteration=False).batch(batch)
