"""A firmware that a board has no room for: refused in one line before it is compiled, or by what the linker says."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgesparse.boards import load_board
from edgesparse.commands.firmware import firmware
from edgesparse.errors import DoesNotFitError
from edgesparse.firmware.plan import plan_network
from edgesparse.firmware.room import Contents, check_fits
from edgesparse.settings import Settings
from edgesparse.tflite.read import read_graph
from edgesparse.toolchain import read_elf
from tests.cli.test_cli import run
from tests.device.conftest import toolchain_or_skip
from tests.support.small_networks import conv_network
from tests.support.tflite_builder import TfliteBuilder


def dense_network(inputs: int, outputs: int) -> bytes:
    """FULLY_CONNECTED without zeros."""
    rng = np.random.default_rng(0)
    net = TfliteBuilder()
    x, y = net.input((1, inputs), 0.05, 3), net.activation((1, outputs), 0.2, 4)
    weights = rng.integers(1, 128, (outputs, inputs)).astype(np.int8)
    net.op("FULLY_CONNECTED", [x, net.constant(weights, [0.004]), net.constant(np.zeros(outputs, np.int32))], [y])
    return net.build([y])


def contents(model: bytes, board: str, **settings: object) -> Contents:
    chosen = Settings().updated(settings)
    graph = read_graph(model)
    plan = plan_network(graph, load_board(board).core, optimize=chosen.optimize)
    return Contents(graph, plan.packed, plan.memory, chosen.vectors, weights_in_ram=chosen.weights == "sram")


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        # 307,200 weights and 8 inputs of 1,024 bytes; 16 KB of input beside 2 KB of stack.
        (1024, 300, r"at least 3\d\d,\d{3} bytes of flash of 262,144 \(most of it: weights of '[^']*' 307,200, "),
        (
            16384,
            4,
            r"at least \d\d,\d{3} bytes of RAM of 16,384 \(most of it: arena \d\d,\d{3}, reserved stack 2,048, ",
        ),
    ],
)
def test_a_network_that_is_too_large_is_refused_before_a_compiler_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inputs: int, outputs: int, words: str
) -> None:
    toolchain_or_skip("gcc")
    started = tmp_path / "make started"
    fake = tmp_path / "bin" / "make"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\ntest "$1" = --version && echo GNU Make 4.3 || touch "{started}"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "net.tflite").write_bytes(dense_network(inputs, outputs))
    done = run("firmware", "net.tflite", "--board", "microbit", "--toolchain", "gcc", folder=tmp_path)
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("edgesparse: error: ")]
    assert re.search(rf"the firmware does not fit board 'microbit': it needs {words}", line), line
    assert re.search(r"; it would fit nucleo-f446re, .* and \d+ more; or prune more$", line), line
    assert not started.exists()
    assert not (tmp_path / "net.edgesparse").exists()


def test_flash_and_ram_are_both_named_and_weights_in_ram_count_there() -> None:
    model = dense_network(20000, 20)
    with pytest.raises(DoesNotFitError, match=r"bytes of flash of 262,144 .* and [\d,]+ bytes of RAM of 16,384"):
        check_fits(contents(model, "microbit"), load_board("microbit"), build="firmware")
    pico = load_board("rpi-pico")
    check_fits(contents(model, "rpi-pico"), pico, build="firmware")
    with pytest.raises(DoesNotFitError, match=r"weights \(--weights sram\) 400,000.*leave the weights in flash"):
        check_fits(contents(model, "rpi-pico", weights="sram"), pico, build="firmware")


def test_where_no_board_has_room_the_advice_is_another_network() -> None:
    model = dense_network(4096, 1100)
    with pytest.raises(DoesNotFitError, match="no board that edgesparse knows has as much; prune more, or use a small"):
        check_fits(contents(model, "rpi-pico2"), load_board("rpi-pico2"), build="firmware")


@pytest.mark.parametrize(("toolchain", "short"), [("gcc", 1), ("zig", 100)])
def test_the_linkers_refusal_reads_like_ours(
    tmp_path: Path, toolchain: str, short: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A board that lacks a few bytes of what only the linker knows: the number is the linker's, to the byte."""
    tools = toolchain_or_skip(toolchain)
    model = tmp_path / "net.tflite"
    model.write_bytes(conv_network())
    firmware(model, out=tmp_path / "fits", board="microbit", toolchain=tools.name, vectors=2)
    elf = read_elf(tmp_path / "fits" / "firmware" / "build" / tools.name / "firmware.elf")
    taken = elf.flash_bytes + elf.test_vector_bytes
    board = load_board("microbit")
    small = replace(board, flash=replace(board.flash, length=taken - short))
    monkeypatch.setattr("edgesparse.measure.setup.load_board", lambda name: small)
    with pytest.raises(DoesNotFitError) as caught:
        firmware(model, out=tmp_path / "short", board="microbit", toolchain=tools.name, vectors=2)
    message = str(caught.value)
    assert (
        f"the firmware does not fit board 'microbit': linked, it needs {taken:,} bytes of flash of {taken - short:,} "
        "(most of it: "
    ) in message
    assert re.search(r"; it would fit .*; or prune more$", message)
    assert "\n" not in message
    assert (caught.value.exit_code, caught.value.memory, caught.value.overflow_bytes) == (2, "flash", short)
    assert not (tmp_path / "short").exists()
