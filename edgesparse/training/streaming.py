"""Epochs of samples that need not fit into memory, through tf.data: shards in, batches out, in an order by the seed.

    shards, permuted -> rows of OPEN_SHARDS of them in turn -> shuffle buffer -> batches

Each epoch has an order of its own, which follows from the seed and the epoch's number. Nothing reads in parallel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from edgesparse.errors import DataError, cut
from edgesparse.keras_model.backend import tensorflow
from edgesparse.limits import MAX_STREAMED_BYTES
from edgesparse.shards import Batch, Shard

__all__ = ["BLOCK_BYTES", "OPEN_SHARDS", "SHARE_BYTES", "Reader", "ShardStream"]

SHARE_BYTES = MAX_STREAMED_BYTES // 4
"""What each has: samples of the training part, those of the test part, the shuffle buffer with the batches behind it,
and all else: blocks on their way, and the copies that training makes of a batch."""
BLOCK_BYTES = 4 << 20
"""Of rows that are read at once."""
OPEN_SHARDS = 4
"""Shards that are read in turn, so that what lies apart in them meets in the shuffle buffer."""

_BATCHES_AHEAD = 1
_ELEMENT_BYTES = 512
"""That tf.data takes for a sample in the shuffle buffer beside its values, about."""

S = TypeVar("S", bound=Shard, contravariant=True)


class Reader(Protocol[S]):
    """How shards of a kind are read."""

    @property
    def sample_bytes(self) -> int:
        """Of a sample with its label."""

    def blocks(self, shard: S, /) -> Iterator[Batch]:
        """The rows of one shard in their order."""

    def pipeline(
        self, shards: Sequence[S], *, seed: int, buffer: int, batch: int, failed: Callable[[DataError], None]
    ) -> Any:
        """A tf.data.Dataset of batches (x, y), y of zeros where there are no labels."""


@dataclass(frozen=True, eq=False)
class ShardStream(Generic[S]):
    """A Stream: see there. labelled: whether its batches have labels."""

    shards: tuple[S, ...]
    reader: Reader[S]
    samples: int
    digest: str
    labelled: bool

    def epoch(self, number: int, *, seed: int, batch: int) -> Iterator[Batch]:
        """See Stream."""
        tf = tensorflow()
        for shard in self.shards:
            shard.check()
        generator = np.random.default_rng([seed, number])
        order = [self.shards[index] for index in generator.permutation(len(self.shards))]
        ahead = (_BATCHES_AHEAD + 1) * batch
        errors: list[DataError] = []
        pipeline = self.reader.pipeline(
            order,
            seed=int(generator.integers(1, 1 << 31)),
            buffer=max(1, min(self.samples, SHARE_BYTES // (self.reader.sample_bytes + _ELEMENT_BYTES) - ahead)),
            batch=batch,
            failed=errors.append,
        )
        options = tf.data.Options()
        options.deterministic = True
        options.autotune.enabled = False
        rows = 0
        try:
            for x, y in pipeline.prefetch(_BATCHES_AHEAD).with_options(options).as_numpy_iterator():
                if errors:
                    break
                rows += len(x)
                yield x, y if self.labelled else None
        except tf.errors.OpError as error:
            self._explain(error)
        if errors:
            raise errors[0]
        if rows != self.samples:
            raise DataError(
                f"--data {self.shards[0].path.parent}: epoch {number + 1} gave {rows:,} samples, there were"
                f" {self.samples:,} before; leave the shards alone and start again"
            )

    def _explain(self, error: Any) -> None:
        """DataError for what TensorFlow says while it reads."""
        for shard in self.shards:
            shard.check()
        folder = self.shards[0].path.parent
        raise DataError(f"--data {folder}: cannot read the shards any more: {cut(error.message)}") from error
