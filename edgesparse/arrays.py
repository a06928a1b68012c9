"""Numpy files from outside: their headers are judged before their data is read, and only what is asked for is read."""

from __future__ import annotations

import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.errors import DataError, cut
from edgesparse.files import open_file
from edgesparse.limits import MAX_ARCHIVE_MEMBERS, MAX_DATA_BYTES, MAX_RATIO, RATIO_FREE_BYTES

__all__ = ["DAMAGED", "read_npy", "read_npz"]

_Shape: TypeAlias = tuple[int, ...]

_read_magic: Callable[[IO[bytes]], tuple[int, int]] = np.lib.format.read_magic
_read_array: Callable[..., npt.NDArray[Any]] = np.lib.format.read_array
_READ_HEADER: dict[tuple[int, int], Callable[[IO[bytes]], tuple[_Shape, bool, np.dtype[Any]]]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

DAMAGED = (
    *(OSError, ValueError, EOFError, TypeError, KeyError, OverflowError, SyntaxError, MemoryError),
    *(RuntimeError, struct.error, zlib.error, tokenize.TokenError, zipfile.BadZipFile),  # RuntimeError: a password
)
"""What zipfile and numpy raise for files that are damaged, or made to be."""


_MOST_AXES = 32
"""Of numpy 1."""


@dataclass(frozen=True)
class _Header:
    """What a .npy says of its array, and how many bytes its data takes in the file."""

    shape: _Shape
    dtype: np.dtype[Any]

    @property
    def stored_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def used_bytes(self) -> int:
        """As samples: float32, or what is larger."""
        return math.prod(self.shape) * max(self.dtype.itemsize, 4)


def read_npy(path: Path) -> npt.NDArray[Any]:
    """The array of a .npy, which holds numbers; DataError, without the file's name."""
    try:
        with _quiet(), open_file(path) as file:
            header = _header(file)
            _check_total(header.used_bytes)
            size = path.stat().st_size - file.tell()
            if size < header.stored_bytes:
                raise DataError(f"its data takes {header.stored_bytes:,} bytes, it holds {size:,}")
            return _array(file)
    except FileNotFoundError:
        raise DataError("no such file") from None
    except DAMAGED as error:
        raise DataError(f"not a readable numpy file: {_words(error)}") from error


def read_npz(path: Path, names: Collection[str]) -> tuple[dict[str, npt.NDArray[Any]], tuple[str, ...]]:
    """Those of the named arrays that a .npz has, and the names of all that it has; DataError as read_npy."""
    try:
        with _quiet(), open_file(path) as whole, zipfile.ZipFile(whole) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            if len(archive.infolist()) > MAX_ARCHIVE_MEMBERS:
                raise DataError(f"{len(archive.infolist()):,} arrays; at most {MAX_ARCHIVE_MEMBERS:,}")
            wanted = {name: members[name] for name in names if name in members}
            total = 0
            for name, member in wanted.items():
                total += _check_member(archive, name, member)
                _check_total(total)
            found = {}
            for name, member in wanted.items():
                with archive.open(member) as file:
                    found[name] = _array(file)
            return found, tuple(members)
    except FileNotFoundError:
        raise DataError("no such file") from None
    except DAMAGED as error:
        raise DataError(f"not a readable numpy file: {_words(error)}") from error


def _check_member(archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo) -> int:
    """The bytes that an array will take; DataError where its member declares what it does not hold."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{name!r} is compressed in a way that numpy does not write; use numpy.savez_compressed")
    if member.file_size > max(RATIO_FREE_BYTES, MAX_RATIO * member.compress_size):
        raise DataError(
            f"{name!r} holds {member.file_size:,} bytes in {member.compress_size:,} compressed ones, more than "
            f"{MAX_RATIO} for each; save it with numpy.savez"
        )
    with archive.open(member) as file:
        header = _header(file)
        if member.file_size - file.tell() != header.stored_bytes:
            raise DataError(
                f"the data of {name!r} takes {header.stored_bytes:,} bytes, it holds {member.file_size - file.tell():,}"
            )
    return header.used_bytes


def _check_total(size: int) -> None:
    if size > MAX_DATA_BYTES:
        raise DataError(f"its arrays take {size:,} bytes as float32; at most {MAX_DATA_BYTES:,}: give fewer samples")


def _header(file: IO[bytes]) -> _Header:
    version = _read_magic(file)
    read = _READ_HEADER.get(version)
    if read is None:
        raise DataError(f"not a readable numpy file: .npy of version {version[0]}.{version[1]}, expected 1.0 or 2.0")
    shape, _, dtype = read(file)
    if dtype.hasobject or dtype.kind == "V":
        raise DataError(f"not a readable numpy file: an array of {cut(dtype)}, expected numbers")
    if len(shape) > _MOST_AXES or any(size < 0 for size in shape):
        raise DataError(f"not a readable numpy file: an array of shape {cut(shape)}")
    return _Header(shape, dtype)


def _array(file: IO[bytes]) -> npt.NDArray[Any]:
    file.seek(0)
    return _read_array(file, allow_pickle=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without numpy's advice to save files of Python 2 again, in several lines of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _words(error: BaseException) -> str:
    return cut(error) or type(error).__name__
