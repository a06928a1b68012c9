"""How an output folder comes to its place: filled beside it, then put there in one step that a cut cannot halve.

While a command fills it, it is `.NAME.new`. The old folder changes places with it at once where the system can do that
(renameat2(2), RENAME_EXCHANGE); else it is `.NAME.old` between two renames, and the next command puts it back.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edgesparse.errors import OutputError
from edgesparse.output.lock import beside, lock, lock_folder
from edgesparse.output.manifest import foreign_files, write_manifest
from edgesparse.progress import Progress
from edgesparse.system import interrupts, supervise
from edgesparse.system.interrupts import shielded

__all__ = ["Claim", "check_replaceable", "claim", "clear_up", "in_place", "output_folder"]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_SHOWN = 3


@dataclass(frozen=True)
class Claim:
    """An output folder that no other command writes. `force`: whose files it holds now does not matter."""

    out: Path
    force: bool
    say: Progress


def check_replaceable(out: Path, *, force: bool) -> None:
    """OutputError unless `out` is free, holds nothing but what edgesparse wrote, or `force` is set."""
    if out.is_symlink() or out.is_file():
        raise OutputError(f"{out}: is a file or a link; choose another folder with --out")
    parent = out.absolute().parent
    if not parent.is_dir():
        raise OutputError(f"{parent}: no such folder; create it, or choose another --out")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"{parent}: cannot write there; choose another --out")
    try:
        if force or not out.is_dir() or not any(out.iterdir()):
            return
        foreign = foreign_files(out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be read: {error.strerror}; choose another --out") from error
    if foreign is None:
        raise OutputError(f"{out}: exists and was not written by edgesparse; choose another --out, or give --force")
    if foreign:
        raise OutputError(
            f"{out}: holds files that edgesparse did not write, or that were changed since: {_some(foreign)}; "
            "move them away, choose another --out, or give --force to replace them"
        )


@contextmanager
def claim(out: Path, *, force: bool, say: Progress) -> Iterator[Claim]:
    """The right to write an output folder, for the time of the block. What a killed command left is cleared up first.

    OutputError as check_replaceable, and where another command has it.
    """
    if not out.absolute().parent.is_dir() or out.is_symlink() or out.is_file():
        check_replaceable(out, force=force)
    with lock(out):
        supervise.note(out)
        _recover(out)
        check_replaceable(out, force=force)
        yield Claim(out, force, say)


@contextmanager
def output_folder(place: Claim) -> Iterator[Path]:
    """A folder to fill; it takes the place of the claimed one when the block ends without an error, else it goes."""
    out, staging = place.out, beside(place.out, "new")
    try:
        with shielded():
            staging.mkdir(mode=0o755)
        yield staging
        write_manifest(staging)
        _sync(staging)
        interrupts.check()
        _put(staging, place)
    except OSError as error:
        raise OutputError(f"{out}: cannot write the output: {_why(error)}") from error
    finally:
        with shielded():
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def in_place(folder: Path) -> Iterator[None]:
    """For a command that reads an output folder, or writes into it: no other one does meanwhile. OutputError."""
    if not folder.exists() and beside(folder, "old").is_dir():
        clear_up(folder)
    if not folder.is_dir():
        yield  # who reads it says what is missing
        return
    with lock_folder(folder):
        yield


def clear_up(out: Path) -> None:
    """Put an output folder right that a killed command was writing."""
    with suppress(OutputError), lock(out):  # another command that has it does the same
        _recover(out)


def _recover(out: Path) -> None:
    new, old = beside(out, "new"), beside(out, "old")
    with shielded():
        if old.is_dir() and not out.exists():
            old.rename(out)
        for left in (old, new):
            shutil.rmtree(left, ignore_errors=True)


def _put(staging: Path, place: Claim) -> None:
    """Put a filled folder in its place; the old one goes, unless it got files of somebody's meanwhile."""
    out = place.out
    if not out.is_dir():
        with shielded():
            staging.rename(out)
            _sync_names(out.absolute().parent)
        return
    with lock_folder(out, waiting=lambda: place.say(f"waiting for another edgesparse that uses {out}")), shielded():
        foreign = foreign_files(out) if any(out.iterdir()) and not place.force else []
        if foreign is None or foreign:
            kept = _free_name(out)
            out.rename(kept)
            staging.rename(out)
            place.say(f"kept what was put into {out} meanwhile: {kept}")
        elif not _exchange(staging, out):
            old = beside(out, "old")
            out.rename(old)
            try:
                staging.rename(out)
            except OSError:
                old.rename(out)
                raise
            shutil.rmtree(old, ignore_errors=True)
        _sync_names(out.absolute().parent)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change their names in one step; False where system or disk cannot."""
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None, use_errno=True)
    try:
        call = library.renameat2
    except AttributeError:  # glibc before 2.28, musl
        return False
    if call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM):
        return False
    raise OSError(code, os.strerror(code), str(other))


def _sync(folder: Path) -> None:
    """Onto the disk with it: names must not get there before contents. One call for all files where there is one."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if sys.platform == "linux" and ctypes.CDLL(None).syncfs(descriptor) == 0:
            return
    finally:
        os.close(descriptor)
    for path in (*(path for path in folder.rglob("*") if path.is_file()), folder):
        _sync_names(path)


def _sync_names(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _free_name(out: Path) -> Path:
    number = 1
    while (path := out.absolute().with_name(f"{out.absolute().name}.kept{number}")).exists():
        number += 1
    return path


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _why(error: OSError) -> str:
    """In few words; shutil.Error lists every file of a folder that it could not copy, here the first one stands."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list) and error.args[0]:
        _, target, why = error.args[0][0]
        return f"{Path(target).name}: {str(why).partition(': ')[0]}"
    return error.strerror or str(error)
