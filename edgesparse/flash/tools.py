"""Finding the programs that probers run."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from edgesparse.errors import ToolMissingError
from edgesparse.system import processes

__all__ = ["find_tool", "last_words", "no_probe", "output_of", "version_of"]

QUESTION_TIMEOUT_S = 60


def find_tool(names: tuple[str, ...], remedy: str) -> str:
    """Path of the first that is installed, on the PATH or beside this Python; ToolMissingError with the remedy."""
    for name in names:
        beside = Path(sys.executable).parent / name
        found = shutil.which(name) or (str(beside) if beside.is_file() else None)
        if found is not None:
            return found
    raise ToolMissingError(f"{names[0]} not found; {remedy}")


def output_of(command: tuple[str, ...]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command that ends by itself, without a probe."""
    try:
        done = processes.run(command, timeout_s=QUESTION_TIMEOUT_S)
    except OSError as error:
        raise ToolMissingError(f"{command[0]} does not run: {error}; install it again") from error
    if done.stopped:
        raise ToolMissingError(f"{command[0]} does not run: it {done.stopped}; install it again")
    return done.code, done.output, done.errors


def version_of(path: str) -> str:
    """The version number in what a tool prints about itself."""
    _, output, errors = output_of((path, "--version"))
    match = re.search(r"\d+(\.\d+)+", output + errors)
    return match[0] if match else "of unknown version"


def no_probe(tool: str) -> ToolMissingError:
    """No debug probe is there."""
    return ToolMissingError(
        f"{tool} found no debug probe: connect the board by its debug connector, close other debuggers, and see that "
        "you may use it (Linux: udev rules); --probe-id names one of several"
    )


def last_words(output: str) -> str:
    """The line that says most of what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return next(
        (line for line in lines if re.search(r"\b(error|failed)\b", line, re.IGNORECASE)), lines[-1] if lines else ""
    )
