"""Thumb instructions as the timing model sees them: what kind, which registers, which memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["ALWAYS", "FLAGS", "KINDS", "Access", "Decoder", "Instruction"]

KINDS = (
    "alu",
    "extract",
    "multiply",
    "multiply_accumulate",
    "multiply_long",
    "multiply_accumulate_long",
    "divide",
    "load",
    "load_multiple",
    "store",
    "store_multiple",
    "branch",
    "call",
    "float",
    "float_multiply",
    "float_multiply_accumulate",
    "float_divide",
    "system",
    "undecodable",
)
"""What a core's table gives costs for. `extract`: SIMD instructions that widen and pack. `branch`: all that write pc
but BL, loads and pops. `load_multiple`: LDM, POP, LDRD and the like."""

ALWAYS = 14
FLAGS = 48
"""Number of the flags in register masks: r0 to r15 are 0 to 15, s0 to s31 are 16 to 47."""

_SP, _PC = 13, 15

_EXACT = {
    "mul": "multiply",
    "mla": "multiply_accumulate",
    "mls": "multiply_accumulate",
    "umull": "multiply_long",
    "smull": "multiply_long",
    "umlal": "multiply_accumulate_long",
    "smlal": "multiply_accumulate_long",
    "umaal": "multiply_accumulate_long",
    "sdiv": "divide",
    "udiv": "divide",
    "bl": "call",
    **dict.fromkeys(("b", "bx", "blx", "cbz", "cbnz", "tbb", "tbh"), "branch"),
    **dict.fromkeys(("mrs", "msr", "dmb", "dsb", "isb", "cps", "svc", "bkpt", "wfi", "wfe", "sev"), "system"),
    **dict.fromkeys(("push", "stm", "stmdb", "strd", "vpush", "vstmia", "vstmdb"), "store_multiple"),
    **dict.fromkeys(("pop", "ldm", "ldmdb", "ldrd", "vpop", "vldmia", "vldmdb"), "load_multiple"),
    **dict.fromkeys(("vdiv", "vsqrt"), "float_divide"),
    **dict.fromkeys(("vmul", "vnmul"), "float_multiply"),
}
# Longer prefixes stand before those that they begin with.
_PREFIXES = (
    ("smlald", "multiply_accumulate_long"),
    ("smlsld", "multiply_accumulate_long"),
    ("smlal", "multiply_accumulate_long"),
    ("smla", "multiply_accumulate"),
    ("smls", "multiply_accumulate"),
    ("smmla", "multiply_accumulate"),
    ("smmls", "multiply_accumulate"),
    ("smm", "multiply"),
    ("smu", "multiply"),
    ("usad", "multiply"),
    ("vml", "float_multiply_accumulate"),
    ("vfm", "float_multiply_accumulate"),
    ("vnml", "float_multiply_accumulate"),
    ("vfnm", "float_multiply_accumulate"),
    ("vldr", "load"),
    ("vstr", "store"),
    ("ldr", "load"),
    ("ldaex", "load"),
    ("str", "store"),
    ("stl", "store"),
    ("sxt", "extract"),
    ("uxt", "extract"),
    ("pkh", "extract"),
    ("ssat", "extract"),
    ("usat", "extract"),
    ("v", "float"),
)
# Where a multiply-accumulate names its addends and its factors.
_ADDENDS = {
    "multiply_accumulate": (slice(3, 4), slice(1, 3)),
    "multiply_accumulate_long": (slice(0, 2), slice(2, 4)),
    "float_multiply_accumulate": (slice(0, 1), slice(1, 3)),
}
_WIDTHS = {"b": 1, "sb": 1, "h": 2, "sh": 2, "": 4, "t": 4, "ex": 4, "exb": 1, "exh": 2, "bt": 1, "ht": 2}


@dataclass(frozen=True)
class Access:
    """A memory access at base + (index << shift) + displacement; None: no such register."""

    base: int | None
    index: int | None
    shift: int
    displacement: int
    bytes: int


@dataclass(frozen=True)
class Instruction:
    """`reads`, `writes`, `loaded` (written from memory) and `added` are masks, a bit per register.

    `added`: read as the addend of a multiply-accumulate only. `registers`: how many a load or store moves. `condition`:
    Arm's number, ALWAYS without one.
    """

    address: int
    size: int
    kind: str
    text: str
    reads: int
    writes: int
    loaded: int
    added: int
    registers: int
    access: Access | None
    condition: int

    @property
    def jumps(self) -> bool:
        """Whether it writes pc."""
        return bool(self.writes >> _PC & 1) or self.kind in ("branch", "call")

    @property
    def needs_words(self) -> bool:
        """Whether it traps where its address is not a multiple of 4, on every core (Arm DDI 0403, A3.2.1)."""
        is_multiple = self.kind in ("load_multiple", "store_multiple")
        return is_multiple or self.text.startswith(("vldr", "vstr", "ldrex ", "strex "))


class Decoder:
    """Decodes an instruction at a time, and remembers the conditions that an IT gives to those behind it."""

    def __init__(self) -> None:
        import capstone

        self._decoder: Any = capstone.Cs(
            capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8
        )
        self._decoder.detail = True
        self._conditions: dict[int, int] = {}

    def decode(self, address: int, code: bytes) -> Instruction:
        """The instruction at an address; `code` has it and what follows, up to 20 bytes."""
        size = _size(code)
        found = next(self._decoder.disasm(code[:size], address, 1), None)
        condition = self._conditions.get(address, ALWAYS)
        if found is None:
            text = f".byte {code[:size].hex(' ')}"
            return Instruction(address, size, "undecodable", text, 0, 0, 0, 0, 0, None, condition)
        name = self._decoder.insn_name(found.id)
        if name == "it":
            self._remember(address, code)
        if name == "b" and found.cc not in (0, 15):
            condition = found.cc - 1
        return _instruction(found, name, condition)

    def _remember(self, address: int, code: bytes) -> None:
        """Note the conditions of an IT block (Arm DDI 0403, A7.7.38)."""
        first, mask = code[0] >> 4, code[0] & 15
        count = 4 - (mask & -mask).bit_length() + 1
        at = address + 2
        for index in range(count):
            lowest = first & 1 if index == 0 else mask >> (4 - index) & 1
            self._conditions[at] = (first & ~1) | lowest
            at += _size(code[at - address :])


def _size(code: bytes) -> int:
    """2 or 4: a halfword from 0xE800 up has a second one."""
    return 4 if int.from_bytes(code[:2], "little") >= 0xE800 else 2


def _kind(name: str) -> str:
    if name in _EXACT:
        return _EXACT[name]
    return next((kind for prefix, kind in _PREFIXES if name.startswith(prefix)), "alu")


def _instruction(found: Any, name: str, condition: int) -> Instruction:
    from capstone import arm

    kind = _kind(name)
    reads, writes = (_mask(found, registers) for registers in found.regs_access())
    listed = [operand.reg for operand in found.operands if operand.type == arm.ARM_OP_REG]
    if found.update_flags:
        writes |= 1 << FLAGS
    if condition != ALWAYS:
        reads |= 1 << FLAGS
    access, loaded, registers, added = None, 0, 0, 0
    if kind in _ADDENDS:
        addends, factors = (_mask(found, listed[where]) for where in _ADDENDS[kind])
        reads |= addends  # capstone takes the long ones for results only
        added = addends & ~factors
    if kind in ("load", "store"):
        registers = 1
        access = _single(found, name)
        loaded = _mask(found, listed[:1]) if kind == "load" else 0
    elif kind in ("load_multiple", "store_multiple"):
        has_base = ("ld" in name and "m" in name) or name.startswith(("stm", "vstm"))
        moved = listed[1:] if has_base else listed
        loaded = _mask(found, moved) if kind == "load_multiple" else 0
        registers = _mask(found, moved).bit_count()
        access = _multiple(found, name, listed, registers)
        if kind == "store_multiple":
            reads, writes = reads | _mask(found, moved), writes & ~_mask(found, moved)
    elif name in ("tbb", "tbh"):
        registers = 1
        access = _single(found, name)
    if name in ("push", "pop", "vpush", "vpop"):  # capstone leaves sp out of the last two
        reads, writes = reads | 1 << _SP, writes | 1 << _SP
    if kind == "branch":
        reads &= ~(1 << FLAGS)  # predicted, or forwarded in time
    text = f"{found.mnemonic} {found.op_str}".strip()
    writes |= loaded
    return Instruction(
        found.address, found.size, kind, text, reads & ~(1 << _PC), writes, loaded, added, registers, access, condition
    )


def _mask(found: Any, registers: Any) -> int:
    mask = 0
    for register in registers:
        name = found.reg_name(register)
        if name == "cpsr":
            mask |= 1 << FLAGS
        elif name in _CORE:
            mask |= 1 << _CORE[name]
        elif name[:1] == "s" and name[1:].isdigit():
            mask |= 1 << 16 + int(name[1:])
        elif name[:1] == "d" and name[1:].isdigit() and int(name[1:]) < 16:
            mask |= 3 << 16 + 2 * int(name[1:])
    return mask


_CORE = {f"r{number}": number for number in range(16)} | {
    "sb": 9,
    "sl": 10,
    "fp": 11,
    "ip": 12,
    "sp": 13,
    "lr": 14,
    "pc": 15,
}


def _single(found: Any, name: str) -> Access | None:
    from capstone import arm

    for operand in found.operands:
        if operand.type != arm.ARM_OP_MEM:
            continue
        base = _CORE[found.reg_name(operand.mem.base)]
        index = _CORE[found.reg_name(operand.mem.index)] if operand.mem.index else None
        displacement = 0 if found.post_index else operand.mem.disp
        shift = operand.shift.value if index is not None else 0
        if name in ("tbb", "tbh"):
            return Access(None, index, int(name == "tbh"), found.address + 4, 1 + int(name == "tbh"))
        if base == _PC:
            return Access(None, index, shift, (found.address + 4 & ~3) + displacement, _bytes(found, name))
        return Access(base, index, shift, displacement, _bytes(found, name))
    return None


def _bytes(found: Any, name: str) -> int:
    if name in ("vldr", "vstr"):
        return 8 if found.reg_name(found.operands[0].reg).startswith("d") else 4
    return _WIDTHS.get(name.removeprefix("ldr").removeprefix("str"), 4)


def _multiple(found: Any, name: str, listed: list[int], registers: int) -> Access | None:
    bytes_ = 4 * registers
    if name in ("ldrd", "strd"):
        single = _single(found, name)
        return None if single is None else Access(single.base, single.index, 0, single.displacement, 8)
    if name in ("push", "vpush"):
        return Access(_SP, None, 0, -bytes_, bytes_)
    if name in ("pop", "vpop"):
        return Access(_SP, None, 0, 0, bytes_)
    base = _CORE[found.reg_name(listed[0])]
    return Access(base, None, 0, -bytes_ if name.endswith("db") else 0, bytes_)
