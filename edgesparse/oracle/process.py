"""Processes of the reference interpreters: one per interpreter, for as long as they are wanted.

An interpreter gets a process of its own since two of them, or one and TensorFlow, cannot share one; and since a file
that crashes an interpreter must not crash us. Starting one takes longer than most runs, so that inside `interpreters()`
all runs of an interpreter share one.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ResourceError
from edgesparse.oracle.worker import MODULES, NO_ROOM, REFUSED
from edgesparse.system.processes import group
from edgesparse.system.scratch import working_folder

__all__ = ["interpreters", "run", "worker_environment"]

_TIMEOUT_S = 3600


def worker_environment() -> dict[str, str]:
    """The environment of a worker process: this process's packages, no warnings."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONWARNINGS": "ignore"}


@contextmanager
def interpreters(*names: str) -> Iterator[None]:
    """Inside, each interpreter starts once, and ends with the block; what was asked before is answered from memory.

    names: of MODULES, those that start at once; others do when they are first wanted.
    Of this thread: others start their own. Inside another such block it does nothing.
    """
    if _shared.get() is not None:
        yield
        return
    shared = _Shared()
    token = _shared.set(shared)
    try:
        for name in names:
            shared.processes[name] = _Process(name)
        yield
    finally:
        _shared.reset(token)
        for process in shared.processes.values():
            process.end()


def run(runtime: str, model: bytes, inputs: npt.NDArray[Any]) -> tuple[int, npt.NDArray[Any] | str]:
    """Code and outputs [n, ...] of a RUNTIME of worker.py, or the reason why there are none.

    ResourceError where memory or disk is full.
    """
    with interpreters():
        shared = _shared.get()
        assert shared is not None
        question = (runtime, _digest(model), _digest(np.ascontiguousarray(inputs).tobytes()), inputs.shape)
        if question not in shared.answers:
            name = next(name for name in MODULES if runtime.startswith(name))
            process = shared.processes.get(name)
            if process is None or process.ended:
                process = shared.processes[name] = _Process(name)
            answer = process.run(runtime, model, inputs)
            if process.ended:
                return answer
            shared.answers[question] = answer
        return shared.answers[question]


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class _Process:
    """One worker."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.ended = False
        self._lock = threading.Lock()
        with ExitStack() as resources:
            self._folder = resources.enter_context(working_folder())
            self._errors = resources.enter_context((self._folder / "stderr").open("w+b"))
            worker = resources.enter_context(
                group(
                    [sys.executable, "-m", "edgesparse.oracle.worker", MODULES[name]],
                    stdin=subprocess.PIPE,
                    stderr=self._errors,
                    env=worker_environment(),
                )
            )
            self._process = worker.leader
            self._resources = resources.pop_all()

    def run(self, runtime: str, model: bytes, inputs: npt.NDArray[Any]) -> tuple[int, npt.NDArray[Any] | str]:
        """See the function; a worker that gives no answer has ended afterwards."""
        paths = [self._folder / name for name in ("model.tflite", "inputs.npy", "outputs.npy")]
        with self._lock:
            paths[0].write_bytes(model)
            np.save(paths[1], inputs)
            answer = self._ask(json.dumps([runtime, *map(str, paths)]))
            if answer is None:
                return self._no_answer()
            code, reason = json.loads(answer)
            if code == NO_ROOM:
                raise ResourceError(f"{self._name}: {reason}; make room, or set TMPDIR to a folder that has some")
            return code, np.load(paths[2]) if code == 0 else reason

    def _ask(self, request: str) -> str | None:
        """The answer, or None where the worker ends or takes too long."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{request}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            return None
        if not select.select([self._process.stdout], [], [], _TIMEOUT_S)[0]:
            return None
        return self._process.stdout.readline().decode() or None

    def _no_answer(self) -> tuple[int, str]:
        if self._process.stdout is not None and not select.select([self._process.stdout], [], [], 0)[0]:
            self.end()
            return REFUSED, f"no answer within {_TIMEOUT_S} s"
        code = self._process.wait()
        self._errors.seek(0)
        if code == -signal.SIGKILL:
            self.end()
            raise ResourceError(
                f"{self._name} was killed, as the system does where memory runs out; use a machine with more"
            )
        lines = [line for line in self._errors.read().decode("utf-8", "replace").splitlines() if line.strip()]
        self.end()
        return code, lines[-1].strip() if lines else f"the process ended with code {code}"

    def end(self) -> None:
        """Stop the process; nothing of it is left behind."""
        if self.ended:
            return
        self.ended = True
        self._resources.close()


@dataclass(eq=False)
class _Shared:
    """What runs of one block share: processes by interpreter, answers by what was asked."""

    processes: dict[str, _Process] = field(default_factory=dict)
    answers: dict[tuple[Any, ...], tuple[int, npt.NDArray[Any] | str]] = field(default_factory=dict)


_shared: ContextVar[_Shared | None] = ContextVar("interpreters", default=None)
