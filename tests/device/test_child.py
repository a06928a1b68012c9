"""A killed edgesparse leaves no emulator behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgesparse.toolchain import Elf
from tests.conftest import skip_or_fail

PROC = Path("/proc")

QEMU = """
import sys
from pathlib import Path
from edgesparse.boards import load_board
from edgesparse.emulate import Qemu
from edgesparse.toolchain import read_elf
Qemu().run(read_elf(Path(sys.argv[1])), load_board("mps2-an386"), timeout_s=600)
"""
SAMPLES = """
import sys
from pathlib import Path
import numpy as np
from edgesparse.boards import load_board
from edgesparse.measure.samples import run_samples
from edgesparse.toolchain import read_elf
elf, board = read_elf(Path(sys.argv[1])), load_board("mps2-an386")
run_samples(elf, board, sys.argv[2], np.zeros((2, 37), np.uint8), timeout_s=600, processes=2)
"""


def descendants(of: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for path in PROC.glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, rest = [], [of]
    while rest:
        for child in children.get(rest.pop(), []):
            found.append(child)
            rest.append(child)
    return found


def alive(process: int) -> bool:
    """Whether it has not ended; a zombie has."""
    try:
        return (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def runs(process: int, word: str) -> bool:
    """Whether `word` is in its command, and setpriv has done its part: before that it is not tied to its parent."""
    try:
        command = (PROC / str(process) / "cmdline").read_bytes()
    except OSError:
        return False
    return alive(process) and word.encode() in command and b"--pdeathsig" not in command


def wait_for(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("program", "emulator", "word", "count"),
    [
        (QEMU, "qemu", "qemu-system-arm", 1),
        (SAMPLES, "qemu", "qemu-system-arm", 2),
        (SAMPLES, "unicorn", "edgesparse.emulate.worker", 2),
    ],
    ids=["qemu", "samples-qemu", "samples-unicorn"],
)
def test_emulators_end_with_a_killed_parent(
    program: str, emulator: str, word: str, count: int, build_toy: Callable[..., Elf], qemu: str
) -> None:
    if not PROC.is_dir() or shutil.which("setpriv") is None:
        skip_or_fail("processes that end with their parent need Linux and setpriv")
    elf = build_toy(4)  # a loop without end
    parent = subprocess.Popen([sys.executable, "-c", program, str(elf.path), emulator])
    try:

        def running() -> list[int]:
            return [process for process in descendants(parent.pid) if runs(process, word)]

        assert wait_for(lambda: len(running()) >= count)
        children = running()
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    try:
        assert wait_for(lambda: not any(map(alive, children)))
    finally:
        for process in filter(alive, children):
            os.kill(process, signal.SIGKILL)
