"""Run a prober's steps and read the harness's lines."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO

from edgesparse.errors import CrashError, ToolMissingError
from edgesparse.flash.prober import Command, Prober, Steps
from edgesparse.flash.tools import last_words
from edgesparse.system import processes
from edgesparse.system.processes import OUTPUT_LIMIT_BYTES, Group, group

__all__ = ["console_of"]

PROGRAM_TIMEOUT_S = 300.0
GRACE_S = 5.0
_LINE_BYTES = 1 << 16
PROTOCOL = re.compile(r"(?:^|(?<=\s))es (?:begin|vector|memory|end|arena|fault|overrun|unstable|refused)\b.*")
LAST = re.compile(r"es (?:end|fault|overrun|unstable|refused)\b")
# OpenOCD's words when the firmware exits; its output waits in a buffer until it is told to stop.
EXITED = re.compile(r"semihosting: \*\*\* application exited")


def console_of(prober: Prober, steps: Steps, *, timeout_s: float) -> str:
    """Program the board, run its firmware, and return the harness's lines.

    ToolMissingError where no probe answers or a command fails; CrashError where the firmware says nothing in time.
    """
    for path, data in (steps.files or {}).items():
        path.write_bytes(data)
    for command in steps.program:
        _to_its_end(prober, command)
    text = _listen(prober, steps, timeout_s)
    return "\n".join(match[0] for match in map(PROTOCOL.search, text.splitlines()) if match) + "\n"


def _to_its_end(prober: Prober, command: Command) -> None:
    try:
        done = processes.run(command.arguments, timeout_s=PROGRAM_TIMEOUT_S, merged=True)
    except OSError as error:
        raise ToolMissingError(f"{command.arguments[0]} does not run: {error}; install it again") from error
    if done.stopped:
        raise ToolMissingError(f"{prober.name} {done.stopped}; run `{command}`")
    if done.code != 0:
        raise prober.failure(done.output) or _failed(prober, command, done.code, done.output)


def _failed(prober: Prober, command: Command, code: int, output: str) -> ToolMissingError:
    return ToolMissingError(
        f"{prober.name} failed with code {code}: {last_words(output) or 'it said nothing'}; run `{command}` to see all"
    )


def _listen(prober: Prober, steps: Steps, timeout_s: float) -> str:
    with ExitStack() as running:
        console = _Console(running.enter_context(_running(steps.console)))
        if steps.start is not None:
            time.sleep(1)  # until the server listens
            with _running(steps.start, quiet=True):
                ended = console.until_done(timeout_s)
        else:
            ended = console.until_done(timeout_s)
        code = console.end()
    text = console.text
    if console.overflowed:
        raise CrashError(
            f"the board printed over {OUTPUT_LIMIT_BYTES >> 20} MiB, which is not the harness's output; "
            f"run `{steps.console}` to see it"
        )
    if ended and PROTOCOL.search(text):
        return text
    failure = prober.failure(text)
    if failure is not None:
        raise failure
    if code not in (0, None, -signal.SIGINT) and not PROTOCOL.search(text):
        raise _failed(prober, steps.console, code, text)
    said = f"; {prober.name} said: {last_words(text)}" if last_words(text) else ""
    raise CrashError(
        f"the board printed {'no' if not PROTOCOL.search(text) else 'only a part of the'} harness output in "
        f"{timeout_s:g} s{said}; run `{steps.console}` to see all"
    )


class _Console:
    """What a running tool prints, line by line, up to a limit."""

    def __init__(self, tool: Group) -> None:
        assert tool.leader.stdout is not None
        self.overflowed = False
        self._tool = tool
        self._heard: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(tool.leader.stdout,), daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """All that was heard."""
        return "".join(self._heard)

    def until_done(self, timeout_s: float) -> bool:
        """Whether the harness was done before the time was up; False where the tool ended earlier."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return False
            if line is None:
                return any(LAST.search(text) for text in self._heard)
            self._heard.append(line)
            if LAST.search(line) or EXITED.search(line):
                return True
        return False

    def end(self) -> int | None:
        """Ask the tool to end, which makes OpenOCD print the rest; its exit code, None where it does not end."""
        leader = self._tool.leader
        leader.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            leader.wait(GRACE_S)
        self._reader.join(GRACE_S)
        while not self._lines.empty():
            self._heard.append(self._lines.get() or "")
        return leader.returncode

    def _read(self, stream: IO[bytes]) -> None:
        heard_bytes = 0
        with suppress(ValueError, OSError):  # closed when the tool was ended
            while line := stream.readline(_LINE_BYTES):
                heard_bytes += len(line)
                if heard_bytes > OUTPUT_LIMIT_BYTES:
                    self.overflowed = True
                    break
                self._lines.put(line.decode("utf-8", "replace"))
        self._lines.put(None)


@contextmanager
def _running(command: Command, *, quiet: bool = False) -> Iterator[Group]:
    """quiet: what it prints is of no interest."""
    output = subprocess.DEVNULL if quiet else subprocess.PIPE
    with ExitStack() as resources:
        try:
            started = resources.enter_context(group(command.arguments, stdout=output, stderr=subprocess.STDOUT))
        except OSError as error:
            raise ToolMissingError(f"{command.arguments[0]} does not run: {error}; install it again") from error
        yield started
