"""Cycles of hand-assembled blocks against the timing table, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgesparse.boards import CORES
from edgesparse.emulate.blocks import BLOCK_DTYPE, count_instructions
from edgesparse.emulate.cycles import TIMINGS, block_cycles, estimate_cycles

M4 = TIMINGS["cortex-m4"]

BLOCKS = {
    "adds r0, #1; nop": ("0130 00bf", 2),
    "ldr r0, [r1]": ("0868", 2),
    "ldr r0, [r1]; ldr r2, [r1, #4]; ldr r3, [r1, #8]": ("0868 4a68 8b68", 2 + 1 + 1),
    "ldr r0, [r1]; ldr r2, [r0]": ("0868 0268", 2 + 2),
    "ldr r0, [r1]; adds r0, #1; ldr r2, [r1]": ("0868 0130 0a68", 2 + 1 + 2),
    "ldr r0, [r1], #4; ldr r2, [r1], #4": ("51f8040b 51f8042b", 2 + 1),  # an updated base is ready at once
    "str r0, [r1]": ("0860", 1),
    "push {r4, r5, lr}": ("30b5", 1 + 3),
    "pop {r4, pc}": ("10bd", 1 + 2),
    "ldm r0!, {r1, r2, r3}": ("0ec8", 1 + 3),
    "ldrd r0, r1, [r2]": ("d2e90001", 1 + 2),
    "sdiv r0, r1, r2": ("91fbf2f0", 6),
    "smlad r0, r1, r2, r3": ("21fb0230", 1),
    "vldr s0, [r0]": ("90ed000a", 2),
    "vadd.f32 s0, s0, s1": ("30ee200a", 1),
    "vmla.f32 s0, s1, s2": ("00ee810a", 3),
    "vdiv.f32 s0, s1, s2": ("80ee810a", 14),
}


@pytest.mark.parametrize("text", BLOCKS)
def test_block(text: str) -> None:
    code, cycles = BLOCKS[text]
    assert block_cycles(bytes.fromhex(code), M4) == cycles
    assert count_instructions(bytes.fromhex(code)) == text.count(";") + 1


OTHER_CORES = {
    ("cortex-m0plus", "ldr r0, [r1]; ldr r2, [r1, #4]"): ("0868 4a68", 2 + 2),
    ("cortex-m0plus", "str r0, [r1]; adds r0, #1"): ("0860 0130", 2 + 1),
    ("cortex-m3", "ldr r0, [r1]; ldr r2, [r1, #4]"): ("0868 4a68", 2 + 1),
    ("cortex-m33", "ldr r0, [r1]; adds r3, r1, r1"): ("0868 4b18", 1 + 1),
    ("cortex-m33", "ldr r0, [r1]; adds r3, r0, r1"): ("0868 4318", 1 + 1 + 1),
    ("cortex-m7", "adds r0, #1; adds r1, #1"): ("0130 0131", 1),
    ("cortex-m7", "adds r0, #1; adds r0, #1"): ("0130 0130", 2),
    ("cortex-m7", "ldr r0, [r1]; ldr r2, [r1, #4]"): ("0868 4a68", 2),
    ("cortex-m7", "ldr r0, [r1]; adds r3, r0, r1"): ("0868 4318", 2 + 1),
    ("cortex-m7", "ldr r0, [r1]; adds r3, r1, r1"): ("0868 4b18", 1),
    ("cortex-m7", "smlad r0, r1, r2, r3; smlad r4, r1, r2, r3"): ("21fb0230 21fb0234", 2),
    ("cortex-m7", "smlad r0, r1, r2, r0; smlad r0, r1, r2, r0"): ("21fb0200 21fb0200", 3),
    ("cortex-m7", "push {r4, r5, lr}; adds r0, #1"): ("30b5 0130", 2 + 1),
}


@pytest.mark.parametrize(("core", "text"), OTHER_CORES)
def test_block_of_another_core(core: str, text: str) -> None:
    code, cycles = OTHER_CORES[core, text]
    assert block_cycles(bytes.fromhex(code), TIMINGS[core]) == cycles
    assert count_instructions(bytes.fromhex(code)) == text.count(";") + 1


def test_every_core_has_a_timing_that_says_it_is_not_calibrated() -> None:
    assert set(TIMINGS) == set(CORES)
    assert all(name in timing.name and "uncalibrated" in timing.name for name, timing in TIMINGS.items())


def test_taken_branches_and_layers() -> None:
    code = {0x10: bytes.fromhex("0130"), 0x20: bytes.fromhex("0868")}
    blocks = np.array([(0x10, 2, 0, 1, 100, 99), (0x20, 2, 0, 1, 1, 0), (0x10, 2, 1, 1, 7, 0)], BLOCK_DTYPE)
    cycles = estimate_cycles(blocks, lambda address, _size: code[address], M4, layers=3)
    assert cycles.tolist() == [100 * 1 + 99 * 3 + 2, 7, 0]
