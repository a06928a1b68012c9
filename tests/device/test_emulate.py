"""The same ELF in unicorn and in QEMU: outputs, counts, memory."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgesparse.boards import Board, board_names, load_board
from edgesparse.emulate import EMULATORS, Qemu, Unicorn, diagnose
from edgesparse.errors import CrashError
from edgesparse.toolchain import Elf, build
from tests.device.conftest import toolchain_or_skip, write_toy

INPUTS = (
    [1, 2, 3, 250, 5, 6, 127, 128, 9, 10, 11, 12, 13, 14, 15],
    [200, 190, 180, 170, 160, 150, 140, 130, 120, 110, 100, 90, 80, 70, 60, 50, 40, 30, 20],
    [0],
)
WEIGHTS = [1, -2, 3, 0, 0, 0, 7, -8, 90, 0, 11, 0, 0, 0, -15, 16]
BIAS = [-100000, 5, 2000000000, -7]
LENGTH = 37

BuildToy = Callable[..., Elf]


def as_int8(value: int) -> int:
    return (value + 128) % 256 - 128


def scale(values: list[int]) -> list[int]:
    sums = [sum(WEIGHTS[(i + j) % 16] * values[j] for j in range(LENGTH)) >> 6 for i in range(LENGTH)]
    return [max(-128, min(127, total)) for total in sums]


def add(values: list[int]) -> list[int]:
    out = []
    for i, value in enumerate(values):
        total, divisor = (value << 33) + BIAS[i % 4], (3, 5)[i % 2] << 32
        out.append(as_int8(abs(total) // divisor * (1 if total >= 0 else -1)))  # C truncates
    mean = np.float32(sum(out)) / np.float32(LENGTH)
    return [int(mean), *out[1:]]


def expected(vector: list[int]) -> bytes:
    values = [as_int8(value) for value in vector + [0] * (LENGTH - len(vector))]
    return bytes(value % 256 for value in add(scale(add(scale(values)))))


@pytest.mark.parametrize("emulator", ["unicorn", "qemu"])
def test_outputs_equal_the_model_in_python(
    emulator: str, build_toy: BuildToy, board: Board, request: pytest.FixtureRequest
) -> None:
    if emulator == "qemu":
        request.getfixturevalue("qemu")
    trace = EMULATORS[emulator].run(build_toy(), board, timeout_s=60)
    assert trace.outputs == tuple(expected(vector) for vector in INPUTS)
    assert trace.emulator.startswith(emulator + " ")


def test_unicorn_and_qemu_agree(build_toy: BuildToy, board: Board, qemu: str) -> None:
    elf = build_toy()
    ours, theirs = Unicorn().run(elf, board, timeout_s=60), Qemu().run(elf, board, timeout_s=60)
    assert ours.outputs == theirs.outputs
    assert (ours.stack_bytes, ours.arena_bytes) == (theirs.stack_bytes, theirs.arena_bytes)
    for exact, ticked in zip(ours.instructions, theirs.instructions, strict=True):
        assert abs(exact - ticked) <= max(80, exact // 1000)
    assert theirs.layer_instructions is None
    assert theirs.cycles is None


def test_python_counter_equals_the_c_counter(build_toy: BuildToy, board: Board) -> None:
    elf = build_toy()
    in_c = Unicorn().run(elf, board, timeout_s=60)
    in_python = Unicorn(python_counter=True).run(elf, board, timeout_s=60)
    assert in_c.layer_instructions is not None
    assert in_c.layer_cycles is not None
    np.testing.assert_array_equal(in_c.layer_instructions, in_python.layer_instructions)
    np.testing.assert_array_equal(in_c.layer_cycles, in_python.layer_cycles)


def test_layers_add_up_and_repeat(build_toy: BuildToy, board: Board) -> None:
    elf = build_toy()
    trace, again = Unicorn().run(elf, board, timeout_s=60), Unicorn().run(elf, board, timeout_s=60)
    assert trace.layer_instructions is not None
    assert trace.layer_instructions.shape == (3, 3)
    assert trace.layer_instructions.sum(axis=1).tolist() == list(trace.instructions)
    assert trace.instructions == again.instructions
    # Layer 2 does what layers 0 and 1 do, on other data: within a few branches the same.
    first = trace.layer_instructions[:, 0] + trace.layer_instructions[:, 1]
    np.testing.assert_allclose(trace.layer_instructions[:, 2], first, rtol=0.05)
    # scale's inner loop runs 37 * 37 times, of at least a load, a multiply and a branch.
    assert (trace.layer_instructions[:, 0] > 3 * LENGTH * LENGTH).all()
    assert trace.cycles is not None
    assert all(c > i for c, i in zip(trace.cycles, trace.instructions, strict=True))


def test_memory_use_is_exact(build_toy: BuildToy, board: Board) -> None:
    elf = build_toy()
    trace = Unicorn().run(elf, board, timeout_s=60)
    assert elf.arena_bytes == 80
    assert trace.arena_bytes == 40 + LENGTH  # the second buffer starts at 40
    assert 0 < trace.stack_bytes < 1024


FAULTS = {
    1: r"in layer 1 'second': access to a bad address 0x60000000 at pc=0x\w+ \(break_something\+0x\w+\)",
    2: r"in layer 1 'second': undefined instruction at pc=0x\w+ \(break_something\+0x\w+\)",
    3: r"in layer 1 'second': stack overflow 0x1fffffff",
    7: r"in layer 1 'second': instruction fetch from a bad address( 0x70000000)? at pc=0x70000000",
}
NAMES = ("first", "second", "third")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("emulator", ["unicorn", "qemu"])
def test_faults_name_the_layer(
    fault: int, emulator: str, build_toy: BuildToy, board: Board, request: pytest.FixtureRequest
) -> None:
    if emulator == "qemu":
        request.getfixturevalue("qemu")
    with pytest.raises(CrashError, match=FAULTS[fault]):
        EMULATORS[emulator].run(build_toy(fault), board, timeout_s=60, layer_names=NAMES)


@pytest.mark.parametrize("python_counter", [False, True])
def test_arena_overrun_names_the_layer(python_counter: bool, build_toy: BuildToy, board: Board) -> None:
    with pytest.raises(CrashError, match=r"behind its arena of 80 bytes in vector 0, in layer 1 'second'"):
        Unicorn(python_counter=python_counter).run(build_toy(5), board, timeout_s=60, layer_names=NAMES)


def test_arena_overrun_is_seen_in_qemu(build_toy: BuildToy, board: Board, qemu: str) -> None:
    with pytest.raises(CrashError, match=r"behind its arena of 80 bytes in vector 0, in an unknown layer"):
        Qemu().run(build_toy(5), board, timeout_s=60)


def test_output_that_depends_on_history_is_refused(build_toy: BuildToy, board: Board) -> None:
    with pytest.raises(CrashError, match="two outputs for one input"):
        Unicorn().run(build_toy(6), board, timeout_s=60)


def test_endless_loop_times_out_with_its_layer(build_toy: BuildToy, board: Board) -> None:
    with pytest.raises(
        CrashError, match=r"did not finish in 0.5 s: it was in layer 1 'second' at pc=.*break_something"
    ):
        Unicorn().run(build_toy(4), board, timeout_s=0.5, layer_names=NAMES)


def test_endless_loop_times_out_in_qemu(build_toy: BuildToy, board: Board, qemu: str) -> None:
    with pytest.raises(CrashError, match=r"took over 0.5 s in QEMU and was ended"):
        Qemu().run(build_toy(4), board, timeout_s=0.5)


@pytest.mark.parametrize("emulator", ["unicorn", "qemu"])
def test_ctrl_c_ends_a_run(emulator: str, build_toy: BuildToy, board: Board, request: pytest.FixtureRequest) -> None:
    if emulator == "qemu":
        request.getfixturevalue("qemu")
    elf = build_toy(4)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        EMULATORS[emulator].run(elf, board, timeout_s=60)
    timer.join()
    assert time.monotonic() - started < 20
    time.sleep(0.1)
    assert "unicorn" not in [thread.name for thread in threading.enumerate()]


def test_diagnose_lists_both_emulators() -> None:
    assert [name for name, _, _ in diagnose()] == ["unicorn", "qemu-system-arm"]


@pytest.mark.parametrize(
    ("emulator", "name"),
    [
        (emulator, board.name)
        for board in map(load_board, board_names())
        for emulator in ("unicorn", "qemu")
        if board.emulated and board.name != "mps2-an386" and (emulator, board.core.name) != ("unicorn", "cortex-m55")
    ],
)
def test_faults_are_told_on_every_core(
    emulator: str, name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if emulator == "qemu":
        request.getfixturevalue("qemu")
    board, tools = load_board(name), toolchain_or_skip("gcc")
    # Armv6-M has one fault and no register that says why; QEMU's MPS2 boards run its code on a Cortex-M3, which does.
    no_reason = emulator == "qemu" and board.core.qemu_cpu == "cortex-m0" and board.qemu_machine == "microbit"
    undefined = "hard fault at pc=" if no_reason else "undefined instruction at pc="
    for fault, kind in ((2, undefined), (3, "stack overflow")):
        elf = build(write_toy(tmp_path / str(fault), fault=fault, board=name), tools, board.core)
        with pytest.raises(CrashError, match=rf"in layer 1 'second': {kind}"):
            EMULATORS[emulator].run(elf, board, timeout_s=60, layer_names=NAMES)
