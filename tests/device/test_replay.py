"""Timing whole runs: C equals Python, every instruction is counted, and a memory system costs what it should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesparse.arch.arm_m.timing.instructions import Decoder, Instruction
from edgesparse.arch.arm_m.timing.model import (
    CacheShape,
    Memory,
    MemoryProfile,
    Op,
    Pipeline,
    Region,
    core_timing,
    make_op,
    memory_profile,
    memory_profile_names,
)
from edgesparse.boards import Board, load_board
from edgesparse.emulate import Unicorn, choose_memory_profile
from edgesparse.emulate.unicorn import _Machine
from edgesparse.errors import SettingsError
from edgesparse.toolchain import Elf, build
from tests.device.conftest import toolchain_or_skip, write_toy
from tests.support.published_cycles import percentages, published_images

BOARDS = {
    "mps2-m0plus": "stm32g0b1",
    "mps2-an385": None,
    "mps2-an386": "stm32l4r5",
    "mps2-an500": "stm32f746",
    "mps2-an505": "stm32u575",
}


def build_toy_for(folder: Path, board: Board) -> Elf:
    return build(write_toy(folder / "firmware", board=board.name), toolchain_or_skip("gcc"), board.core)


class PythonReplay:
    """What replay.c does, by a hook in Python: the same model on the same run."""

    def __init__(self, elf: Elf, board: Board, profile: MemoryProfile | None) -> None:
        regions = (
            Region(board.flash.origin, board.flash.length, "flash"),
            Region(board.ram.origin, board.ram.length, "ram"),
        )
        self.core = core_timing(board.core.name)
        self.pipeline = Pipeline(self.core, profile, regions)
        self.machine = _Machine(elf, board, python_counter=False)
        self.invoke = elf.symbol("model_invoke").address
        self.decoder, self.ops = Decoder(), dict[int, Op]()
        self.back: int | None = None
        self.previous: Op | None = None
        self.executed = self.fetch_wait = self.data_wait = 0

    def run(self) -> None:
        from unicorn import unicorn_const

        self.machine._engine.hook_add(unicorn_const.UC_HOOK_CODE, lambda _e, address, _s, _u: self.on(address))
        self.machine.run(60, ())

    def register(self, number: int) -> int:
        arm = self.machine._arm
        names = {13: arm.UC_ARM_REG_SP, 14: arm.UC_ARM_REG_LR}
        return int(self.machine._engine.reg_read(names.get(number, arm.UC_ARM_REG_R0 + number)))

    def op_at(self, address: int) -> Op:
        if address not in self.ops:
            code = self.machine.read_code(address, 20)
            self.ops[address] = make_op(self.decoder.decode(address, code), self.core)
        return self.ops[address]

    def on(self, address: int) -> None:
        if self.back is None:
            if address == self.invoke:
                self.back = self.register(14) & ~1
        elif address == self.back:
            self.machine._engine.emu_stop()
            return
        if self.back is None:
            return
        last = self.previous
        while last is not None and not last.instruction.jumps and self.behind(last) != address:
            last = self.count(self.op_at(self.behind(last)), jumped=False, target=None, skipped=True)
        jumped = last is None or self.behind(last) != address
        if jumped and last is not None:
            self.pipeline.branch(last)
        op = self.op_at(address)
        self.count(op, jumped=jumped, target=self.target(op.instruction), skipped=False)

    @staticmethod
    def behind(op: Op) -> int:
        return op.instruction.address + op.instruction.size

    def count(self, op: Op, **how: Any) -> Op:
        step = self.pipeline.step(op, **how)
        self.executed += 1
        self.fetch_wait += step.fetch_wait
        self.data_wait += step.data_wait
        self.previous = op
        return op

    def target(self, instruction: Instruction) -> int | None:
        access = instruction.access
        if access is None:
            return None
        address = access.displacement
        address += self.register(access.base) if access.base is not None else 0
        address += self.register(access.index) << access.shift if access.index is not None else 0
        return address & 0xFFFFFFFF


@pytest.mark.parametrize("name", BOARDS)
def test_the_c_replay_equals_the_python_one(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    elf = build_toy_for(tmp_path, board)
    profile = memory_profile(BOARDS[name]) if BOARDS[name] is not None else None
    in_c = Unicorn().profile(elf, board, vector=0, memory=profile, timeout_s=60)
    alone, with_memory = PythonReplay(elf, board, None), PythonReplay(elf, board, profile)
    alone.run()
    assert (in_c.total.instructions, in_c.total.cycles) == (alone.executed, alone.pipeline.total)
    if profile is not None:
        with_memory.run()
        total = in_c.total
        assert total.memory_cycles == with_memory.pipeline.total
        assert (total.fetch_wait, total.data_wait) == (with_memory.fetch_wait, with_memory.data_wait)
        assert with_memory.pipeline.total > alone.pipeline.total


@pytest.mark.parametrize("name", BOARDS)
def test_every_instruction_is_counted_once(name: str, tmp_path: Path) -> None:
    """Those of IT blocks whose condition fails too, which unicorn's hook does not see."""
    board = load_board(name)
    elf = build_toy_for(tmp_path, board)
    trace = Unicorn().run(elf, board, timeout_s=60)
    for vector in (0, 2):
        profile = Unicorn().profile(elf, board, vector=vector, memory=None, timeout_s=60)
        assert profile.total.instructions == trace.instructions[vector]
        assert trace.cycles is not None
        # Blocks start from a standstill there, so a little is lost or gained at their edges.
        assert profile.total.cycles == pytest.approx(trace.cycles[vector], rel=0.06)
        for parts in (profile.layers, profile.functions):
            assert sum(part.instructions for part in parts) == profile.total.instructions
            assert sum(part.cycles for part in parts) == profile.total.cycles
            assert sum(part.flash_loads for part in parts) == profile.total.flash_loads


