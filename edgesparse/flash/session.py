"""Run a prober's steps and read the harness's lines."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from edgesparse.errors import CrashError, ToolMissingError
from edgesparse.flash.prober import Command, Prober, Steps
from edgesparse.flash.tools import last_words

__all__ = ["console_of"]

PROGRAM_TIMEOUT_S = 300.0
GRACE_S = 5.0
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
        done = subprocess.run(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=PROGRAM_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolMissingError(f"{prober.name} did not finish in {PROGRAM_TIMEOUT_S:g} s; run `{command}`") from error
    except OSError as error:
        raise ToolMissingError(f"{command.arguments[0]} does not run: {error}; install it again") from error
    if done.returncode != 0:
        raise prober.failure(done.stdout) or _failed(prober, command, done.returncode, done.stdout)


def _failed(prober: Prober, command: Command, code: int, output: str) -> ToolMissingError:
    return ToolMissingError(
        f"{prober.name} failed with code {code}: {last_words(output) or 'it said nothing'}; run `{command}` to see all"
    )


def _listen(prober: Prober, steps: Steps, timeout_s: float) -> str:
    lines: queue.Queue[str | None] = queue.Queue()
    heard: list[str] = []
    with _running(steps.console) as console:
        assert console.stdout is not None
        reader = threading.Thread(target=_read, args=(console.stdout, lines), daemon=True)
        reader.start()
        if steps.start is not None:
            time.sleep(1)  # until the server listens
            with _running(steps.start):
                ended = _until_done(lines, heard, timeout_s)
        else:
            ended = _until_done(lines, heard, timeout_s)
        console.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            console.wait(GRACE_S)
        reader.join(GRACE_S)
        while not lines.empty():
            heard.append(lines.get() or "")
    text = "".join(heard)
    if ended and PROTOCOL.search(text):
        return text
    failure = prober.failure(text)
    if failure is not None:
        raise failure
    if console.returncode not in (0, None, -signal.SIGINT) and not PROTOCOL.search(text):
        raise _failed(prober, steps.console, console.returncode, text)
    said = f"; {prober.name} said: {last_words(text)}" if last_words(text) else ""
    raise CrashError(
        f"the board printed {'no' if not PROTOCOL.search(text) else 'only a part of the'} harness output in "
        f"{timeout_s:g} s{said}; run `{steps.console}` to see all"
    )


def _until_done(lines: queue.Queue[str | None], heard: list[str], timeout_s: float) -> bool:
    """Whether the harness was done before the time was up; False where the tool ended earlier."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        try:
            line = lines.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            return False
        if line is None:
            return any(LAST.search(text) for text in heard)
        heard.append(line)
        if LAST.search(line) or EXITED.search(line):
            return True
    return False


def _read(stream: Iterator[str], lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


@contextmanager
def _running(command: Command) -> Iterator[subprocess.Popen[str]]:
    try:
        process = subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise ToolMissingError(f"{command.arguments[0]} does not run: {error}; install it again") from error
    with process:
        try:
            yield process
        finally:
            process.kill()  # nothing happens when it has ended
