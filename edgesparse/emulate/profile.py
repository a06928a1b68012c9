"""Where one inference spends its cycles: per layer, per function, per block of code."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.arch.arm_m.timing.instructions import Instruction
from edgesparse.arch.arm_m.timing.model import CoreTiming, MemoryProfile
from edgesparse.arch.arm_m.timing.replay import CountsArray
from edgesparse.missing import Missing
from edgesparse.result import CodeProfile, HotBlock, LayerProfile, ProfilePart
from edgesparse.toolchain.elf import Elf

__all__ = ["Block", "Line", "Part", "Profile", "make_profile"]

HOT_BLOCKS = 10
_CORE_ALONE = "no memory profile: the core alone"


@dataclass(frozen=True)
class Part:
    """What a layer, a function or a block takes. `memory_cycles`: with the memory profile; None without one.

    `flash_loads`: instructions that load from flash. Both waits are of `memory_cycles`.
    """

    name: str
    instructions: int
    cycles: int
    memory_cycles: int | None
    flash_loads: int
    fetch_wait: int
    data_wait: int


@dataclass(frozen=True)
class Line:
    """An instruction of a block, in assembly."""

    address: int
    text: str


@dataclass(frozen=True)
class Block:
    """Instructions that ran one after the other, equally often; the costliest blocks come first."""

    part: Part
    executed: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Profile:
    """One inference. `total` is the sum of `layers`, and of `functions`."""

    vector: int
    core: CoreTiming
    memory: MemoryProfile | None
    total: Part
    layers: tuple[Part, ...]
    functions: tuple[Part, ...]
    blocks: tuple[Block, ...]

    def figures(self, macs: Sequence[int] = ()) -> CodeProfile:
        """As a report has it. macs: of each layer, for instructions per MAC."""
        counts = [*macs, *[None] * len(self.layers)]
        return CodeProfile(
            vector=self.vector,
            memory_profile=Missing(_CORE_ALONE) if self.memory is None else self.memory.name,
            total=self._part(self.total),
            layers=tuple(
                LayerProfile(
                    **vars(self._part(layer)),
                    macs=count,
                    instructions_per_mac=round(layer.instructions / count, 4) if count else None,
                )
                for layer, count in zip(self.layers, counts, strict=False)
            ),
            functions=tuple(self._part(function) for function in self.functions),
            blocks=tuple(
                HotBlock(
                    **vars(self._part(block.part)),
                    executed=block.executed,
                    disassembly=tuple(f"{line.address:#010x} {line.text}" for line in block.lines),
                )
                for block in self.blocks
            ),
        )

    def _part(self, part: Part) -> ProfilePart:
        has_memory, whole = self.memory is not None, _cost(self.total)
        return ProfilePart(
            name=part.name,
            instructions=part.instructions,
            cycles=part.cycles,
            memory_cycles=part.memory_cycles,
            flash_loads=part.flash_loads,
            fetch_wait=part.fetch_wait if has_memory else None,
            data_wait=part.data_wait if has_memory else None,
            share=round(_cost(part) / whole, 6) if whole else 0.0,
        )


def make_profile(
    vector: int,
    core: CoreTiming,
    memory: MemoryProfile | None,
    instructions: Sequence[Instruction],
    layers: Sequence[CountsArray],
    layer_names: Sequence[str],
    elf: Elf,
) -> Profile:
    """A profile from counts per instruction, [layers][instructions]; the first timing is the core's alone."""
    counts = np.sum([[row[field] for field in _FIELDS] for row in map(_columns, layers)], axis=0)
    made = _Maker(memory is not None, counts)
    addresses = [instruction.address for instruction in instructions]
    owners: dict[str, list[int]] = {}
    names, starts = _functions(elf, addresses)
    for index, name in enumerate(names):
        owners.setdefault(name, []).append(index)
    functions = sorted((made.part(name, rows) for name, rows in owners.items()), key=lambda part: -_cost(part))
    blocks = [
        Block(
            part=made.part(f"{names[rows[0]]}+{addresses[rows[0]] - starts[rows[0]]:#x}", rows),
            executed=int(counts[0][rows[0]]),
            lines=tuple(Line(addresses[row], instructions[row].text) for row in rows),
        )
        for rows in _blocks(instructions, counts[0])
    ]
    return Profile(
        vector=vector,
        core=core,
        memory=memory,
        total=made.part("total", range(len(instructions))),
        layers=tuple(
            _Maker(memory is not None, np.array([_columns(row)[field] for field in _FIELDS])).part(
                layer_names[index] if index < len(layer_names) else f"layer {index}", range(len(row))
            )
            for index, row in enumerate(layers)
        ),
        functions=tuple(functions),
        blocks=tuple(sorted(blocks, key=lambda block: -_cost(block.part))[:HOT_BLOCKS]),
    )


_FIELDS = ("executed", "flash_loads", "cycles", "memory_cycles", "fetch_wait", "data_wait")


def _columns(counts: CountsArray) -> dict[str, npt.NDArray[np.int64]]:
    return {
        "executed": counts["executed"],
        "flash_loads": counts["flash_loads"],
        "cycles": counts["cycles"][:, 0],
        "memory_cycles": counts["cycles"][:, 1],
        "fetch_wait": counts["fetch_wait"][:, 1],
        "data_wait": counts["data_wait"][:, 1],
    }


@dataclass(frozen=True)
class _Maker:
    has_memory: bool
    counts: Any  # [_FIELDS, instructions]

    def part(self, name: str, rows: Iterable[int]) -> Part:
        """The sum of some instructions."""
        sums = self.counts[:, list(rows)].sum(axis=1)
        executed, flash_loads, cycles, memory_cycles, fetch_wait, data_wait = (int(value) for value in sums)
        memory = memory_cycles if self.has_memory else None
        return Part(name, executed, cycles, memory, flash_loads, fetch_wait, data_wait)


def _cost(part: Part) -> int:
    return part.cycles if part.memory_cycles is None else part.memory_cycles


def _functions(elf: Elf, addresses: Sequence[int]) -> tuple[list[str], list[int]]:
    """Name and start of the function that each address lies in; hand-written ones of the compiler have no size."""
    found: dict[int, str] = {}
    for name, symbol in elf.symbols.items():
        if symbol.section == ".text" and (symbol.size or symbol.address not in found):
            found[symbol.address] = name
    starts = sorted(found)
    owners = [starts[max(0, bisect_right(starts, address) - 1)] for address in addresses]
    return [found[start] for start in owners], owners


def _blocks(instructions: Sequence[Instruction], executed: Any) -> list[list[int]]:
    """Rows of instructions that follow one another in memory, ran equally often, and end at a jump."""
    blocks: list[list[int]] = []
    order = sorted((row for row in range(len(instructions)) if executed[row]), key=lambda r: instructions[r].address)
    for row in order:
        last = instructions[blocks[-1][-1]] if blocks else None
        follows = (
            last is not None
            and last.address + last.size == instructions[row].address
            and not last.jumps
            and executed[blocks[-1][-1]] == executed[row]
        )
        if follows:
            blocks[-1].append(row)
        else:
            blocks.append([row])
    return blocks
