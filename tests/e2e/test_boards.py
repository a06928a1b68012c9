"""Every core, with both compilers and both emulators: the reference's bytes, and the same counts."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from edgesparse.boards import CORES, board_names, load_board
from edgesparse.commands.emulate import emulate
from edgesparse.commands.firmware import firmware
from edgesparse.emulate import EMULATORS, default_emulator, diagnose
from edgesparse.errors import SettingsError
from edgesparse.firmware.build import read_twins
from edgesparse.firmware.room import flash_parts, ram_parts
from edgesparse.flash import check_elf
from edgesparse.lowering.formats import FORMATS_OF
from edgesparse.lowering.lower import lower
from edgesparse.missing import Missing
from edgesparse.report.report import Report
from edgesparse.report.show.terminal import summary as summary_of
from edgesparse.tflite.read import read_graph
from edgesparse.toolchain import read_elf
from tests.conftest import skip_or_fail
from tests.device.conftest import toolchain_or_skip
from tests.e2e.test_tflite_models import assert_agree, assert_complete
from tests.kernels.networks import NETWORKS
from tests.support.device_cases import build_cases, run_cases_on
from tests.support.host_kernels import Case
from tests.support.reference import tflm_output
from tests.support.small_networks import conv_network

ALL_BOARDS = board_names()
BOARDS = tuple(name for name in ALL_BOARDS if load_board(name).emulated)
LARGE = tuple(name for name in BOARDS if load_board(name).ram.length >= 1024 * 1024)
"""With memory for many networks in one firmware; of the other cores the instructions are those of another board."""
REAL_BOARDS = tuple(name for name in ALL_BOARDS if name not in BOARDS)
CASES_PER_OP = {"conv_2d": 16, "depthwise_conv_2d": 12, "fully_connected": 10}


def test_there_is_a_board_for_each_core() -> None:
    assert {load_board(name).core.name for name in BOARDS} == set(CORES)


@pytest.mark.parametrize("toolchain", ["gcc", pytest.param("zig", marks=pytest.mark.slow)])
@pytest.mark.parametrize("board", BOARDS)
def test_a_small_network_agrees_everywhere(
    tmp_path: Path, board: str, toolchain: str, request: pytest.FixtureRequest
) -> None:
    if toolchain == "gcc":
        request.getfixturevalue("gcc")
    request.getfixturevalue("qemu")
    model = tmp_path / "net.tflite"
    model.write_bytes(conv_network())
    out = tmp_path / "out"
    core = load_board(board).core.name
    first = firmware(model, out=out, board=board, toolchain=toolchain, vectors=4)
    assert first.board.core == core
    assert_room(out, board, toolchain)
    if core == "cortex-m55":
        assert first.settings.emulator == "qemu"
        assert first.bit_exact.ok
        for figure in ("cycles", "latency_ms", "latency_max_clock_ms"):
            assert getattr(first.sparse, figure) == Missing("no timing model for cortex-m55")
        return
    assert_complete(first)
    assert first.sparse.cycles > 0
    qemu = emulate(out, emulator="qemu")
    assert qemu.bit_exact.ok
    assert_agree(first, qemu)


@pytest.mark.parametrize("toolchain", ["gcc", pytest.param("zig", marks=pytest.mark.slow)])
@pytest.mark.parametrize("board", REAL_BOARDS)
def test_firmware_of_a_real_board_runs_in_its_memories(tmp_path: Path, board: str, toolchain: str) -> None:
    """The proof before hardware: linked for the board, run where only its flash, RAM and start-up registers exist."""
    tools = toolchain_or_skip(toolchain)
    model = tmp_path / "net.tflite"
    model.write_bytes(conv_network())
    report = firmware(model, out=tmp_path / "out", board=board, toolchain=tools.name, vectors=2)
    assert report.bit_exact.ok
    target = load_board(board)
    sparse = report.sparse
    assert sparse.latency_ms == pytest.approx(sparse.cycles / target.clock_hz * 1000, abs=1e-4)
    assert sparse.latency_max_clock_ms == pytest.approx(sparse.cycles / target.max_clock_hz * 1000, abs=1e-4)
    if target.memory_profile is None:
        assert "lower bound" in sparse.memory.reason
    else:
        assert sparse.memory.profile == target.memory_profile
        assert sparse.memory.latency_ms > sparse.memory.core_only_latency_ms
        assert sparse.memory.clock_hz <= target.max_clock_hz
    assert_room(tmp_path / "out", board, tools.name)
    assert any("is unverified" in warning for warning in report.warnings) != target.verified
    assert report.board.flash_available_bytes == target.flash.length
    assert report.board.ram_available_bytes == target.ram.length
    summary = _printed(report)
    for clock in {target.clock_hz, target.max_clock_hz}:
        assert f"latency at {clock / 1e6:g} MHz (estimate)" in summary


def assert_room(out: Path, board_name: str, toolchain: str) -> None:
    """Both builds lie in the board's memories, and take no less than the check before the build counts."""
    board = load_board(board_name)
    for twin in read_twins(out):
        elf = read_elf(out / twin.name / "build" / toolchain / "firmware.elf")
        check_elf(elf, board)
        assert board.ram.origin < elf.symbol("__guard_end").address <= board.ram.origin + board.ram.length
        assert sum(part.size for part in flash_parts(twin.contents)) <= elf.flash_bytes + elf.test_vector_bytes
        assert sum(part.size for part in ram_parts(twin.contents, board)) <= board.ram.length


