"""The timing model: cycles of one instruction after another, on a core with a memory system.

In order and without an operating system in between. The core fetches, waits for operands, issues, and waits for
memory; what each step takes is data (timing.toml, memories.toml). replay.c holds the same model for speed; this one is
its test, and costs single blocks. docs/timing.md says how far to trust it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from edgesparse.arch.arm_m.timing.instructions import KINDS, Instruction
from edgesparse.errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "CacheShape",
    "CoreTiming",
    "Memory",
    "MemoryProfile",
    "Op",
    "Pipeline",
    "Region",
    "core_timing",
    "has_timing",
    "make_op",
    "memory_profile",
    "memory_profile_names",
]

FETCHES_MAX = 4
"""Fetches whose use the model remembers; fetch_depth is less."""


@dataclass(frozen=True)
class CoreTiming:
    """A core's table from timing.toml, whose head explains the fields."""

    name: str
    source: str
    error: str
    issue_width: int
    issue: Mapping[str, int]
    registers_per_cycle: int
    latency: Mapping[str, int]
    pair_saves: int
    units: Mapping[str, int]
    alone: tuple[str, ...]
    addend_late: int
    refill: Mapping[str, int]
    fetch_bytes: int
    fetch_depth: int

    @property
    def description(self) -> str:
        """What the figures are and how far off they were."""
        return f"{self.name} core only, zero wait states; against published cycles: {self.error}"


@dataclass(frozen=True)
class CacheShape:
    """Least recently used of `ways` lines goes; a miss brings `sector_bytes` of a line. All powers of two but ways."""

    lines: int
    ways: int
    line_bytes: int
    sector_bytes: int


@dataclass(frozen=True)
class Memory:
    """What an access costs besides its issue. A cache's name is None where the access goes straight to the memory.

    `code_wait` and `data_wait`: cycles of a miss; without a cache, of each access, where code that lies in the same
    `line_bytes` as the fetch before comes free. `next_wait`: of a miss right behind the last one, where the memory
    prefetches; None: as any other.
    """

    code_cache: str | None = None
    data_cache: str | None = None
    code_wait: int = 0
    data_wait: int = 0
    next_wait: int | None = None
    line_bytes: int = 4


@dataclass(frozen=True)
class MemoryProfile:
    """A part's memories at a clock, from memories.toml: by role, "flash" and "ram" at least."""

    name: str
    description: str
    core: str
    clock_hz: int
    source: str
    error: str
    caches: Mapping[str, CacheShape]
    memories: Mapping[str, Memory]


@dataclass(frozen=True)
class Region:
    """Addresses that have the memory of a role."""

    origin: int
    length: int
    role: str


@cache
def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))


def has_timing(name: str) -> bool:
    """Whether a core has a timing model."""
    return name in _table("timing.toml")["core"]


def core_timing(name: str) -> CoreTiming:
    """The timing of a core; SettingsError for one that has none."""
    tables = _table("timing.toml")["core"]
    if name not in tables:
        raise SettingsError(f"core {name!r} has no timing model; there is one for: {', '.join(tables)}")
    row = tables[name]
    return CoreTiming(
        name=name,
        source=row["source"],
        error=row["error"],
        issue_width=row["issue_width"],
        issue=_by_kind(row.get("issue", {})),
        registers_per_cycle=row["registers_per_cycle"],
        latency=_by_kind(row.get("latency", {})),
        pair_saves=row["pair_saves"],
        units=_by_kind(row.get("units", {})),
        alone=tuple(row.get("alone", ())),
        addend_late=row.get("addend_late", 0),
        refill=row["refill"],
        fetch_bytes=row["fetch_bytes"],
        fetch_depth=row["fetch_depth"],
    )


def _by_kind(row: dict[str, int]) -> dict[str, int]:
    unknown = set(row) - set(KINDS)
    if unknown:
        raise SettingsError(f"timing.toml: {', '.join(sorted(unknown))}: no kind of instruction")
    return row


def memory_profile_names(core: str | None = None) -> tuple[str, ...]:
    """Names of all memory profiles, or of those of a core."""
    rows = _table("memories.toml")["memory"]
    return tuple(name for name, row in rows.items() if core is None or row["core"] == core)


