"""What the timing model reads from an instruction: kind, registers, memory, condition."""

from __future__ import annotations

import pytest

from edgesparse.arch.arm_m.timing.instructions import ALWAYS, FLAGS, KINDS, Access, Decoder, Instruction

AT = 0x1000


def decode(code: str) -> Instruction:
    return Decoder().decode(AT, bytes.fromhex(code))


def registers(mask: int) -> set[str]:
    names = [f"r{i}" for i in range(16)] + [f"s{i}" for i in range(32)] + ["flags"]
    return {name for i, name in enumerate(names) if mask >> i & 1}


ACCESSES = {
    "ldr r0, [r1], #4": ("51f8040b", Access(1, None, 0, 0, 4)),
    "ldr r0, [r1, #4]!": ("51f8040f", Access(1, None, 0, 4, 4)),
    "ldrb r0, [r1, r2, lsl #2]": ("11f82200", Access(1, 2, 2, 0, 1)),
    "ldrh r0, [r1, r2]": ("885a", Access(1, 2, 0, 0, 2)),
    "ldrsb r0, [r1, #-1]": ("11f9010c", Access(1, None, 0, -1, 1)),
    "ldr r0, [pc, #8]": ("0248", Access(None, None, 0, AT + 4 + 8, 4)),
    "ldrd r0, r1, [r2], #8": ("f2e80201", Access(2, None, 0, 0, 8)),
    "strd r0, r1, [sp, #-8]!": ("6de90201", Access(13, None, 0, -8, 8)),
    "ldm r0!, {r1, r2}": ("06c8", Access(0, None, 0, 0, 8)),
    "ldmdb r0, {r1, r2}": ("10e90600", Access(0, None, 0, -8, 8)),
    "push {r4, lr}": ("10b5", Access(13, None, 0, -8, 8)),
    "pop {r4, pc}": ("10bd", Access(13, None, 0, 0, 8)),
    "vldr d0, [r0, #4]": ("90ed010b", Access(0, None, 0, 4, 8)),
    "vldmia r0!, {s0-s3}": ("b0ec040a", Access(0, None, 0, 0, 16)),
    "vpush {d8, d9}": ("2ded048b", Access(13, None, 0, -16, 16)),
    "tbb [pc, r0]": ("dfe800f0", Access(None, 0, 0, AT + 4, 1)),
    "adds r0, #1": ("0130", None),
}


@pytest.mark.parametrize("text", ACCESSES)
def test_memory_access(text: str) -> None:
    code, access = ACCESSES[text]
    assert decode(code).access == access


REGISTERS = {
    "ldr r0, [r1], #4": ("51f8040b", {"r1"}, {"r0", "r1"}, {"r0"}, set()),
    "ldr r0, [r0]": ("0068", {"r0"}, {"r0"}, {"r0"}, set()),
    "pop {r4, pc}": ("10bd", {"r13"}, {"r13", "r4", "r15"}, {"r4", "r15"}, set()),
    "push {r4, lr}": ("10b5", {"r13", "r4", "r14"}, {"r13"}, set(), set()),
    "vldmia r0!, {s0-s3}": ("b0ec040a", {"r0"}, {"r0", "s0", "s1", "s2", "s3"}, {"s0", "s1", "s2", "s3"}, set()),
    "vpush {d8, d9}": ("2ded048b", {"r13", "s16", "s17", "s18", "s19"}, {"r13"}, set(), set()),
    "smlad r0, r1, r2, r3": ("21fb0230", {"r1", "r2", "r3"}, {"r0"}, set(), {"r3"}),
    "smlad r0, r1, r2, r1": ("21fb0210", {"r1", "r2"}, {"r0"}, set(), set()),
    "smlal r0, r1, r2, r3": ("c2fb0301", {"r0", "r1", "r2", "r3"}, {"r0", "r1"}, set(), {"r0", "r1"}),
    "vmla.f32 s0, s1, s2": ("00ee810a", {"s0", "s1", "s2"}, {"s0"}, set(), {"s0"}),
    "adcs r0, r0, r1": ("4841", {"r0", "r1", "flags"}, {"r0", "flags"}, set(), set()),
    "cmp r0, #3": ("0328", {"r0"}, {"flags"}, set(), set()),
    "bne .": ("fed1", set(), {"r15"}, set(), set()),
}


@pytest.mark.parametrize("text", REGISTERS)
def test_registers(text: str) -> None:
    code, reads, writes, loaded, added = REGISTERS[text]
    found = decode(code)
    masks = (found.reads, found.writes, found.loaded, found.added)
    assert tuple(map(registers, masks)) == (reads, writes, loaded, added)


def test_kinds_are_known_and_jumps_are_seen() -> None:
    kinds = {
        "0130": "alu",
        "2ffa81f0": "extract",
        "01fb02f0": "multiply",
        "21fb0230": "multiply_accumulate",
        "82fb0301": "multiply_long",
        "c2fb0301": "multiply_accumulate_long",
        "91fbf2f0": "divide",
        "0868": "load",
        "10bd": "load_multiple",
        "0860": "store",
        "30b5": "store_multiple",
        "7047": "branch",
        "fff7feff": "call",
        "30ee200a": "float",
        "20ee200a": "float_multiply",
        "00ee810a": "float_multiply_accumulate",
        "80ee810a": "float_divide",
        "bff34f8f": "system",
        "ffffffff": "undecodable",
    }
    found = {code: decode(code) for code in kinds}
    assert {code: instruction.kind for code, instruction in found.items()} == kinds
    assert set(kinds.values()) == set(KINDS)
    assert {code for code, instruction in found.items() if instruction.jumps} == {"10bd", "7047", "fff7feff"}
    words = {code for code, instruction in found.items() if instruction.needs_words}
    assert words == {"10bd", "30b5"}


def test_an_it_gives_conditions_to_those_behind_it() -> None:
    """itte eq; moveq r0, #1; moveq.w r1, #2; movne r2, #3; adds r0, #1."""
    code = bytes.fromhex("06bf 0120 4ff00201 0322 0130".replace(" ", ""))
    decoder, address, found = Decoder(), AT, []
    while address < AT + len(code):
        found.append(decoder.decode(address, code[address - AT :]))
        address += found[-1].size
    assert [instruction.condition for instruction in found] == [ALWAYS, 0, 0, 1, ALWAYS]
    assert [bool(instruction.reads >> FLAGS & 1) for instruction in found] == [False, True, True, True, False]
