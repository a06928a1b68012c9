"""Whether there is room for a library that would end the process, or never end, where it gets none."""

from __future__ import annotations

import mmap

from edgesparse.errors import ResourceError

__all__ = ["need_address_space"]


def need_address_space(size: int, what: str, otherwise: str) -> None:
    """ResourceError unless the system would give `size` more bytes now. otherwise: what to do without."""
    try:
        mmap.mmap(-1, size).close()
    except (OSError, MemoryError, ValueError) as error:
        raise ResourceError(
            f"{what} needs {size >> 20:,} MiB of address space ({error}); use a machine with more, raise its limit "
            f"(ulimit -v){otherwise}"
        ) from error
