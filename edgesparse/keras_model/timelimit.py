"""A time limit for code that may never return."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from edgesparse.errors import ModelError

__all__ = ["time_limit"]


@contextmanager
def time_limit(seconds: float, what: str) -> Iterator[None]:
    """Raise ModelError when the body takes longer than `seconds`.

    Keras' from_config loops forever on a config whose nodes cannot be resolved. Uses the alarm signal, so it acts in
    the main thread only; a timer of the caller is put back with the time that is left of it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def expire(_number: int, _frame: FrameType | None) -> None:
        raise ModelError(f"{what} did not finish within {seconds:g} s; the model's configuration may be damaged")

    previous = signal.signal(signal.SIGALRM, expire)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        unused, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (seconds - unused), 0.001), interval)
