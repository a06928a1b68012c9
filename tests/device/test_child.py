"""A killed edgesparse leaves no emulator behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from edgesparse.toolchain import Elf
from tests.support.processes import PROC, alive, descendants, wait_for

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


def runs(process: int, word: str) -> bool:
    """Whether `word` is in its command, and it is no shell that starts it."""
    try:
        command = (PROC / str(process) / "cmdline").read_bytes()
    except OSError:
        return False
    return alive(process) and word.encode() in command and not command.startswith(b"/bin/sh")


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
