"""Shards that are TFRecord files of tf.train.Example: their records in blocks, and as a tf.data pipeline.

Features: `x`, a float_list of the input's values in their order, or one string of bytes: the values as little-endian
float32, or as uint8. `y`, where there are labels: an int64_list of one class, or a float_list of the output's values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import DataError, cut
from edgesparse.keras_model.backend import tensorflow
from edgesparse.sample_arrays import as_labels, as_samples
from edgesparse.shards import Batch, RecordShard
from edgesparse.training.streaming import BLOCK_BYTES, OPEN_SHARDS

__all__ = ["RecordReader", "record_reader"]

_OPEN_BYTES = 256 << 10
"""Of a file that is being read."""


@dataclass(frozen=True)
class RecordReader:
    """Reads shards whose records are alike.

    inputs, outputs: the shapes of the model's. stored: how x is stored; labels: how y is, None for no labels.
    record_bytes: of the largest record.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    stored: str  # float_list, float32 or uint8
    labels: str | None  # int64_list or float_list
    record_bytes: int

    @property
    def sample_bytes(self) -> int:
        """Of a sample and its label in memory, or of its record, which may hold more."""
        label = 4 * math.prod(self.outputs) if self.labels == "float_list" else 8
        return max(self.record_bytes, 4 * math.prod(self.inputs) + label)

    def blocks(self, shard: RecordShard) -> Iterator[Batch]:
        """All records of a shard in their order, some at once; DataError that names it and the record."""
        shard.check()
        source, start = str(shard.path), 0
        rows = max(1, BLOCK_BYTES // self.sample_bytes)
        for block in _records(shard, rows):
            x, y = self._decode(block, source, start)
            yield as_samples(x, "x", source), as_labels(y, "y", source)
            start += len(block)

    def pipeline(
        self,
        shards: Sequence[RecordShard],
        *,
        seed: int,
        buffer: int,
        batch: int,
        failed: Callable[[DataError], None],  # noqa: ARG002 # TensorFlow says itself what is wrong with a record
    ) -> Any:
        """A tf.data.Dataset of batches (x, y), labels 0 where there are none; errors are TensorFlow's own."""
        tf = tensorflow()
        paths = tf.data.Dataset.from_tensor_slices([str(shard.path.absolute()) for shard in shards])
        records = paths.interleave(
            lambda path: tf.data.TFRecordDataset(path, buffer_size=_OPEN_BYTES),
            cycle_length=OPEN_SHARDS,
            block_length=1,
            deterministic=True,
        )
        shuffled = records.shuffle(buffer, seed=seed, reshuffle_each_iteration=False)
        return shuffled.batch(batch).map(self._parse, deterministic=True)

    def _parse(self, records: Any) -> tuple[Any, Any]:
        """The same as _decode, of records that it has seen, in TensorFlow's graph."""
        tf = tensorflow()
        values = math.prod(self.inputs)
        found = (
            tf.io.FixedLenFeature([values], tf.float32)
            if self.stored == "float_list"
            else tf.io.FixedLenFeature([], tf.string)
        )
        features = {"x": found}
        if self.labels == "int64_list":
            features["y"] = tf.io.FixedLenFeature([], tf.int64)
        elif self.labels == "float_list":
            features["y"] = tf.io.FixedLenFeature(list(self.outputs), tf.float32)
        parsed = tf.io.parse_example(records, features)
        x = parsed["x"]
        if self.stored != "float_list":
            x = tf.cast(tf.io.decode_raw(x, self.stored), tf.float32)
        y = parsed["y"] if self.labels is not None else tf.zeros(tf.shape(records), tf.int64)
        return tf.reshape(x, [-1, *self.inputs]), y

    def _decode(self, records: Any, source: str, start: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        """x [n, *inputs] and y of serialized records [n], each of which is judged. start: number of the first."""
        tf = tensorflow()
        features = {"x": tf.io.RaggedFeature(tf.float32 if self.stored == "float_list" else tf.string)}
        if self.labels is not None:
            features["y"] = tf.io.RaggedFeature(tf.int64 if self.labels == "int64_list" else tf.float32)
        try:
            parsed = tf.io.parse_example(records, features)
        except tf.errors.OpError as error:
            raise DataError(
                f"--data {source}: a record from {start} on is no tf.train.Example like the first one of the folder:"
                f" {cut(error.message)}"
            ) from error
        values = math.prod(self.inputs)
        if self.stored == "float_list":
            _check_lengths(parsed["x"], values, "x", source, start)
            x = parsed["x"].values.numpy()
        else:
            _check_lengths(parsed["x"], 1, "x", source, start)
            x = _joined(parsed["x"].values.numpy(), np.dtype(self.stored).newbyteorder("<"), values, source, start)
        x = x.reshape(-1, *self.inputs)
        if self.labels is None:
            return x, None
        _check_lengths(parsed["y"], 1 if self.labels == "int64_list" else math.prod(self.outputs), "y", source, start)
        y = parsed["y"].values.numpy()
        return x, y if self.labels == "int64_list" else y.reshape(-1, *self.outputs)


def record_reader(shards: Sequence[RecordShard], inputs: tuple[int, ...], outputs: tuple[int, ...]) -> RecordReader:
    """The reader for shards like the first record; DataError where that has no x, or one of another size."""
    first = shards[0]
    first.check()
    source, values = str(first.path), math.prod(inputs)
    x, y = _first_features(first)
    labels = _kind_of(y)
    if labels == "bytes_list":
        raise DataError(
            f"--data {source}: record 0: y is a bytes_list; write an int64_list of one class, or a float_list"
        )
    stored = _kind_of(x)
    if stored is None:
        raise DataError(f"--data {source}: record 0 has no feature 'x'; write the sample as a float_list, or as bytes")
    if stored == "int64_list":
        raise DataError(f"--data {source}: record 0: x is an int64_list; write a float_list, or bytes of uint8")
    if stored == "bytes_list":
        size = len(x.bytes_list.value[0])
        if size not in (4 * values, values):
            raise DataError(
                f"--data {source}: record 0: x takes {size:,} bytes; the model's input of shape {inputs} takes"
                f" {4 * values:,} as float32, {values:,} as uint8"
            )
        stored = "float32" if size == 4 * values else "uint8"
    return RecordReader(inputs, outputs, stored, labels, max(shard.largest_bytes for shard in shards))


def _kind_of(feature: Any) -> str | None:
    """float_list, int64_list or bytes_list; None for a feature that is not there, or has no values."""
    kind = feature.WhichOneof("kind") if feature is not None else None
    return str(kind) if kind is not None and getattr(feature, kind).value else None


def _first_features(shard: RecordShard) -> tuple[Any, Any]:
    """x and y of the first record as tf.train.Feature, None where it has none."""
    from google.protobuf.message import DecodeError

    record = next(_records(shard, 1))[0].numpy()
    try:
        found = tensorflow().train.Example.FromString(record).features.feature
    except DecodeError as error:
        raise DataError(f"--data {shard.path}: record 0 is no tf.train.Example: {cut(error)}") from error
    # Asking a map of protobuf for what it does not hold would put it there.
    return found["x"] if "x" in found else None, found["y"] if "y" in found else None  # noqa: SIM401


def _records(shard: RecordShard, rows: int) -> Iterator[Any]:
    """Serialized records as string tensors, `rows` at once; their checksums are right, DataError otherwise."""
    tf = tensorflow()
    blocks = iter(tf.data.TFRecordDataset(str(shard.path.absolute()), buffer_size=_OPEN_BYTES).batch(rows))
    while True:
        try:
            block = next(blocks, None)
        except tf.errors.OpError as error:
            raise DataError(
                f"--data {shard.path}: a damaged record: {cut(error.message)}; write the file again"
            ) from error
        if block is None:
            return
        yield block


def _check_lengths(rows: Any, expected: int, name: str, source: str, start: int) -> None:
    """rows: a ragged tensor, one row of values per record."""
    lengths = rows.row_lengths().numpy()
    wrong = np.flatnonzero(lengths != expected)
    if len(wrong):
        got = int(lengths[wrong[0]])
        what = f"has no feature {name!r}" if not got else f"has {got:,} values in {name!r}"
        raise DataError(
            f"--data {source}: record {start + int(wrong[0])} {what}; expected {expected:,}, as the model says"
        )


def _joined(strings: npt.NDArray[Any], dtype: np.dtype[Any], values: int, source: str, start: int) -> npt.NDArray[Any]:
    for row, string in enumerate(strings):
        if len(string) != values * dtype.itemsize:
            raise DataError(
                f"--data {source}: record {start + row}: x takes {len(string):,} bytes; expected"
                f" {values * dtype.itemsize:,}, {dtype.name} as in the first record"
            )
    return np.frombuffer(b"".join(strings), dtype)
