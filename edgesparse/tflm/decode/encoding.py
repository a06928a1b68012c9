"""What TFLite Micro's op TFLM_DECODE reads: codes of the weights, and a header with tables. Bytes: FORMAT.md."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HEADER_BYTES", "Encoded", "header"]

HEADER_BYTES = 16

_VERSION = 1
_TYPES = {"lut": 0, "huffman": 1, "pruning": 2}
_TYPE_VERSION = 1


@dataclass(frozen=True)
class Encoded:
    """The two constant inputs of one TFLM_DECODE.

    kind: lut, huffman or pruning. instructions: to expand all weights once, on a Cortex-M4; fitted to what TFLite
    Micro's decoders take there.
    """

    kind: str
    codes: bytes
    ancillary: bytes
    instructions: int

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return len(self.codes) + len(self.ancillary)


def header(kind: str, *parameters: int) -> bytes:
    """The first bytes of the ancillary input. parameters: bytes of the kind's own."""
    return bytes([_TYPES[kind], _VERSION, 0, 0, _TYPE_VERSION, *parameters]).ljust(HEADER_BYTES, b"\0")
