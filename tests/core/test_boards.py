"""Board folders: every shipped one is valid, and a damaged one is refused in one line that names the key."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from edgesparse import boards
from edgesparse.boards import MemoryRegion, board_names, load_board, templates_folder
from edgesparse.emulate import choose_memory_profile
from edgesparse.errors import SettingsError
from edgesparse.report.board import board_warnings

UNVERIFIED = {
    *("arduino-nano-33-ble", "ek-ra6m4", "nrf5340-dk", "nucleo-f446re", "nucleo-h7a3zi-q", "rpi-pico2"),
    "stm32f746g-disco",
}


@pytest.fixture
def board_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """board.toml of the only board, a copy of nucleo-l4r5zi that a test may damage."""
    shutil.copytree(templates_folder() / "boards" / "nucleo-l4r5zi", tmp_path / "boards" / "mine")
    shutil.copytree(templates_folder() / "arch", tmp_path / "arch")
    monkeypatch.setattr(boards, "templates_folder", lambda: tmp_path)
    return tmp_path / "boards" / "mine" / "board.toml"


@pytest.mark.parametrize("name", board_names())
def test_every_board_is_consistent(name: str) -> None:
    board = load_board(name)
    assert board.description
    assert board.flash.length >= 64 * 1024
    assert board.ram.length >= 2 * board.stack_bytes
    regions = sorted((board.flash, board.ram, *board.registers), key=lambda region: region.origin)
    for before, after in pairwise(regions):
        assert before.origin + before.length <= after.origin
    assert board.emulated == (board.qemu_machine is not None)
    profile = choose_memory_profile(None, board)
    assert profile is None or profile.clock_hz <= board.max_clock_hz


def test_boards_without_a_check_say_so() -> None:
    assert {name for name in board_names() if board_warnings(load_board(name))} == UNVERIFIED
    for name in UNVERIFIED:
        (warning,) = board_warnings(load_board(name))
        assert f"board {name!r} is unverified" in warning


def test_a_new_folder_is_a_new_board(board_toml: Path) -> None:
    assert board_names() == ("mine",)
    assert load_board("mine").ram == MemoryRegion(0x20000000, 640 * 1024)
    with pytest.raises(SettingsError, match="board 'nucleo-l4r5zi' is not known; choose one of: mine"):
        load_board("nucleo-l4r5zi")


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('core = "cortex-m4"\n', "", "'core' is missing"),
        ("clock_hz = 4_000_000\nmax", "max", "'clock_hz' is missing"),
        ("[memory.ram]\norigin = 0x2000_0000\n", "[memory.ram]\n", "'origin' is missing"),
        ("[memory.ram]\norigin = 0x2000_0000\nlength = 0x000A_0000\n", "", "'ram' is missing"),
        ('core = "cortex-m4"', 'core = "cortex-m99"', "core 'cortex-m99' is not known; choose one of: cortex-m0,"),
        ('core = "cortex-m4"', "core = 4", "core must be a text, got 4"),
        ('counter = "dwt"', 'counter = "sundial"', "counter 'sundial' is not known; choose one of: dwt,"),
        ('counter = "dwt"', "wait_states = 1", "wait_states is not known; known: "),
        ("[memory.ram]\n", "[memory.ram]\nsize = 1\n", "memory.ram.size is not known"),
        ("[memory.ram]\n", "[memory.ccm]\nlength = 1\n[memory.ram]\n", "memory.ccm is not known; known: flash, ram"),
        ("length = 0x0020_0000", 'length = "2M"', "length must be a whole number, got '2M'"),
        ("length = 0x0020_0000", "length = true", "length must be a whole number, got True"),
        ("length = 0x0020_0000", "length = -1", "length must not be negative, got -1"),
        ("clock_hz = 4_000_000\nmax", "clock_hz = 400_000_000\nmax", "clock_hz 400,000,000 is not between 1 and "),
        ("clock_hz = 4_000_000\nmax", "clock_hz = 0\nmax", "clock_hz 0 is not between 1 and "),
        ("length = 0x0020_0000", "length = 0", "memory.flash.length above 0"),
        ("origin = 0x0800_0000", "origin = 0x0800_0200", "memory.flash.origin must be a multiple of 4,096"),
        ('counter = "dwt"', 'verified = "no"', "verified must be true or false, got 'no'"),
        ('core = "cortex-m4"', "core = ", "Invalid value"),
    ],
)
def test_a_damaged_board_is_one_clear_line(board_toml: Path, before: str, after: str, complaint: str) -> None:
    text = board_toml.read_text()
    assert text.count(before) == 1
    board_toml.write_text(text.replace(before, after))
    with pytest.raises(SettingsError) as caught:
        load_board("mine")
    message = str(caught.value)
    assert message.startswith(f"{board_toml}: ")
    assert complaint in message
    assert message.endswith("docs/boards.md lists what a board needs")
    assert "\n" not in message