def memory_profile(name: str) -> MemoryProfile:
    """A memory profile; SettingsError for an unknown name."""
    rows = _table("memories.toml")["memory"]
    if name not in rows:
        raise SettingsError(f"memory profile {name!r} is not known; choose one of: {', '.join(rows)}")
    row = rows[name]
    return MemoryProfile(
        name=name,
        description=row["description"],
        core=row["core"],
        clock_hz=row["clock_hz"],
        source=row["source"],
        error=row["error"],
        caches={key: CacheShape(**value) for key, value in row.get("cache", {}).items()},
        memories={key: Memory(**value) for key, value in row["memories"].items()},
    )


@dataclass(frozen=True)
class Op:
    """An instruction with a core's costs. Fields as in timing.toml; `units` is a mask."""

    instruction: Instruction
    issue: int
    latency: int
    refill: int
    units: int
    pairs: bool
    alone: bool


def make_op(instruction: Instruction, core: CoreTiming) -> Op:
    """What an instruction costs on a core."""
    kind = instruction.kind
    issue = core.issue.get(kind, 1)
    if kind in ("load_multiple", "store_multiple"):
        issue += -(-instruction.registers // core.registers_per_cycle)
    elif instruction.access is not None and instruction.access.bytes == 8:
        issue += 1  # a double word of the floating-point unit
    elif kind == "branch" and instruction.access is not None:
        issue += 1  # the entry of a branch table
    return Op(
        instruction=instruction,
        issue=issue,
        latency=max(core.latency.get(kind, 1), issue if core.issue_width == 1 else 1),
        refill=core.refill.get(kind, core.refill["taken"]) if instruction.jumps else 0,
        units=core.units.get(kind, 0),
        pairs=kind == "load" and core.pair_saves > 0,
        alone=kind in core.alone,
    )


class _Cache:
    """Least recently used, by sets, filled by sectors."""

    def __init__(self, shape: CacheShape) -> None:
        self._shape = shape
        self._sets: list[dict[int, set[int]]] = [{} for _ in range(shape.lines // shape.ways)]  # oldest first

    @property
    def sector_bytes(self) -> int:
        """What a miss brings."""
        return self._shape.sector_bytes

    def lookup(self, address: int) -> bool:
        """Whether the sector of an address was there; then it is."""
        tag, sector = address // self._shape.line_bytes, address // self._shape.sector_bytes
        lines = self._sets[tag % len(self._sets)]
        held = lines.pop(tag, None)
        if held is None:
            held = set()
            if len(lines) == self._shape.ways:
                del lines[next(iter(lines))]
        lines[tag] = held
        hit = sector in held
        held.add(sector)
        return hit


@dataclass(frozen=True)
class Step:
    """Cycles of an instruction, with those of them that it waited for fetches and for data."""

    cycles: int
    fetch_wait: int
    data_wait: int


@dataclass
class Pipeline:
    """The state of a core. Time is counted in cycles; `cycle` is the one that the next instruction may still join."""

    core: CoreTiming
    profile: MemoryProfile | None = None
    regions: Sequence[Region] = ()
    cycle: int = 1
    _issued: int = 0
    _units: int = 0
    _ready: dict[int, int] = field(default_factory=dict)
    _loaded: int = 0
    _after_load: bool = False
    _fetched: int = 0
    _fetch_free: int = 0
    _consumed: list[int] = field(default_factory=lambda: [0] * FETCHES_MAX)
    _fetch_line: int = -1
    _missed: int = -2
    _caches: dict[str, _Cache] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.profile is not None:
            self._caches = {name: _Cache(shape) for name, shape in self.profile.caches.items()}

    @property
    def total(self) -> int:
        """Cycles so far, a cycle that is being filled included."""
        return self.cycle - 1 + (1 if self._issued else 0)

    def branch(self, op: Op) -> int:
        """The instruction before branched; the cycles that this costs."""
        before = self.cycle
        self.cycle += (1 if self._issued else 0) + op.refill
        self._close()
        return self.cycle - before

    def step(self, op: Op, *, jumped: bool, target: int | None, skipped: bool = False) -> Step:
        """One instruction. `jumped`: it does not follow the one before. `target`: address of its memory access, if any.

        `skipped`: its condition does not hold.
        """
        instruction, before = op.instruction, self.cycle
        start = self._fetch(instruction, jumped)
        fetch_wait = start - before
        # In order: wait for the operands. Loads of the single-issue cores have them when they end.
        reads, added = instruction.reads, instruction.added
        for number, at in self._ready.items():
            if reads >> number & 1:
                start = max(start, at - (self.core.addend_late if added >> number & 1 else 0))
        if start > self.cycle:
            self.cycle = start
            self._close()
        if op.units & self._units or (op.alone and self._issued):
            self.cycle += 1
            self._close()
        begin, issue = self.cycle, 1 if skipped else op.issue
        # The address phase of a load overlaps with the data phase of the load before, unless it needs its result.
        if op.pairs and not skipped and self._after_load and not reads & self._loaded:
            issue -= self.core.pair_saves
        wait = 0 if target is None or skipped else self._data_wait(op, target)
        self._after_load, self._loaded = op.pairs and not skipped, instruction.loaded
        if not skipped:
            self._results(op, begin, issue, wait)
        self._issued += 1
        self._units |= op.units
        if issue > 1 or wait or op.alone or self._issued >= self.core.issue_width:
            self.cycle = begin + issue + wait
            self._close()
        if self.core.fetch_depth:
            for number in range(
                instruction.address // self.core.fetch_bytes,
                (instruction.address + instruction.size - 1) // self.core.fetch_bytes + 1,
            ):
                self._consumed[number % FETCHES_MAX] = begin
        return Step(self.cycle - before, fetch_wait, wait)

    def _close(self) -> None:
        self._issued = self._units = 0

    def _results(self, op: Op, begin: int, issue: int, wait: int) -> None:
        """When the registers that an instruction writes can be used; an updated base register is ready at once."""
        instruction = op.instruction
        late = begin + wait + max(op.latency, issue)
        for number in _bits(instruction.writes):
            self._ready.pop(number, None)
            if op.latency > issue or wait or self.core.issue_width > 1:
                from_memory = not instruction.loaded or instruction.loaded >> number & 1
                self._ready[number] = late if from_memory else begin + 1

    def _fetch(self, instruction: Instruction, jumped: bool) -> int:
        """Bring the instruction; the first cycle in which it can start.

        Fetches of `fetch_bytes` follow one another, a cycle and the memory's wait each, as long as there is room for
        `fetch_depth` that are not used yet. After a branch they begin anew: `refill` has the first one's cycle.
        """
        size = self.core.fetch_bytes
        first, last = instruction.address // size, (instruction.address + instruction.size - 1) // size
        if jumped:
            self._fetched, self._fetch_free = first - 1, self.cycle - 1
            self._consumed = [0] * FETCHES_MAX
        start = self.cycle
        while self._fetched != last:
            self._fetched += 1
            wait = self._fetch_wait(self._fetched * size)
            if self.core.fetch_depth == 0:
                start += wait
                continue
            room = self._consumed[(self._fetched - self.core.fetch_depth) % FETCHES_MAX]
            self._fetch_free = max(self._fetch_free, room) + 1 + wait
        return max(start, self._fetch_free) if self.core.fetch_depth else start

    def _memory(self, address: int) -> Memory | None:
        for region in self.regions:
            if 0 <= address - region.origin < region.length:
                return self.profile.memories[region.role] if self.profile is not None else None
        return None

    def _fetch_wait(self, address: int) -> int:
        memory = self._memory(address)
        if memory is None or memory.code_wait == 0:
            return 0
        if memory.code_cache is not None:
            return self._cached_wait(memory, memory.code_cache, address, memory.code_wait)
        line = address // memory.line_bytes
        wait = 0 if line == self._fetch_line else memory.code_wait
        self._fetch_line = line
        return wait

    def _data_wait(self, op: Op, address: int) -> int:
        """Stores leave through a buffer: they cost nothing here, and bring a line into a cache as loads do."""
        memory, access = self._memory(address), op.instruction.access
        if memory is None or memory.data_wait == 0 or access is None:
            return 0
        is_store = op.instruction.kind.startswith("store")
        if memory.data_cache is None:
            lines = (address + access.bytes - 1) // memory.line_bytes - address // memory.line_bytes + 1
            return 0 if is_store else lines * memory.data_wait
        sector = self.profile.caches[memory.data_cache].sector_bytes if self.profile is not None else 1
        places = range(address // sector * sector, address + access.bytes, sector)
        wait = sum(self._cached_wait(memory, memory.data_cache, at, memory.data_wait) for at in places)
        return 0 if is_store else wait

    def _cached_wait(self, memory: Memory, name: str, address: int, wait: int) -> int:
        cache = self._caches[name]
        if cache.lookup(address):
            return 0
        number = address // cache.sector_bytes
        follows, self._missed = number == self._missed + 1, number
        return memory.next_wait if follows and memory.next_wait is not None else wait


def _bits(mask: int) -> Iterator[int]:
    while mask:
        yield (mask & -mask).bit_length() - 1
        mask &= mask - 1
