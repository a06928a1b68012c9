"""How a supervised command ended: its own word counts, whatever kills the process after that."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.workplace import prepared

AT_EXIT = """
import atexit, os
parent = os.getpid()
def end():
    if os.getpid() != parent:
        os.kill(os.getpid(), {number})
atexit.register(end)
"""
BEFORE_IT_LISTENS = """
import os
from edgesparse.system import interrupts
interrupts.install = lambda: os.kill(os.getpid(), {number})
"""
AS_THE_PARENT_ENDS = """
import os, signal
wait = os.waitpid
def waitpid(*arguments):
    found = wait(*arguments)
    os.kill(os.getpid(), signal.SIGTERM)
    return found
os.waitpid = waitpid
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGSEGV])
@pytest.mark.parametrize(("command", "code"), [("boards", 0), ("nothing", 2)])
def test_what_comes_after_the_end_changes_nothing(
    tmp_path: Path, number: signal.Signals, command: str, code: int
) -> None:
    place = prepared(tmp_path)
    place.patch = AT_EXIT.format(number=int(number))
    result = place.run(command)
    assert result.code == code, result.errors
    assert "killed" not in result.errors
    assert "ended by" not in result.errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_command_listens(tmp_path: Path, number: signal.Signals) -> None:
    place = prepared(tmp_path)
    place.patch = BEFORE_IT_LISTENS.format(number=int(number))
    result = place.run("boards")
    assert result.code == 128 + number
    assert result.complaint.startswith(f"ended by {number.name}; no output was written")


def test_a_crash_is_no_interruption(tmp_path: Path) -> None:
    place = prepared(tmp_path)
    place.patch = BEFORE_IT_LISTENS.format(number=int(signal.SIGSEGV))
    result = place.run("boards")
    assert result.code == 6
    assert result.complaint.startswith("killed by SIGSEGV")


def test_a_signal_for_a_child_that_has_ended(tmp_path: Path) -> None:
    place = prepared(tmp_path)
    place.patch = AS_THE_PARENT_ENDS
    result = place.run("boards")
    assert (result.code, result.errors) == (0, "")
