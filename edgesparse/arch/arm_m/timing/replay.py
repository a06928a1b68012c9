"""Run the timing model beside unicorn: replay.c, called before every instruction."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.arch.arm_m.timing.instructions import Decoder, Instruction
from edgesparse.arch.arm_m.timing.model import CoreTiming, MemoryProfile, Op, Region, make_op
from edgesparse.errors import CrashError, ToolMissingError

__all__ = ["COUNTS_DTYPE", "SOURCE", "CReplay", "CountsArray", "Timing"]

SOURCE = Path(__file__).parent / "replay.c"
"""What a host compiler makes the library of a CReplay from."""

OP_DTYPE = np.dtype(
    [
        ("reads", np.uint64),
        ("writes", np.uint64),
        ("loaded", np.uint64),
        ("added", np.uint64),
        ("address", np.uint32),
        ("displacement", np.uint32),
        ("bytes", np.uint16),
        ("issue", np.uint16),
        ("latency", np.uint8),
        ("refill", np.uint8),
        ("size", np.uint8),
        ("flags", np.uint8),
        ("units", np.uint8),
        ("base", np.uint8),
        ("index", np.uint8),
        ("shift", np.uint8),
        ("reserved", np.uint8, 12),
    ]
)
"""As struct op in replay.c."""

COUNTS_DTYPE = np.dtype(
    [
        ("executed", np.uint64),
        ("flash_loads", np.uint64),
        ("cycles", np.uint64, 2),
        ("fetch_wait", np.uint64, 2),
        ("data_wait", np.uint64, 2),
    ]
)
"""Of one instruction, for each of two timings. As struct counts in replay.c."""

CountsArray: TypeAlias = npt.NDArray[Any]
"""Rows of COUNTS_DTYPE."""

OPS_MAX = 1 << 16
NO_LAYER = NO_OP = 0xFFFFFFFF
NO_REGISTER, NO_CACHE, NO_WAIT = 0xFF, 0xFFFFFFFF, 0xFFFFFFFF
LOAD, STORE, PAIRS, ALONE, JUMPS, WORDS = 1, 2, 4, 8, 16, 32
FAILURES = {2: "code outside of the flash", 3: f"more than {OPS_MAX:,} different instructions"}


class _CCacheShape(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("lines", "ways", "line_shift", "sector_shift")]


class _CMemory(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint32)
        for name in (
            "origin",
            "length",
            "is_flash",
            "code_cache",
            "data_cache",
            "code_wait",
            "data_wait",
            "next_wait",
            "line_shift",
        )
    ]


class _CTiming(ctypes.Structure):
    _fields_ = [
        *(
            (name, ctypes.c_uint32)
            for name in (
                "width",
                "pair_saves",
                "addend_late",
                "fetch_shift",
                "fetch_depth",
                "memory_count",
                "cache_count",
            )
        ),
        ("memories", _CMemory * 8),
        ("caches", _CCacheShape * 4),
    ]


@dataclass(frozen=True)
class Timing:
    """A core, with the memories of a profile in the regions; no profile: no waits."""

    core: CoreTiming
    profile: MemoryProfile | None
    regions: Sequence[Region]


class CReplay:
    """Times the instructions that an engine executes while it is active.

    `library`: SOURCE as a shared library; None without a compiler, a ToolMissingError. `read_code(address, size)` gives
    the bytes of code. Up to two timings, both of `core`; none: only unaligned accesses
    are looked for. `layer_address`: of model_layer in host memory, where counts per layer are wanted.
    """

    def __init__(
        self,
        library: Path | None,
        core: CoreTiming,
        timings: Sequence[Timing],
        *,
        code_origin: int,
        code_length: int,
        read_code: Callable[[int, int], bytes],
        layer_address: int | None = None,
    ) -> None:
        self._replay: ctypes.c_void_p | None = None  # first, for __del__
        if library is None:
            raise ToolMissingError("timing needs a C compiler for this computer; install gcc, or ziglang from PyPI")
        self._library = ctypes.CDLL(str(library))
        self._library.replay_new.restype = ctypes.c_void_p
        self._timings, self._core = timings, core
        self._code_origin, self._code_length, self._read_code = code_origin, code_length, read_code
        self._layer_address = layer_address
        self._decoder = Decoder()
        self._ops = np.zeros(OPS_MAX, OP_DTYPE)
        self._counts = np.zeros(OPS_MAX, COUNTS_DTYPE)
        self.instructions: list[Instruction] = []
        self.layers: list[tuple[int, CountsArray]] = []
        # Kept alive as long as C may call them.
        self._decode = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32)(self._on_new)
        self._enter = ctypes.CFUNCTYPE(None, ctypes.c_uint32)(self._on_layer)

    def __del__(self) -> None:
        if self._replay is not None:
            self._library.replay_free(self._replay)

    def attach(self, engine: Any) -> None:
        """Add the hook to a unicorn engine."""
        from unicorn import arm_const, unicorn_const
        from unicorn.unicorn_py3.unicorn import uclib

        names = [f"R{number}" for number in range(13)] + ["SP", "LR", "PC"]
        registers = (ctypes.c_int * 16)(*(getattr(arm_const, f"UC_ARM_REG_{name}") for name in names))
        timings = (_CTiming * len(self._timings))(*(_c_timing(timing) for timing in self._timings))
        self._replay = ctypes.c_void_p(
            self._library.replay_new(
                ctypes.cast(uclib.uc_reg_read, ctypes.c_void_p),
                ctypes.cast(uclib.uc_emu_stop, ctypes.c_void_p),
                self._decode,
                self._enter,
                registers,
                ctypes.c_uint32(self._code_origin),
                ctypes.c_uint32(self._code_length),
                ctypes.c_void_p(self._ops.ctypes.data),
                ctypes.c_void_p(self._counts.ctypes.data),
                ctypes.c_void_p(self._layer_address),
                timings,
                ctypes.c_uint32(len(self._timings)),
            )
        )
        hook = ctypes.c_size_t()
        status = uclib.uc_hook_add(
            engine._uch,
            ctypes.byref(hook),
            unicorn_const.UC_HOOK_CODE,
            ctypes.cast(self._library.replay_hook, ctypes.c_void_p),
            self._replay,
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        if not self._replay or status != unicorn_const.UC_ERR_OK:
            raise CrashError(f"unicorn refused the instruction hook (status {status}); use --emulator qemu")

    def activate(self, active: bool) -> None:
        """Start or stop counting at the next instruction."""
        self._library.replay_activate(self._replay, ctypes.c_uint32(active))

    def watch(self, function: int, call: int) -> None:
        """Count one call, from 0, of the function at an address, and stop the engine behind it."""
        self._library.replay_watch(self._replay, ctypes.c_uint32(function), ctypes.c_uint32(call))

    def unaligned(self) -> tuple[int, int, int] | None:
        """(pc, address, layer) of the first access that had to be of whole words and was not."""
        found = (ctypes.c_uint32 * 3)()
        if not self._library.replay_unaligned(self._replay, found):
            return None
        return found[0], found[1], found[2]

    def take(self) -> CountsArray:
        """Counts per instruction, as `instructions` has them, since the last take; CrashError when counting failed."""
        failed = self._library.replay_failed(self._replay)
        if failed:
            raise CrashError(f"timing the run failed: {FAILURES[failed]}")
        counts = self._counts[: len(self.instructions)].copy()
        self._counts[: len(self.instructions)] = 0
        return counts

    def per_layer(self, layers: int) -> list[CountsArray]:
        """All that was counted, per value of model_layer from 0 to layers - 1.

        What runs before the first layer is its, what runs behind the last one is the last one's.
        """
        totals = [np.zeros(len(self.instructions), COUNTS_DTYPE) for _ in range(layers)]
        inside = 0
        for layer, counts in [*self.layers, (NO_LAYER, self.take())]:
            inside = layer if layer < layers else inside
            for field in COUNTS_DTYPE.names or ():
                totals[inside][field][: len(counts)] += counts[field]
        return totals

    def _on_layer(self, layer: int) -> None:
        self.layers.append((layer, self.take()))

    def _on_new(self, address: int) -> int:
        instruction = self._decoder.decode(address, self._read_code(address, 20))
        number = len(self.instructions)
        if number == OPS_MAX:
            return NO_OP
        self.instructions.append(instruction)
        self._ops[number] = _row(make_op(instruction, self._core))
        return number


def _row(op: Op) -> tuple[Any, ...]:
    instruction, access = op.instruction, op.instruction.access
    flags = PAIRS * op.pairs + ALONE * op.alone + JUMPS * instruction.jumps
    if access is not None:
        flags += STORE if instruction.kind.startswith("store") else LOAD
        flags += WORDS * instruction.needs_words
    return (
        instruction.reads,
        instruction.writes,
        instruction.loaded,
        instruction.added,
        instruction.address,
        (access.displacement if access is not None else 0) & 0xFFFFFFFF,
        access.bytes if access is not None else 0,
        op.issue,
        op.latency,
        op.refill,
        instruction.size,
        flags,
        op.units,
        NO_REGISTER if access is None or access.base is None else access.base,
        NO_REGISTER if access is None or access.index is None else access.index,
        access.shift if access is not None else 0,
        0,
    )


def _c_timing(timing: Timing) -> _CTiming:
    core, profile = timing.core, timing.profile
    made = _CTiming(
        width=core.issue_width,
        pair_saves=core.pair_saves,
        addend_late=core.addend_late,
        fetch_shift=core.fetch_bytes.bit_length() - 1,
        fetch_depth=core.fetch_depth,
        memory_count=len(timing.regions),
    )
    caches = profile.caches if profile is not None else {}
    names, made.cache_count = list(caches), len(caches)
    for index, region in enumerate(timing.regions):
        row = made.memories[index]
        row.origin, row.length, row.is_flash = region.origin, region.length, region.role == "flash"
        row.code_cache = row.data_cache = NO_CACHE
        if profile is None:
            continue
        memory = profile.memories[region.role]
        row.code_wait, row.data_wait = memory.code_wait, memory.data_wait
        row.next_wait = NO_WAIT if memory.next_wait is None else memory.next_wait
        row.line_shift = memory.line_bytes.bit_length() - 1
        if memory.code_cache is not None:
            row.code_cache = names.index(memory.code_cache)
        if memory.data_cache is not None:
            row.data_cache = names.index(memory.data_cache)
    for index, shape in enumerate(caches.values()):
        cache = made.caches[index]
        cache.lines, cache.ways = shape.lines, shape.ways
        cache.line_shift, cache.sector_shift = shape.line_bytes.bit_length() - 1, shape.sector_bytes.bit_length() - 1
    return made
