"""Signals that end a command: one exception for all of them, and moments in which they wait."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["SIGNALS", "InterruptedBySignal", "check", "ignore", "install", "keeping", "shielded"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, the end that a service manager or CI asks for, and a terminal that closes."""


class InterruptedBySignal(KeyboardInterrupt):
    """One of SIGNALS came. number: which. kept: what the command has done and leaves, in words; "" for nothing."""

    kept: str = ""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class _State:
    """Of this process. `received`: the first signal that came; `depth`: of blocks that it must wait for."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.waiting: int | None = None
        self.depth = 0
        self.guard = threading.Lock()


_state = _State()


def install() -> None:
    """Turn SIGNALS into InterruptedBySignal; those that are ignored, as by nohup, stay so. Main thread only."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)


def ignore() -> None:
    """SIGNALS end nothing any more: the work is done, and an interpreter that ends dies of them. Main thread only."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _handle(number: int, _frame: FrameType | None) -> None:
    if _state.received is None:
        _state.received = number
    if _state.depth:
        _state.waiting = number
        return
    raise InterruptedBySignal(number)


@contextmanager
def keeping(words: Callable[[], str]) -> Iterator[None]:
    """For a command that is done in parts: what an interruption of the block leaves."""
    try:
        yield
    except InterruptedBySignal as error:
        error.kept = words()
        raise


def check() -> None:
    """InterruptedBySignal where a signal came whose exception was lost, as in a callback of a C library."""
    if _state.received is not None:
        raise InterruptedBySignal(_state.received)


@contextmanager
def shielded() -> Iterator[None]:
    """A signal that comes inside waits for the end: for steps that must not be left half done, and take no time."""
    with _state.guard:
        _state.depth += 1
    try:
        yield
    finally:
        with _state.guard:
            _state.depth -= 1
        if not _state.depth and _state.waiting is not None:
            number, _state.waiting = _state.waiting, None
            signal.raise_signal(number)
