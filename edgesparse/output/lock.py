"""Locks: one command at a time writes an output. The system frees those of a process that ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgesparse.errors import OutputError
from edgesparse.system.interrupts import shielded

__all__ = ["beside", "lock", "lock_folder"]


def beside(out: Path, what: str) -> Path:
    """The hidden name beside an output that something of it has."""
    return out.absolute().with_name(f".{out.absolute().name}.{what}")


@contextmanager
def lock(out: Path) -> Iterator[None]:
    """For a command that makes an output, from its beginning: by a file beside it, which goes with the block.

    OutputError where another one has it.
    """
    path = beside(out, "lock")
    held: int | None = None
    try:
        with shielded():
            held = _take(path, out)
        yield
    finally:
        if held is not None:
            with shielded():
                path.unlink(missing_ok=True)  # before it is free: who opened it meanwhile sees that it is another file
                os.close(held)


@contextmanager
def lock_folder(folder: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """For a command that writes into an output folder, or that puts another one in its place.

    waiting: what to do where another command has it, before waiting for it; OutputError without.
    """
    while True:
        try:
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise OutputError(f"{folder}: cannot open: {error.strerror}") from error
        try:
            if not _lock(held, folder):
                if waiting is None:
                    raise _taken(folder, "")
                waiting()
                fcntl.flock(held, fcntl.LOCK_EX)
            if _is(held, folder):
                yield
                return
        finally:
            os.close(held)


def _take(path: Path, out: Path) -> int:
    while True:
        try:
            held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise OutputError(f"{path.parent}: cannot write there: {error.strerror}; choose another --out") from error
        try:
            if not _lock(held, out):
                raise _taken(out, os.read(held, 20).decode("ascii", "replace").strip())
            if _is(held, path):  # else the one before has removed it since it was opened
                os.truncate(held, 0)
                os.write(held, f"{os.getpid()}\n".encode())
                return held
        except _NoLocksError:
            path.unlink(missing_ok=True)
            os.close(held)
            raise
        except BaseException:
            os.close(held)
            raise
        os.close(held)


class _NoLocksError(OutputError):
    """The disk has no locks."""


def _lock(held: int, out: Path) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _NoLocksError(f"{out}: cannot be locked: {error.strerror}; choose --out on another disk") from error
    return True


def _is(held: int, path: Path) -> bool:
    """Whether an open file still has that name."""
    try:
        return os.path.samestat(os.fstat(held), path.stat())
    except FileNotFoundError:
        return False


def _taken(out: Path, process: str) -> OutputError:
    who = f"another edgesparse (process {process})" if process.isdigit() else "another edgesparse"
    return OutputError(f"{out}: {who} is writing it; wait for its end, or choose another --out")
