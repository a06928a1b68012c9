"""A board with room for the sparse build only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgesparse.boards import Board, MemoryRegion, load_board
from edgesparse.commands.firmware import firmware
from edgesparse.report.report import Report
from tests.device.conftest import toolchain_or_skip
from tests.support.small_networks import conv_network


def small_board(monkeypatch: pytest.MonkeyPatch, *, flash: int, ram: int) -> Board:
    """The Cortex-M4 board with less memory, wherever a board is loaded."""
    board = load_board("mps2-an386")
    small = replace(board, flash=MemoryRegion(0, flash), ram=MemoryRegion(board.ram.origin, ram))
    monkeypatch.setattr("edgesparse.measure.setup.load_board", lambda _name: small)
    return small


def convert(tmp_path: Path) -> Report:
    toolchain_or_skip("gcc")
    (tmp_path / "net.tflite").write_bytes(conv_network())
    return firmware(tmp_path / "net.tflite", out=tmp_path / "out", toolchain="gcc", vectors=2)


def test_a_dense_twin_without_room_runs_with_more_memory_and_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_board(monkeypatch, flash=12 * 1024, ram=64 * 1024)
    report = convert(tmp_path)
    assert report.bit_exact.ok
    assert report.dense.flash_bytes > 12 * 1024 >= report.sparse.flash_bytes
    assert any("dense twin does not fit board 'mps2-an386'" in text for text in report.warnings)