def _printed(report: Report) -> str:
    console = Console(width=160, file=io.StringIO(), markup=False)
    for part in summary_of(report):
        console.print(part)
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue()


def test_an_emulator_that_lacks_the_core_is_refused_at_once(tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(conv_network())
    with pytest.raises(SettingsError, match=r"unicorn does not model the core 'cortex-m55'.*use --emulator qemu"):
        firmware(model, out=tmp_path / "out", board="mps3-an547", emulator="unicorn")
    with pytest.raises(SettingsError, match=r"QEMU does not model the board 'rpi-pico'; use --emulator unicorn"):
        firmware(model, out=tmp_path / "out", board="rpi-pico", emulator="qemu")
    assert not (tmp_path / "out").exists()


@cache
def _reference(name: str, seed: int) -> tuple[bytes, bytes, bytes]:
    """(model, inputs, TFLite Micro's output)."""
    model, inputs = NETWORKS[name](np.random.default_rng(seed))
    return model, b"".join(x.tobytes() for x in inputs), tflm_output(model, inputs).tobytes()


def _run(folder: Path, board_name: str, compiler: str, chosen: list[tuple[str, int]], *, forced: str = "") -> None:
    board, toolchain = load_board(board_name), toolchain_or_skip(compiler)
    rows: list[tuple[str, int, Case, bytes]] = []
    for name, seed in chosen:
        model, inputs, expected = _reference(name, seed)
        graph = read_graph(model)
        packed = lower(
            graph,
            board.core,
            dense_only=forced == "dense" or (not forced and seed % 5 == 0),
            forced=forced,
            zero_inputs={0: 0.5},
        )
        rows.append((name, seed, Case(graph, packed, inputs), expected))
    cases = [case for _, _, case, _ in rows]
    elf = build_cases(folder / "firmware", board, toolchain, cases)
    ran = run_cases_on(elf, board, EMULATORS["qemu"], cases)
    if default_emulator(board) == "unicorn":
        other = run_cases_on(elf, board, EMULATORS["unicorn"], cases)
        assert ran.outputs == other.outputs
        assert other.instructions is not None
    for (name, seed, _, expected), actual in zip(rows, ran.outputs, strict=True):
        assert actual == expected, f"{name} {seed} on {board_name} with {compiler}"


@pytest.fixture(autouse=True)
def _emulators() -> None:
    for name, version, _ in diagnose():
        if version is None:
            skip_or_fail(f"{name} is not installed")


@pytest.mark.parametrize("board", LARGE)
def test_every_op_equals_the_reference(board: str, tmp_path: Path) -> None:
    chosen = [(name, 7000 + seed) for name in NETWORKS for seed in range(CASES_PER_OP.get(name, 4))]
    _run(tmp_path, board, "gcc", chosen)


@pytest.mark.slow
@pytest.mark.parametrize("board", LARGE)
def test_every_op_equals_the_reference_with_zig(board: str, tmp_path: Path) -> None:
    chosen = [(name, 8000 + seed) for name in NETWORKS for seed in range(3 * CASES_PER_OP.get(name, 4))]
    _run(tmp_path, board, "zig", chosen)


@pytest.mark.slow
@pytest.mark.parametrize("format", sorted({name for names in FORMATS_OF.values() for name in names}))
@pytest.mark.parametrize("board", LARGE)
def test_every_format_equals_the_reference(board: str, format: str, tmp_path: Path) -> None:
    """The choice by cost would keep most of these dense: here each format takes all of them."""
    chosen = [
        (kind.lower(), 9000 + seed) for kind, names in FORMATS_OF.items() if format in names for seed in range(40)
    ]
    _run(tmp_path, board, "gcc", chosen, forced=format)