def test_a_profile_repeats_and_names_what_is_hot(tmp_path: Path) -> None:
    board = load_board("mps2-an386")
    elf = build_toy_for(tmp_path, board)
    names = ("first", "second", "third")
    runs = [
        Unicorn()
        .profile(elf, board, vector=1, memory=memory_profile("stm32l4r5"), timeout_s=60, layer_names=names)
        .figures(macs=(37 * 37, 0, 37 * 37))
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    profile = runs[0]
    assert [row.name for row in profile.layers] == list(names)
    assert profile.functions[0].name == "toy_scale"
    assert profile.blocks[0].name.startswith("toy_scale+0x")
    assert profile.blocks[0].executed >= 2 * 36 * 37
    assert any(" smla" in line for line in profile.blocks[0].disassembly)
    assert profile.layers[0].instructions_per_mac == round(profile.layers[0].instructions / 37**2, 4)
    assert profile.layers[1].instructions_per_mac is None
    assert sum(row.share for row in profile.layers) == pytest.approx(1, abs=1e-5)
    # One weight of the flash per multiplication, and a little besides.
    assert 37 * 37 <= profile.layers[0].flash_loads < 1.1 * 37 * 37


def test_a_board_may_name_its_own_profile() -> None:
    board = load_board("mps2-an386")
    assert choose_memory_profile(None, board) is None
    own = replace(board, memory_profile="stm32l4r5")
    chosen = choose_memory_profile(None, own)
    assert chosen is not None
    assert chosen.name == "stm32l4r5"
    other = choose_memory_profile("stm32f446", own)
    assert other is not None
    assert other.name == "stm32f446"


def test_a_profile_of_another_core_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"'stm32u575' is of a cortex-m33, .*cortex-m4; choose one of: .*stm32l4r5"):
        choose_memory_profile("stm32u575", load_board("mps2-an386"))


@pytest.mark.parametrize("name", memory_profile_names())
def test_every_memory_profile_is_complete(name: str) -> None:
    profile = memory_profile(name)
    assert profile.core in {board.core.name for board in map(load_board, BOARDS)}
    assert {"flash", "ram"} <= set(profile.memories)
    assert len(profile.caches) <= 4
    for shape in profile.caches.values():
        assert shape.lines % shape.ways == 0
        assert all(value & (value - 1) == 0 for value in (shape.line_bytes, shape.sector_bytes))
        assert shape.sector_bytes <= shape.line_bytes
    for memory in profile.memories.values():
        assert {memory.code_cache, memory.data_cache} - {None} <= set(profile.caches)
    assert profile.source
    errors = [image.modelled for image in published_images() if image.profile == name]
    assert percentages(profile.error) == ([min(errors), max(errors)] if errors else [])
    assert bool(errors) != (profile.error == "not compared with published figures")


# ---- the memory system, on loads and fetches that are written out ----

M4 = core_timing("cortex-m4")
FLASH, RAM = 0x0800_0000, 0x2000_0000
REGIONS = (Region(FLASH, 0x10000, "flash"), Region(RAM, 0x10000, "ram"))
LOAD = "0868"  # ldr r0, [r1]
WIDE = "51f8040b"  # ldr r0, [r1], #4


