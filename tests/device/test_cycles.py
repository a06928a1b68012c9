"""Instruction sequences against the cycles of the vendor's tables, worked out by hand.

The tables: Cortex-M0+ TRM (Arm DDI 0484) 3.3, Cortex-M3 TRM (DDI 0337) 18.2, Cortex-M4 TRM (100166) 3.3.1 and 7.2.
There is none for the M7, and only parts of one for the M33: those cases say what the model takes.
"""

from __future__ import annotations

import numpy as np
import pytest

from edgesparse.arch.arm_m.timing.cycles import block_cycles, estimate_cycles
from edgesparse.arch.arm_m.timing.model import core_timing, has_timing, memory_profile
from edgesparse.boards import CORES
from edgesparse.emulate.blocks import BLOCK_DTYPE, count_instructions
from edgesparse.errors import SettingsError
from tests.support.published_cycles import PublishedImage, band, percentages, published_images

BLOCKS = {
    "adds r0, #1; nop": ("0130 00bf", 2),
    "ldr r0, [r1]": ("0868", 2),
    "ldr r0, [r1]; ldr r2, [r1, #4]; ldr r3, [r1, #8]": ("0868 4a68 8b68", 2 + 1 + 1),
    "ldr r0, [r1]; ldr r2, [r0]": ("0868 0268", 2 + 2),
    "ldr r0, [r0]; ldr r2, [r0]": ("0068 0268", 2 + 2),
    "ldr r0, [r1]; adds r0, #1; ldr r2, [r1]": ("0868 0130 0a68", 2 + 1 + 2),
    "ldr r0, [r1], #4; ldr r2, [r1], #4": ("51f8040b 51f8042b", 2 + 1),  # an updated base is ready at once
    "str r0, [r1]": ("0860", 1),
    "push {r4, r5, lr}": ("30b5", 1 + 3),
    "pop {r4, r5}": ("30bc", 1 + 2),
    "ldm r0!, {r1, r2, r3}": ("0ec8", 1 + 3),
    "ldrd r0, r1, [r2]": ("d2e90001", 1 + 2),
    "strd r0, r1, [r2]": ("c2e90001", 1 + 2),
    "mul r0, r1, r2": ("01fb02f0", 1),
    "mla r0, r1, r2, r3": ("01fb0230", 1),
    "smull r0, r1, r2, r3": ("82fb0301", 1),
    "smlal r0, r1, r2, r3": ("c2fb0301", 1),
    "sdiv r0, r1, r2": ("91fbf2f0", 6),
    "smlad r0, r1, r2, r3": ("21fb0230", 1),
    "sxtb16 r0, r1, ror #8": ("2ffa91f0", 1),
    "vldr s0, [r0]": ("90ed000a", 2),
    "vldr d0, [r0]": ("90ed000b", 3),
    "vldmia r0!, {s0-s3}": ("b0ec040a", 1 + 4),
    "vadd.f32 s0, s0, s1": ("30ee200a", 1),
    "vmul.f32 s0, s0, s1": ("20ee200a", 1),
    "vmla.f32 s0, s1, s2": ("00ee810a", 3),
    "vdiv.f32 s0, s1, s2": ("80ee810a", 14),
    "vsqrt.f32 s0, s1": ("b1eee00a", 14),
}
"""On a Cortex-M4."""


@pytest.mark.parametrize("text", BLOCKS)
def test_block(text: str) -> None:
    code, cycles = BLOCKS[text]
    assert block_cycles(0, bytes.fromhex(code), core_timing("cortex-m4"))[0] == cycles
    assert count_instructions(bytes.fromhex(code)) == text.count(";") + 1


OTHER_CORES = {
    ("cortex-m0plus", "ldr r0, [r1]; ldr r2, [r1, #4]"): ("0868 4a68", 2 + 2),
    ("cortex-m0plus", "str r0, [r1]; adds r0, #1"): ("0860 0130", 2 + 1),
    ("cortex-m0plus", "muls r0, r1"): ("4843", 1),
    ("cortex-m0plus", "push {r4, r5, lr}"): ("30b5", 1 + 3),
    ("cortex-m0plus", "ldm r0!, {r1, r2, r3}"): ("0ec8", 1 + 3),
    ("cortex-m3", "ldr r0, [r1]; ldr r2, [r1, #4]"): ("0868 4a68", 2 + 1),
    ("cortex-m3", "mul r0, r1, r2"): ("01fb02f0", 1),
    ("cortex-m3", "mla r0, r1, r2, r3"): ("01fb0230", 2),
    ("cortex-m3", "smull r0, r1, r2, r3"): ("82fb0301", 4),  # 3 to 5
    ("cortex-m3", "smlal r0, r1, r2, r3"): ("c2fb0301", 6),  # 4 to 7
    ("cortex-m33", "ldr r0, [r1]; adds r3, r1, r1"): ("0868 4b18", 1 + 1),
    ("cortex-m33", "ldr r0, [r1]; adds r3, r0, r1"): ("0868 4318", 1 + 1 + 1),
    ("cortex-m33", "ldr r0, [r1]; ldr r2, [r1, #4]"): ("0868 4a68", 1 + 1),
    ("cortex-m7", "adds r0, #1; adds r1, #1"): ("0130 0131", 1),
    ("cortex-m7", "adds r0, #1; adds r0, #1"): ("0130 0130", 2),
    ("cortex-m7", "ldr r0, [r1]; ldr r2, [r1, #4]"): ("0868 4a68", 2),
    ("cortex-m7", "ldr r0, [r1]; adds r3, r0, r1"): ("0868 4318", 2 + 1),
    ("cortex-m7", "ldr r0, [r1]; adds r3, r1, r1"): ("0868 4b18", 1),
    ("cortex-m7", "smlad r0, r1, r2, r3; smlad r4, r1, r2, r3"): ("21fb0230 21fb0234", 2),
    ("cortex-m7", "smlad r0, r1, r2, r0; smlad r0, r1, r2, r0"): ("21fb0200 21fb0200", 2),  # an addend comes late
    ("cortex-m7", "smlad r0, r1, r2, r3; smlad r4, r0, r2, r3"): ("21fb0230 20fb0234", 2 + 1),
    ("cortex-m7", "sxtb16 r0, r1; smlad r4, r2, r2, r3"): ("2ffa81f0 22fb0234", 1),
    ("cortex-m7", "sxtb16 r0, r1; sxtb16 r2, r1"): ("2ffa81f0 2ffa81f2", 2),
    ("cortex-m7", "push {r4, r5, lr}; adds r0, #1"): ("30b5 0130", 2 + 1),
}


