"""CRC-32 of the packed weights, as the firmware computes it over the linked section (selftest.h)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

__all__ = ["weights_crc"]

_ALIGNMENT = 4


def weights_crc(tables: Iterable[tuple[str, bytes]]) -> int:
    """CRC-32 (ISO 3309) of tables by their C names: in the order of their names, each padded with zeros to 4 bytes.

    As sections.ld lays them out: sorted by section name, and es_types.h aligns each to 4.
    """
    crc = 0
    for _, data in sorted((name.encode(), data) for name, data in tables):
        crc = zlib.crc32(data + bytes(-len(data) % _ALIGNMENT), crc)
    return crc
