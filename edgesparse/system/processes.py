"""Child processes: each with its own children in a group that ends as a whole, and never outlives this process.

A group is led by the command. A shell beside it waits on a pipe whose other end only this process holds: when this
process ends, however that happens, the pipe closes, and the shell kills the group, itself too. A function of ours
between fork and exec could do less, and could hang where other threads hold locks.
"""

from __future__ import annotations

import errno
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from edgesparse.errors import ResourceError
from edgesparse.system.interrupts import shielded

__all__ = ["OUTPUT_LIMIT_BYTES", "Done", "Group", "Scope", "StoppedError", "group", "run"]

OUTPUT_LIMIT_BYTES = 64 << 20
"""What a child may print before it is ended: no tool and no firmware has so much to say."""

_LEAD = '(read -r _ <"/dev/fd/$0"; kill -KILL 0) </dev/null >/dev/null 2>&1 & exec "$@"'
_CHUNK_BYTES = 1 << 16
_POLL_S = 0.05

Result = TypeVar("Result")


class StoppedError(Exception):
    """A scope was stopped, so that nothing starts in it any more."""


class Group:
    """A running command, its `leader`, and all that it has started."""

    def __init__(self, leader: subprocess.Popen[bytes]) -> None:
        self.leader = leader
        self._guard = threading.Lock()
        self._ended = False

    def end(self) -> None:
        """Kill what still runs of it."""
        with self._guard:
            if self._ended:
                return  # its number may be another group's by now; until here the shell beside the leader had it
            self._ended = True
            with suppress(ProcessLookupError):
                os.killpg(self.leader.pid, signal.SIGKILL)


class Scope:
    """Groups that were started in it can be ended from another thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._groups: set[Group] = set()
        self._stopped = False

    def run(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Call it; all groups that it starts in this thread belong to the scope."""
        token = _scope.set(self)
        try:
            return function(*arguments)
        finally:
            _scope.reset(token)

    def stop(self) -> None:
        """End all its groups; further ones do not start."""
        with self._guard:
            self._stopped = True
            groups = tuple(self._groups)
        for each in groups:
            each.end()

    @contextmanager
    def holding(self, started: Group) -> Iterator[None]:
        """A group for the time that it runs."""
        with self._guard:
            if self._stopped:
                raise StoppedError
            self._groups.add(started)
        try:
            yield
        finally:
            with self._guard:
                self._groups.discard(started)


_scope: ContextVar[Scope | None] = ContextVar("scope", default=None)


@dataclass(frozen=True)
class Done:
    """How a command ended. `stopped`: why it was ended by us, as "took over 60 s"; "" where it ended by itself.

    code: its exit code, or minus the signal that ended it. errors: "" where they are merged into the output.
    """

    code: int
    output: str
    errors: str
    stopped: str

    def check_killed(self, what: str) -> None:
        """ResourceError where somebody else killed it, as the system does where memory runs out."""
        if not self.stopped and self.code == -signal.SIGKILL:
            raise ResourceError(
                f"{what} was killed, as the system does where memory runs out; free some and run it again"
            )


@contextmanager
def group(
    command: Sequence[str],
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Group]:
    """A running command. When the block ends, all that still runs of it is killed.

    OSError where the command is no program.
    """
    program = shutil.which(command[0])
    if program is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
    with ExitStack() as resources:
        with shielded():
            held, ours = os.pipe()
            resources.callback(os.close, ours)
            try:
                leader = subprocess.Popen(
                    ["/bin/sh", "-c", _LEAD, str(held), program, *command[1:]],
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    cwd=cwd,
                    env=env,
                    pass_fds=(held,),
                    start_new_session=True,
                )
            finally:
                os.close(held)
            started = Group(leader)
            resources.callback(_reap, started)
        scope = _scope.get()
        if scope is not None:
            resources.enter_context(scope.holding(started))
        yield started


def run(
    command: Sequence[str],
    *,
    timeout_s: float,
    merged: bool = False,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    limit_bytes: int = OUTPUT_LIMIT_BYTES,
) -> Done:
    """Run a command to its end, without input. merged: its errors are a part of its output.

    What it has started ends with it. OSError where the command is no program.
    """
    errors = subprocess.STDOUT if merged else subprocess.PIPE
    with group(command, stderr=errors, cwd=cwd, env=env) as started:
        heard, stopped = _listen(started, timeout_s, limit_bytes)
        started.end()
        code = started.leader.wait()
    output, *rest = (bytes(part).decode("utf-8", "replace").replace("\r\n", "\n") for part in heard)
    return Done(code, output, "".join(rest), stopped)


def _listen(started: Group, timeout_s: float, limit_bytes: int) -> tuple[Sequence[bytearray], str]:
    """What it printed, and why it has to be ended where it does not end by itself."""
    leader, end = started.leader, time.monotonic() + timeout_s
    heard = {stream.fileno(): bytearray() for stream in (leader.stdout, leader.stderr) if stream is not None}
    silent = set[int]()
    while leader.poll() is None or len(silent) < len(heard):
        if time.monotonic() > end:
            return tuple(heard.values()), f"took over {timeout_s:g} s"
        if leader.returncode is not None:
            started.end()  # what it left behind would hold the pipes open
        listening = [pipe for pipe in heard if pipe not in silent]
        if not listening:
            with suppress(subprocess.TimeoutExpired):
                leader.wait(_POLL_S)
        for pipe in select.select(listening, [], [], _POLL_S)[0] if listening else ():
            chunk = os.read(pipe, _CHUNK_BYTES)
            heard[pipe] += chunk
            if not chunk:
                silent.add(pipe)
        if sum(map(len, heard.values())) > limit_bytes:
            return tuple(heard.values()), f"printed over {limit_bytes >> 20} MiB"
    return tuple(heard.values()), ""


def _reap(started: Group) -> None:
    with shielded():
        started.end()
        leader = started.leader
        for stream in (leader.stdin, leader.stdout, leader.stderr):
            if stream is not None:
                with suppress(OSError):  # of what could not be written to it any more
                    stream.close()
        leader.wait()
