"""Refuse a firmware that holds an instruction which its core lacks.

Emulators do not: unicorn's Cortex-M3 runs SMLAD, and QEMU runs Cortex-M0+ code on a Cortex-M3.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from edgesparse.arch.arm_m.cores import Core
from edgesparse.errors import BuildError

__all__ = ["Program", "check_isa"]

# Of Armv7E-M's DSP extension (Arm DDI 0403, A4.4; DDI 0553 for Armv8-M), by capstone's names.
DSP = frozenset(
    """
    pkhbt pkhtb qadd qdadd qdsub qsub sel umaal usad8 usada8 ssat16 usat16
    qadd16 qadd8 qasx qsax qsub16 qsub8 sadd16 sadd8 sasx ssax ssub16 ssub8
    shadd16 shadd8 shasx shsax shsub16 shsub8 uadd16 uadd8 uasx usax usub16 usub8
    uhadd16 uhadd8 uhasx uhsax uhsub16 uhsub8 uqadd16 uqadd8 uqasx uqsax uqsub16 uqsub8
    smlabb smlabt smlatb smlatt smlad smladx smlalbb smlalbt smlaltb smlaltt smlald smlaldx
    smlawb smlawt smlsd smlsdx smlsld smlsldx smmla smmlar smmls smmlsr smmul smmulr smuad smuadx
    smulbb smulbt smultb smultt smulwb smulwt smusd smusdx
    sxtab sxtab16 sxtah sxtb16 uxtab uxtab16 uxtah uxtb16
    """.split()
)

EXTENSIONS = {"dsp": (DSP, "the DSP extension")}
"""By the kernel variant that needs them: instructions, and what they belong to."""

ARMV8 = frozenset(
    """
    blxns bxns sg tt tta ttat ttt lda ldab ldah ldaex ldaexb ldaexh stl stlb stlh stlex stlexb stlexh vlldm vlstm
    """.split()
)

FPV5 = frozenset(
    """
    vseleq vselge vselgt vselvs vmaxnm vminnm vrinta vrintm vrintn vrintp vrintr vrintx vrintz
    vcvta vcvtm vcvtn vcvtp
    """.split()
)

NEON = frozenset((0xEF, 0xF9, 0xFF))  # upper byte of the first halfword

MAINLINE_REGISTERS = frozenset(("basepri", "basepri_max", "faultmask"))
ARMV8_REGISTERS = frozenset(("msplim", "psplim", "msp_ns", "psp_ns", "control_ns", "primask_ns", "sp_ns"))

# Armv6-M has all 16-bit instructions but these, and of the 32-bit ones only ARMV6_WIDE.
ARMV6_LACKS = frozenset(("cbz", "cbnz", "it"))
ARMV6_WIDE = frozenset(("bl", "dmb", "dsb", "isb", "mrs", "msr", "udf"))


class Program(Protocol):
    """What is looked at of an ELF: address and bytes of each run of instructions, and where an address lies."""

    @property
    def path(self) -> Path:
        """For messages."""

    @property
    def code(self) -> tuple[tuple[int, bytes], ...]:
        """As Elf.code."""

    def describe(self, address: int) -> str:
        """As Elf.describe."""


def check_isa(elf: Program, core: Core) -> None:
    """BuildError with function, address and instruction for the first that the core lacks."""
    for start, code in elf.code:
        for address, raw, name, text in _instructions(code, start):
            missing = _missing(raw, name, text, core)
            if missing:
                raise BuildError(
                    f"{elf.path}: {elf.describe(address)} at {address:#010x} holds {text!r}, {missing}; "
                    f"a {core.name} cannot run it: build with its flags, or report this"
                )


def _instructions(code: bytes, start: int) -> Iterator[tuple[int, bytes, str, str]]:
    """(address, bytes, name without condition and suffix, text) of each; the name is "" where nothing decodes."""
    import capstone

    # V8 to name what Armv8-M brought, MCLASS for MSR and MRS of special registers.
    decoder: Any = capstone.Cs(
        capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8
    )
    offset = 0
    while offset < len(code):
        for instruction in decoder.disasm(code[offset:], start + offset):
            text = f"{instruction.mnemonic} {instruction.op_str}".strip()
            yield instruction.address, bytes(instruction.bytes), decoder.insn_name(instruction.id), text
            offset = instruction.address + instruction.size - start
        if offset < len(code):
            halfword = int.from_bytes(code[offset : offset + 2], "little")
            size = 4 if halfword >= 0xE800 else 2
            yield start + offset, code[offset : offset + size], "", f".byte {code[offset : offset + size].hex(' ')}"
            offset += size


def _missing(raw: bytes, name: str, text: str, core: Core) -> str:
    """What an instruction belongs to that the core has not; "" for one that it has."""
    if not name:
        return "which is no instruction of any Cortex-M"
    mainline = core.architecture != "armv6-m"
    special = set(text.replace(",", " ").split()[1:]) if name in ("msr", "mrs") else set()
    if not mainline and (name in ARMV6_LACKS if len(raw) == 2 else name not in ARMV6_WIDE):
        return "which Armv6-M lacks"
    if not mainline and special & MAINLINE_REGISTERS:
        return "a register that Armv6-M lacks"
    if core.architecture != "armv8-m.main" and (name in ARMV8 or special & ARMV8_REGISTERS):
        return "of Armv8-M"
    for variant, (names, extension) in EXTENSIONS.items():
        if name in names and variant not in core.kernels:
            return f"of {extension}"
    if text.startswith("v") and name not in ARMV8:
        if raw[1] in NEON:
            return "of Neon, which no Cortex-M has"
        if core.fpu is None:
            return "of the floating-point extension"
        if name in FPV5 and core.fpu != "fpv5-sp":
            return "of FPv5"
        if ".f64" in text:
            return "in double precision"
    return ""
