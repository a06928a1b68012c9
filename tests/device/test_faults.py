"""Deliberately broken firmwares: each is diagnosed, with layer, function and address."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgesparse.boards import load_board
from edgesparse.emulate import EMULATORS, Unicorn
from edgesparse.errors import BuildError, CrashError
from edgesparse.toolchain import Elf, build
from tests.device.conftest import toolchain_or_skip, write_toy

NAMES = ("first", "second", "third")
HERE = r"at pc=0x\w+ \(break_something\+0x\w+\)"
FAULT = "^firmware fault in layer 1 'second': "

BROKEN = {
    1: ("a store to nowhere", rf"{FAULT}access to a bad address 0x60000000 {HERE};"),
    2: ("an undefined instruction", rf"{FAULT}undefined instruction {HERE};"),
    3: ("a frame larger than the stack", rf"{FAULT}stack overflow 0x1fff\w+ {HERE};"),
    4: ("an endless loop", rf"did not finish in 2 s: it was in layer 1 'second' {HERE};"),
    5: ("a write behind the arena", r"wrote behind its arena of 80 bytes in vector 0, in layer 1 'second';"),
    6: ("an output that depends on earlier runs", r"gave two outputs for one input, so it reads memory"),
    7: (
        "a jump to nowhere",
        rf"{FAULT}instruction fetch from a bad address 0x70000000 at pc=0x70000000 .*, last call from \w+\+0x\w+;",
    ),
    8: ("a load from nowhere", rf"{FAULT}access to a bad address 0x70000010 {HERE};"),
    9: ("a double word that is not aligned", rf"{FAULT}unaligned access 0x2000\w+[13579bdf] {HERE};"),
    10: ("endless recursion", rf"{FAULT}stack overflow 0x1fff\w+ at pc=0x\w+ \(recurse[.\w]*\+0x\w+\);"),
    11: ("a write to the weights", rf"{FAULT}access to a bad address 0x0000\w+ {HERE};"),
    12: ("a call without the Thumb bit", rf"{FAULT}invalid state at pc=0x\w+ \(toy_scale\+0x0\);"),
    13: (
        "a jump into data",
        rf"{FAULT}instruction fetch from a bad address 0x2000\w+ .*call from break_something\+0x\w+;",
    ),
    14: ("a return address written over", rf"{FAULT}instruction fetch from a bad address at pc=0x41414140 "),
    15: ("a supervisor call", rf"{FAULT}supervisor call {HERE};"),
    16: ("a breakpoint", rf"{FAULT}breakpoint {HERE};"),
    17: ("a foreign semihosting call", rf"{FAULT}semihosting operation 0x1 inside the model {HERE};"),
    18: ("an absent coprocessor", r"break_something\+0x\w+ at 0x\w+ holds .*, which is no instruction of any"),
    19: ("an early exit", rf"{FAULT}semihosting operation 0x20 inside the model {HERE};"),
    20: ("output that is not the harness's", rf"{FAULT}semihosting operation 0x4 inside the model {HERE};"),
    21: ("a peripheral that is not there", rf"{FAULT}access to a bad address 0x40000000 {HERE};"),
    22: ("a lost stack pointer", rf"{FAULT}stack pointer outside of the stack 0x67fffffc {HERE};"),
    23: ("sleep that nothing ends", rf"{FAULT}sleep that nothing ends \(WFI or WFE\) {HERE};"),
    24: ("a write far behind all RAM", rf"{FAULT}access to a bad address 0x2080\w+ {HERE};"),
}
"""By TOY_FAULT: what is wrong, and how the message names it."""

IN_QEMU = {
    1: BROKEN[1][1],
    2: BROKEN[2][1],
    3: rf"{FAULT}stack overflow 0x1fff\w+;",
    7: rf"{FAULT}instruction fetch from a bad address at pc=0x70000000",
    8: BROKEN[8][1],
    9: rf"{FAULT}unaligned access {HERE};",
    10: rf"{FAULT}stack overflow 0x1fff\w+;",
    12: BROKEN[12][1],
    14: BROKEN[14][1],
    22: rf"{FAULT}stack pointer outside of the stack 0x67fffffc;",
}
"""Those that QEMU's board traps by itself. Its boards have memory in many places, so it misses some."""


def broken(folder: Path, fault: int, board: str = "mps2-an386") -> Elf:
    project = write_toy(folder / "firmware", fault=fault, board=board)
    return build(project, toolchain_or_skip("gcc"), load_board(board).core)


@pytest.mark.parametrize("fault", BROKEN, ids=[name.replace(" ", "-") for name, _ in BROKEN.values()])
def test_a_broken_firmware_is_diagnosed(fault: int, tmp_path: Path) -> None:
    with pytest.raises((CrashError, BuildError), match=BROKEN[fault][1]) as caught:
        Unicorn().run(broken(tmp_path, fault), load_board("mps2-an386"), timeout_s=2, layer_names=NAMES)
    assert "\n" not in str(caught.value)
    assert "firmware.elf" in str(caught.value)


@pytest.mark.parametrize("fault", IN_QEMU)
def test_qemu_tells_the_same(fault: int, tmp_path: Path, qemu: str) -> None:
    with pytest.raises(CrashError, match=IN_QEMU[fault]):
        EMULATORS["qemu"].run(broken(tmp_path, fault), load_board("mps2-an386"), timeout_s=20, layer_names=NAMES)


@pytest.mark.parametrize("board", ["mps2-m0plus", "mps2-an385", "mps2-an500", "mps2-an505"])
def test_an_unaligned_access_is_found_on_every_core(board: str, tmp_path: Path) -> None:
    """Cortex-M0+ has no LDRD: there the toy loads a word, which that core traps where others do not."""
    with pytest.raises(CrashError, match=rf"{FAULT}unaligned access.* {HERE}"):
        Unicorn().run(broken(tmp_path, 9, board), load_board(board), timeout_s=20, layer_names=NAMES)


def test_a_firmware_may_give_up_inside_the_model_with_a_line_of_the_protocol(tmp_path: Path) -> None:
    project = write_toy(tmp_path / "firmware", fault=20)
    source = project / "model" / "model.c"
    text = source.read_text()
    assert '"hello\\n"' in text
    source.write_text(text.replace('"hello\\n"', '"es overrun vector=0\\n"'))
    elf = build(project, toolchain_or_skip("gcc"), load_board("mps2-an386").core)
    with pytest.raises(CrashError, match=r"wrote behind its arena of 80 bytes in vector 0"):
        Unicorn().run(elf, load_board("mps2-an386"), timeout_s=20, layer_names=NAMES)
