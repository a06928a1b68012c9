"""The most stack that a firmware can use, from its machine code: frames of functions, and which calls which.

Conservative: all that a function pushes or reserves counts, on whatever path; a jump into another function counts as a
call. A call through a pointer may reach every function whose address is taken and whose name `pointers` allows for
the caller.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import capstone

from edgesparse.toolchain import Elf

__all__ = ["CallGraph", "call_graph"]

_CONDITIONS = "eq ne hs lo mi pl vs vc hi ls ge lt gt le".split()
_BRANCHES = {"b", "bl", "blx", "cbz", "cbnz", *(f"b{condition}" for condition in _CONDITIONS)}
_JUMP = re.compile(r"#(0x[0-9a-f]+)$")
_RESERVE = re.compile(r"^sub\w*(?:\.w)? sp, (?:sp, )?#(\w+)$")
_PRE_DECREMENT = re.compile(r"\[sp, #-(\w+)\]!$")
_ADJUST_BY_REGISTER = re.compile(r"^(?:sub|add)\w*(?:\.w)? sp, (?:sp, )?r\d+$")
_RELEASE = re.compile(r"^(?:add\w*(?:\.w)? sp, (?:sp, )?#|mov sp, r\d+$)")


@dataclass
class Function:
    """`calls`: names of functions that it calls or jumps to. `by_pointer`: whether it calls through a register."""

    frame_bytes: int = 0
    calls: set[str] = field(default_factory=set)
    by_pointer: bool = False


@dataclass(frozen=True, eq=False)
class CallGraph:
    """Functions by name; `taken`: those whose address is in a register or in memory."""

    functions: dict[str, Function]
    taken: frozenset[str]
    pointers: Callable[[str, str], bool]

    def callees(self, name: str) -> set[str]:
        function = self.functions[name]
        reached = {other for other in self.taken if function.by_pointer and self.pointers(name, other)}
        return function.calls | reached

    @cached_property
    def cycle(self) -> tuple[str, ...]:
        """Functions that call each other in a ring; () where no function can be entered twice."""
        done: set[str] = set()

        def walk(name: str, path: tuple[str, ...]) -> tuple[str, ...]:
            if name in path:
                return path[path.index(name) :]
            if name in done:
                return ()
            for other in sorted(self.callees(name)):
                found = walk(other, (*path, name))
                if found:
                    return found
            done.add(name)
            return ()

        return next((found for name in self.functions if (found := walk(name, ()))), ())

    def stack_bytes(self, root: str) -> int:
        """The most that a call of `root` can use. Needs a graph without a cycle."""
        assert not self.cycle, f"recursion: {self.cycle}"
        known: dict[str, int] = {}

        def deepest(name: str) -> int:
            if name not in known:
                below = max(map(deepest, self.callees(name)), default=0)
                known[name] = self.functions[name].frame_bytes + below
            return known[name]

        return deepest(root)


def call_graph(elf: Elf, pointers: Callable[[str, str], bool]) -> CallGraph:
    """Read the code of an ELF. AssertionError for a frame whose size is not in the instruction."""
    text = {name: symbol for name, symbol in sorted(elf.symbols.items()) if symbol.section == ".text"}
    places = {symbol.address: name for name, symbol in text.items()}
    addresses = sorted(places)

    def owner(address: int) -> str:
        return places[addresses[bisect_right(addresses, address) - 1]]

    functions: dict[str, Function] = {}
    taken: set[int] = set(_words(elf))
    for address, mnemonic, operands, halves in _instructions(elf):
        name = owner(address)
        if 0 < text[name].size <= address - text[name].address:
            continue  # what lld fills gaps with
        function = functions.setdefault(name, Function())
        function.frame_bytes += _frame_bytes(name, mnemonic, operands)
        jump, kind = _JUMP.search(operands), mnemonic.split(".")[0]
        if kind == "blx" and jump is None:
            function.by_pointer = True
        elif jump is not None and kind in _BRANCHES:
            target = owner(int(jump[1], 16))
            if kind in ("bl", "blx") or target != name:
                function.calls.add(target)
        taken |= halves
    for function in list(functions.values()):
        for name in function.calls:
            functions.setdefault(name, Function())
    reached = {places[value - 1] for value in taken if value - 1 in places}
    return CallGraph(functions, frozenset(name for name in reached if name in functions), pointers)


def _frame_bytes(name: str, mnemonic: str, operands: str) -> int:
    text = f"{mnemonic} {operands}"
    assert not _ADJUST_BY_REGISTER.match(text), f"{name}: {text!r}: a frame whose size is in a register"
    if mnemonic.split(".")[0] in ("push", "stmdb", "vpush") and ("sp!" in operands or "push" in mnemonic):
        registers = operands[operands.index("{") + 1 : -1].split(",")
        return sum(8 if register.strip().startswith("d") else 4 for register in registers)
    reserved = _RESERVE.match(text) or _PRE_DECREMENT.search(text)
    if reserved:
        return int(reserved[1], 0)
    changes = re.match(r"^(?:sub|add|mov)\S* sp,", text) and not _RELEASE.match(text)
    assert not changes, f"{name}: {text!r}: not understood"
    return 0


def _instructions(elf: Elf) -> Iterator[tuple[int, str, str, set[int]]]:
    """(address, mnemonic, operands, addresses that MOVW and MOVT have put into a register)."""
    decoder: Any = capstone.Cs(
        capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8
    )
    for start, code in elf.code:
        low: dict[str, int] = {}
        offset = 0
        while offset < len(code):
            for instruction in decoder.disasm(code[offset:], start + offset):
                halves: set[int] = set()
                register, _, value = instruction.op_str.partition(", #")
                if instruction.mnemonic == "movw":
                    low[register] = int(value, 0)
                elif instruction.mnemonic == "movt" and register in low:
                    halves.add(int(value, 0) << 16 | low[register])
                yield instruction.address, instruction.mnemonic, instruction.op_str, halves
                offset = instruction.address + instruction.size - start
            if offset < len(code):
                offset += 2


def _words(elf: Elf) -> Iterator[int]:
    """All words of what is loaded: literals of the code, tables."""
    for segment in elf.segments:
        for offset in range(-segment.address % 4, len(segment.data) - 3, 4):
            yield int.from_bytes(segment.data[offset : offset + 4], "little")
