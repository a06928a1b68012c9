"""Every core, with both compilers and both emulators: the reference's bytes, and the same counts."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgesparse import pipeline
from edgesparse.boards import board_names, load_board
from edgesparse.emulate import EMULATORS, diagnose
from edgesparse.lowering.lower import FORMATS_OF, lower
from edgesparse.tflite.read import read_graph
from tests.conftest import skip_or_fail
from tests.device.conftest import toolchain_or_skip
from tests.e2e.test_tflite_models import assert_agree, assert_complete
from tests.kernels.networks import NETWORKS
from tests.support.device_cases import build_cases, run_cases_on
from tests.support.host_kernels import Case
from tests.support.reference import tflm_output
from tests.support.small_networks import conv_network

BOARDS = board_names()
CASES_PER_OP = {"conv_2d": 16, "depthwise_conv_2d": 12, "fully_connected": 10}


def test_there_is_a_board_for_each_core() -> None:
    cores = {load_board(name).core.name for name in BOARDS}
    assert cores == {"cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"}


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
    unicorn = pipeline.firmware(model, out=out, board=board, toolchain=toolchain, vectors=4)
    assert_complete(unicorn)
    core = load_board(board).core.name
    assert unicorn["board"]["core"] == core
    assert unicorn["sparse"]["cycles"] > 0
    qemu = pipeline.emulate(out, emulator="qemu")
    assert qemu["bit_exact"]["ok"]
    assert_agree(unicorn, qemu)


@cache
def _reference(name: str, seed: int) -> tuple[bytes, bytes, bytes]:
    """(model, inputs, TFLite Micro's output)."""
    model, inputs = NETWORKS[name](np.random.default_rng(seed))
    return model, b"".join(x.tobytes() for x in inputs), tflm_output(model, inputs).tobytes()


def _run(folder: Path, board_name: str, compiler: str, chosen: list[tuple[str, int]], *, forced: str = "") -> None:
    board, toolchain = load_board(board_name), toolchain_or_skip(compiler)
    groups: dict[bool, list[tuple[str, int, Case, bytes]]] = {}
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
        portable = any(call.portable for call in packed.calls)
        groups.setdefault(portable, []).append((name, seed, Case(graph, packed, inputs), expected))
    for portable, rows in groups.items():
        cases = [case for _, _, case, _ in rows]
        elf = build_cases(folder / f"portable-{portable}", board, toolchain, cases)
        ran = run_cases_on(elf, board, EMULATORS["unicorn"], cases)
        other = run_cases_on(elf, board, EMULATORS["qemu"], cases)
        assert ran.outputs == other.outputs
        assert ran.instructions is not None
        for (name, seed, _, expected), actual in zip(rows, ran.outputs, strict=True):
            assert actual == expected, f"{name} {seed} on {board_name} with {compiler}"


@pytest.fixture(autouse=True)
def _emulators() -> None:
    for name, version, _ in diagnose():
        if version is None:
            skip_or_fail(f"{name} is not installed")


@pytest.mark.parametrize("board", BOARDS)
def test_every_op_equals_the_reference(board: str, tmp_path: Path) -> None:
    chosen = [(name, 7000 + seed) for name in NETWORKS for seed in range(CASES_PER_OP.get(name, 4))]
    _run(tmp_path, board, "gcc", chosen)


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
def test_every_op_equals_the_reference_with_zig(board: str, tmp_path: Path) -> None:
    chosen = [(name, 8000 + seed) for name in NETWORKS for seed in range(3 * CASES_PER_OP.get(name, 4))]
    _run(tmp_path, board, "zig", chosen)


@pytest.mark.slow
@pytest.mark.parametrize("format", sorted({name for names in FORMATS_OF.values() for name in names}))
@pytest.mark.parametrize("board", BOARDS)
def test_every_format_equals_the_reference(board: str, format: str, tmp_path: Path) -> None:
    """The choice by cost would keep most of these dense: here each format takes all of them."""
    chosen = [
        (kind.lower(), 9000 + seed) for kind, names in FORMATS_OF.items() if format in names for seed in range(40)
    ]
    _run(tmp_path, board, "gcc", chosen, forced=format)
