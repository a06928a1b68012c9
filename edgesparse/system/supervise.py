"""A command runs in a child of its own process, so that somebody is left to say why it ended, and to clear up.

TensorFlow and the emulator end the process where they get no memory; the system kills one that takes too much; a
library crashes on a file. None of that can be caught where it happens.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from edgesparse.system.interrupts import SIGNALS, ignore

__all__ = ["Ended", "farewell", "note", "supervise"]

_PR_SET_PDEATHSIG = 1
_END = b"\0"
_FAREWELL = b"code "
"""No path: those are absolute. The exit code follows."""

_notes: int | None = None
"""Where a supervised process notes what it writes; None in one that is not."""


@dataclass(frozen=True)
class Ended:
    """How the child ended.

    whole: whether it got to its own end, whatever came after that, in a library's exit handler or from outside; a
    library can make it exit too. code: its exit code, the one it said where it was killed after its end. signal: what
    killed it, or 0. noted: the outputs that it was writing.
    """

    code: int
    signal: int
    whole: bool
    noted: tuple[Path, ...]


def supervise() -> Ended | None:
    """Fork. None in the child, which goes on; the parent waits, hands on SIGNALS, and gets how the child ended.

    To be called before there are threads. A killed parent takes the child with it (Linux).
    """
    global _notes
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    heard, told = os.pipe()
    parent = os.getpid()
    # Signals wait until both know what to do with them.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    child = os.fork()
    if child == 0:
        os.close(heard)
        _notes = told
        _end_with_parent(parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return None
    os.close(told)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _hand_to(child))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    _, status = os.waitpid(child, 0)
    ignore()
    with os.fdopen(heard, "rb") as pipe:
        notes = [note for note in pipe.read().split(_END) if note]
    said = [int(note.removeprefix(_FAREWELL)) for note in notes if note.startswith(_FAREWELL)]
    killed = os.WIFSIGNALED(status)
    return Ended(
        code=(said[-1] if said else 0) if killed else os.WEXITSTATUS(status),
        signal=os.WTERMSIG(status) if killed else 0,
        whole=bool(said),
        noted=tuple(Path(os.fsdecode(note)) for note in notes if not note.startswith(_FAREWELL)),
    )


def note(output: Path) -> None:
    """Tell the parent what is being written, for it to clear up if this process is killed."""
    if _notes is not None:
        os.write(_notes, os.fsencode(output.absolute()) + _END)


def farewell(code: int) -> None:
    """Tell the parent that this process ends by itself, with this exit code."""
    if _notes is not None:
        os.write(_notes, _FAREWELL + str(code).encode() + _END)


def _hand_to(child: int) -> Callable[[int, FrameType | None], None]:
    def hand(number: int, _frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(child, number)

    return hand


def _end_with_parent(parent: int) -> None:
    """prctl(2), PR_SET_PDEATHSIG; elsewhere than on Linux the child goes on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(128 + signal.SIGKILL)