def waits(memory: Memory, shape: CacheShape, targets: list[int]) -> list[int]:
    """Data waits of a load after another, the code being in RAM."""
    profile = MemoryProfile("test", "", "cortex-m4", 1, "", "", {"data": shape}, {"flash": memory, "ram": Memory()})
    pipeline = Pipeline(M4, profile, REGIONS)
    op = make_op(Decoder().decode(RAM, bytes.fromhex(LOAD)), M4)
    return [pipeline.step(op, jumped=True, target=target).data_wait for target in targets]


def test_a_line_is_loaded_once_and_the_least_recently_used_goes() -> None:
    memory = Memory(data_cache="data", data_wait=5)
    shape = CacheShape(lines=2, ways=2, line_bytes=8, sector_bytes=8)
    a, b, c = FLASH, FLASH + 8, FLASH + 16
    assert waits(memory, shape, [a, a + 4, b, a, c, a, b]) == [5, 0, 5, 0, 5, 0, 5]


def test_a_direct_mapped_cache_loses_lines_that_share_a_place() -> None:
    memory = Memory(data_cache="data", data_wait=5)
    shape = CacheShape(lines=4, ways=1, line_bytes=16, sector_bytes=16)
    assert waits(memory, shape, [FLASH, FLASH + 64, FLASH, FLASH + 16, FLASH]) == [5, 5, 5, 5, 0]


def test_a_sector_is_loaded_by_itself() -> None:
    memory = Memory(data_cache="data", data_wait=5)
    shape = CacheShape(lines=2, ways=2, line_bytes=32, sector_bytes=8)
    assert waits(memory, shape, [FLASH, FLASH + 8, FLASH + 8, FLASH + 2]) == [5, 5, 0, 0]


def test_a_prefetched_line_waits_less() -> None:
    memory = Memory(data_cache="data", data_wait=6, next_wait=3)
    shape = CacheShape(lines=8, ways=8, line_bytes=16, sector_bytes=16)
    assert waits(memory, shape, [FLASH, FLASH + 16, FLASH + 32, FLASH + 96, FLASH + 112]) == [6, 3, 3, 6, 3]


def test_without_a_cache_every_load_waits_and_ram_does_not() -> None:
    shape = CacheShape(lines=1, ways=1, line_bytes=8, sector_bytes=8)
    assert waits(Memory(data_wait=2), shape, [FLASH, FLASH, RAM]) == [2, 2, 0]


@pytest.mark.parametrize(
    ("core", "per_word"), [("cortex-m0plus", 2), ("cortex-m4", 5)], ids=["without a cache", "with a cache"]
)
def test_code_waits_for_each_line_of_flash(core: str, per_word: int) -> None:
    timing = core_timing(core)
    profile = memory_profile({"cortex-m0plus": "stm32g0b1", "cortex-m4": "stm32l4r5"}[core])
    pipeline, decoder = Pipeline(timing, profile, REGIONS), Decoder()
    nops = [make_op(decoder.decode(FLASH + 2 * i, bytes.fromhex("00bf")), timing) for i in range(32)]
    for i, op in enumerate(nops):
        pipeline.step(op, jumped=i == 0, target=None)
    cold = pipeline.total
    for i, op in enumerate(nops[:16]):
        pipeline.step(op, jumped=i == 0, target=None)
    lines = 64 // 8
    assert 32 + per_word <= cold <= 32 + lines * per_word
    if core == "cortex-m4":
        assert pipeline.total - cold == 16, "the cache holds it now"


def test_layers_of_the_profile_are_those_of_the_count(tmp_path: Path) -> None:
    board = load_board("mps2-an386")
    elf = build_toy_for(tmp_path, board)
    trace = Unicorn().run(elf, board, timeout_s=60)
    profile = Unicorn().profile(elf, board, vector=0, memory=None, timeout_s=60)
    assert trace.layer_instructions is not None
    # The block that calls a kernel counts as the new layer's there; here its head is the old one's.
    theirs = np.array([layer.instructions for layer in profile.layers])
    assert np.abs(theirs - trace.layer_instructions[0]).max() <= 64


def test_code_of_both_compilers_is_counted_whole(build_toy: Callable[..., Elf], board: Board) -> None:
    elf = build_toy()
    trace = Unicorn().run(elf, board, timeout_s=60)
    for vector, instructions in enumerate(trace.instructions):
        profile = Unicorn().profile(elf, board, vector=vector, memory=None, timeout_s=60)
        assert profile.total.instructions == instructions