@pytest.mark.parametrize(("core", "text"), OTHER_CORES)
def test_block_of_another_core(core: str, text: str) -> None:
    code, cycles = OTHER_CORES[core, text]
    assert block_cycles(0, bytes.fromhex(code), core_timing(core))[0] == cycles
    assert count_instructions(bytes.fromhex(code)) == text.count(";") + 1


BRANCHES = {
    ("cortex-m0plus", "b.n ."): ("fee7", 1, 1),
    ("cortex-m0plus", "bl ."): ("fff7feff", 1, 2),
    ("cortex-m0plus", "bx lr"): ("7047", 1, 1),
    ("cortex-m0plus", "pop {r4, pc}"): ("10bd", 1 + 2, 2),
    ("cortex-m3", "bne.n ."): ("fed1", 1, 3),
    ("cortex-m4", "bne.n ."): ("fed1", 1, 3),
    ("cortex-m0", "b.n ."): ("fee7", 1, 2),
    ("cortex-m0", "bl ."): ("fff7feff", 1, 3),
    ("cortex-m0", "pop {r4, pc}"): ("10bd", 1 + 2, 3),
    ("cortex-m0plus", "blx r3"): ("9847", 1, 1),
    ("cortex-m4", "tbb [pc, r0]"): ("dfe800f0", 2, 3),
    ("cortex-m4", "ldr pc, [r1, r2, lsl #2]"): ("51f822f0", 2, 3),
    ("cortex-m4", "pop {r4, pc}"): ("10bd", 1 + 2, 3),
    ("cortex-m33", "bne.n ."): ("fed1", 1, 2),
    ("cortex-m7", "bne.n ."): ("fed1", 1, 0),
    ("cortex-m4", "adds r0, #1"): ("0130", 1, 0),
}


@pytest.mark.parametrize(("core", "text"), BRANCHES)
def test_a_taken_branch_costs_its_refill(core: str, text: str) -> None:
    code, passing, refill = BRANCHES[core, text]
    assert block_cycles(0, bytes.fromhex(code), core_timing(core)) == (passing, refill)


def test_wide_instructions_behind_a_branch_to_an_odd_word_wait_for_their_fetch() -> None:
    code = bytes.fromhex("21fb0230 21fb0230")
    assert block_cycles(0x100, code, core_timing("cortex-m4"))[0] == 2
    assert block_cycles(0x102, code, core_timing("cortex-m4"))[0] == 3


def test_every_core_has_a_timing_that_names_its_error() -> None:
    assert [name for name in CORES if not has_timing(name)] == ["cortex-m55"]
    for name in filter(has_timing, CORES):
        assert name in core_timing(name).description


def test_the_error_of_a_core_is_what_published_images_say() -> None:
    """The core alone, in whole percent: on convolution networks, and on dense layers that stream from flash."""
    compared: dict[str, list[PublishedImage]] = {}
    for image in published_images():
        compared.setdefault(memory_profile(image.profile).core, []).append(image)
    for name in filter(has_timing, CORES):
        stated = percentages(core_timing(name).error)
        if name not in compared:
            assert (stated, core_timing(name).error) == ([], "not compared")
            continue
        dense = band(image.core_only for image in compared[name] if image.network == "ad" and image.weights == "flash")
        others = band(image.core_only for image in compared[name] if image.network != "ad")
        expected = [*others, *dense[::-1]] if dense[0] < dense[1] else [*others, dense[0]]
        assert len(stated) == len(expected), core_timing(name).error
        assert all(abs(a - b) < 1 for a, b in zip(stated, expected, strict=True)), (name, stated, expected)


def test_a_core_without_a_timing_is_named() -> None:
    with pytest.raises(SettingsError, match=r"core 'cortex-m55' has no timing model; there is one for: cortex-m0, "):
        core_timing("cortex-m55")


def test_taken_branches_and_layers() -> None:
    code = {0x10: bytes.fromhex("fed1"), 0x20: bytes.fromhex("0868")}
    blocks = np.array([(0x10, 2, 0, 1, 100, 99), (0x20, 2, 0, 1, 1, 0), (0x10, 2, 1, 1, 7, 0)], BLOCK_DTYPE)
    cycles = estimate_cycles(blocks, lambda address, _size: code[address], core_timing("cortex-m4"), layers=3)
    assert cycles.tolist() == [100 * 1 + 99 * 3 + 2, 7, 0]
