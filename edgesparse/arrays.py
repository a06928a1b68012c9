"""Numpy files from outside: their headers are judged before their data is read, and only what is asked for is read."""

from __future__ import annotations

import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.errors import DataError, cut
from edgesparse.files import open_file
from edgesparse.limits import MAX_ARCHIVE_MEMBERS, MAX_DATA_BYTES, MAX_RATIO, RATIO_FREE_BYTES

__all__ = ["DAMAGED", "Header", "npz_headers", "npz_rows", "read_npy", "read_npz"]

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
class Header:
    """What a .npy says of its array, and how many bytes its data takes in the file."""

    shape: _Shape
    dtype: np.dtype[Any]
    fortran_order: bool = False

    @property
    def stored_bytes(self) -> int:
        """In the file, uncompressed."""
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
    with _quiet(), _members(path, names) as (archive, wanted, every_name):
        found = {}
        for name, (member, _) in wanted.items():
            with archive.open(member) as file:
                found[name] = _array(file)
        return found, every_name


def npz_headers(path: Path, names: Collection[str]) -> tuple[dict[str, Header], tuple[str, ...]]:
    """As read_npz, without their data: what the named arrays declare."""
    with _quiet(), _members(path, names) as (_, wanted, every_name):
        return {name: header for name, (_, header) in wanted.items()}, every_name


def npz_rows(path: Path, names: Collection[str], rows: int) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """The named arrays [n, ...] of a .npz, `rows` of the first axis at once; no more than that is in memory.

    All names are there, and all arrays have the same n; KeyError and DataError otherwise. DataError as read_npz.
    """
    with _members(path, names) as (archive, wanted, _), ExitStack() as opened:
        counts = {header.shape[0] if header.shape else 0 for _, header in wanted.values()}
        if len(counts) != 1:
            raise DataError(f"its arrays {cut(', '.join(wanted))} have different lengths")
        files = {name: opened.enter_context(archive.open(wanted[name][0])) for name in names}
        for name in names:
            with _quiet():
                header = _header(files[name])
            if header.fortran_order:
                raise DataError(f"{name!r} is stored column by column; save numpy.ascontiguousarray({name})")
        left = counts.pop()
        while left:
            take = min(rows, left)
            yield {name: _rows(files[name], wanted[name][1], take) for name in names}
            left -= take
        for file in files.values():
            file.read(1)  # the end, where zipfile compares the CRC


def _rows(file: IO[bytes], header: Header, count: int) -> npt.NDArray[Any]:
    size = count * math.prod(header.shape[1:]) * header.dtype.itemsize
    data = file.read(size)
    if len(data) != size:
        raise EOFError("its data ends too early")
    return np.frombuffer(data, header.dtype).reshape(count, *header.shape[1:])


@contextmanager
def _members(
    path: Path, names: Collection[str]
) -> Iterator[tuple[zipfile.ZipFile, dict[str, tuple[zipfile.ZipInfo, Header]], tuple[str, ...]]]:
    """An open .npz, those of the named arrays that it has, judged by their headers, and all names; DataError."""
    try:
        with open_file(path) as whole, zipfile.ZipFile(whole) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            if len(archive.infolist()) > MAX_ARCHIVE_MEMBERS:
                raise DataError(f"{len(archive.infolist()):,} arrays; at most {MAX_ARCHIVE_MEMBERS:,}")
            wanted, total = {}, 0
            for name in names:
                if name in members:
                    header = _check_member(archive, name, members[name])
                    total += header.used_bytes
                    _check_total(total)
                    wanted[name] = (members[name], header)
            yield archive, wanted, tuple(members)
    except FileNotFoundError:
        raise DataError("no such file") from None
    except DAMAGED as error:
        raise DataError(f"not a readable numpy file: {_words(error)}") from error


def _check_member(archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo) -> Header:
    """What an array declares; DataError where its member declares what it does not hold."""
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
    return header


def _check_total(size: int) -> None:
    if size > MAX_DATA_BYTES:
        raise DataError(f"its arrays take {size:,} bytes as float32; at most {MAX_DATA_BYTES:,}: give fewer samples")


def _header(file: IO[bytes]) -> Header:
    version = _read_magic(file)
    read = _READ_HEADER.get(version)
    if read is None:
        raise DataError(f"not a readable numpy file: .npy of version {version[0]}.{version[1]}, expected 1.0 or 2.0")
    shape, fortran_order, dtype = read(file)
    if dtype.hasobject or dtype.kind == "V":
        raise DataError(f"not a readable numpy file: an array of {cut(dtype)}, expected numbers")
    if len(shape) > _MOST_AXES or any(size < 0 for size in shape):
        raise DataError(f"not a readable numpy file: an array of shape {cut(shape)}")
    return Header(shape, dtype, fortran_order)


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
