"""How large files from outside may be. Checked on what a file declares, before anything of that size is made.

They are far above what runs on a microcontroller, and far below what stops a computer: whoever meets one has a damaged
file, or one that was made to do harm. docs/limits.md lists them.
"""

from __future__ import annotations

__all__ = [
    "MAX_ARCHIVE_MEMBERS",
    "MAX_AXES",
    "MAX_CONFIG_BYTES",
    "MAX_DATA_BYTES",
    "MAX_ELEMENTS",
    "MAX_MODEL_BYTES",
    "MAX_OPS",
    "MAX_PLAN_TEXT_BYTES",
    "MAX_RATIO",
    "MAX_RECORD_BYTES",
    "MAX_REPORT_BYTES",
    "MAX_SHARDS",
    "MAX_STREAMED_BYTES",
    "MAX_TENSORS",
    "MAX_TEXT_BYTES",
    "MAX_WEIGHT_BYTES",
    "RATIO_FREE_BYTES",
]

MAX_CONFIG_BYTES = 1 << 20
"""Of an edgesparse.toml."""

MAX_REPORT_BYTES = 256 << 20
"""Of a report.json."""
MAX_PLAN_TEXT_BYTES = 256 << 20
"""Of a text in the folder plan/ of an output."""

MAX_TENSORS = 100_000
"""Of a .tflite; its other lists of tables are no longer."""
MAX_OPS = 20_000
"""Of a .tflite. Networks of 10,000 ops take seconds to plan."""
MAX_AXES = 8
"""Of a tensor. No op of TFLite takes more."""
MAX_ELEMENTS = 64 << 20
"""Of a tensor: the largest memory of a Cortex-M board is a hundredth of that."""
MAX_TEXT_BYTES = 64 << 10
"""Of a name in a .tflite. The converter joins those of all that it fused."""
MAX_MODEL_BYTES = 512 << 20
"""Of a .tflite, and of all that its tensors hold. Several may name one and the same constant of the file."""

MAX_WEIGHT_BYTES = 2 << 30
"""Of a Keras model's weights, and of all members of a .keras: four times as much as the int8 .tflite may have."""

MAX_DATA_BYTES = 4 << 30
"""Of the samples and labels of --data, as float32; of a folder of shards, those of each shard."""
MAX_STREAMED_BYTES = 512 << 20
"""Of the samples and labels of a folder of shards that are in memory at once, as float32. The folder has no limit."""
MAX_SHARDS = 10_000
"""Files of a folder of shards, and of its test part."""
MAX_RECORD_BYTES = 64 << 20
"""Of a record in a TFRecord file."""
MAX_ARCHIVE_MEMBERS = 1000
"""Of a .npz or a .keras, whatever their names."""
MAX_RATIO = 200
"""Bytes of a member of a .npz or a .keras for each compressed byte. DEFLATE reaches 1,032, on zeros."""
RATIO_FREE_BYTES = 64 << 20
"""A member up to this size may be compressed as well as can be: labels often are all equal."""
