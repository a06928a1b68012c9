"""Count executed blocks per layer inside model_invoke: in C compiled for the host, or in Python without a compiler."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.errors import CrashError

__all__ = ["BLOCK_DTYPE", "BlockArray", "BlockCounter", "CBlockCounter", "PythonBlockCounter", "Watch"]

BLOCK_DTYPE = np.dtype(
    [
        ("address", np.uint32),
        ("size", np.uint32),
        ("layer", np.uint32),
        ("instructions", np.uint32),
        ("count", np.uint64),
        ("taken", np.uint64),
    ]
)
"""A block of code in one layer: how often it ran and how often it left by a taken branch. As in block_counter.c."""

BlockArray: TypeAlias = npt.NDArray[Any]
"""Rows of BLOCK_DTYPE, ordered by layer and address."""

NO_LAYER = 0xFFFFFFFF
FAILURES = {1: "no memory on the host", 2: "code outside of the flash"}


@dataclass(frozen=True)
class Watch:
    """What a counter looks at. Host memory as buffers that stay alive while it runs.

    `layer_offset` and `guard_offset` are offsets in `ram`.
    """

    code: Any  # mmap of the flash
    code_origin: int
    ram: Any  # mmap of the RAM
    layer_offset: int
    guard_offset: int
    guard_bytes: int
    invoke_address: int


class BlockCounter(Protocol):
    """Counts while attached to an engine."""

    def attach(self, engine: Any) -> None:
        """Add the block hook to a unicorn engine."""

    def take(self) -> tuple[BlockArray, int]:
        """Counts and number of finished model_invoke calls since the last take; then start from zero."""

    def overrun_layer(self) -> int | None:
        """The first layer that changed the guard behind the arena."""


def count_instructions(code: bytes) -> int:
    """Thumb instructions in a block: a halfword from 0xE800 up has a second one."""
    offset = count = 0
    while offset < len(code):
        offset += 4 if int.from_bytes(code[offset : offset + 2], "little") >= 0xE800 else 2
        count += 1
    return count


def _address_of(buffer: Any) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


class CBlockCounter:
    """block_counter.c, called by unicorn without Python in between."""

    def __init__(self, library: Path, watch: Watch) -> None:
        self._counter: ctypes.c_void_p | None = None  # first, for __del__
        self._watch = watch
        self._library = ctypes.CDLL(str(library))
        self._library.counter_new.restype = ctypes.c_void_p
        self._library.counter_blocks.restype = ctypes.c_void_p
        for name in ("capacity", "invocations", "failed", "overrun_layer"):
            getattr(self._library, f"counter_{name}").restype = ctypes.c_uint32

    def __del__(self) -> None:
        if self._counter is not None:
            self._library.counter_free(self._counter)

    def attach(self, engine: Any) -> None:
        """See BlockCounter."""
        from unicorn import arm_const, unicorn_const
        from unicorn.unicorn_py3.unicorn import uclib

        watch = self._watch
        ram = _address_of(watch.ram)
        self._counter = ctypes.c_void_p(
            self._library.counter_new(
                ctypes.cast(uclib.uc_reg_read, ctypes.c_void_p),
                ctypes.c_int(arm_const.UC_ARM_REG_LR),
                ctypes.c_void_p(_address_of(watch.code)),
                ctypes.c_uint32(watch.code_origin),
                ctypes.c_uint32(len(watch.code)),
                ctypes.c_void_p(ram + watch.layer_offset),
                ctypes.c_uint32(watch.invoke_address),
                ctypes.c_void_p(ram + watch.guard_offset),
                ctypes.c_uint32(watch.guard_bytes),
            )
        )
        # The binding's own hook_add takes Python callables only.
        hook = ctypes.c_size_t()
        status = uclib.uc_hook_add(
            engine._uch,
            ctypes.byref(hook),
            unicorn_const.UC_HOOK_BLOCK,
            ctypes.cast(self._library.counter_hook, ctypes.c_void_p),
            self._counter,
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        if not self._counter or status != unicorn_const.UC_ERR_OK:
            raise CrashError(f"unicorn refused the block hook (status {status}); use --emulator qemu")

    def take(self) -> tuple[BlockArray, int]:
        """See BlockCounter."""
        library, counter = self._library, self._counter
        failed = library.counter_failed(counter)
        if failed:
            raise CrashError(f"counting blocks failed: {FAILURES[failed]}")
        rows = library.counter_capacity(counter)
        memory = (ctypes.c_char * (rows * BLOCK_DTYPE.itemsize)).from_address(library.counter_blocks(counter))
        table = np.frombuffer(memory, BLOCK_DTYPE)
        blocks = table[table["count"] > 0].copy()
        invocations = int(library.counter_invocations(counter))
        library.counter_reset(counter)
        return _ordered(blocks), invocations

    def overrun_layer(self) -> int | None:
        """See BlockCounter."""
        layer = int(self._library.counter_overrun_layer(self._counter))
        return layer if layer != NO_LAYER else None


class PythonBlockCounter:
    """The same in Python: exact, and a hundred times slower."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._blocks: dict[tuple[int, int, int], list[int]] = {}
        self._invocations = 0
        self._overrun: int | None = None
        self._guard_before = b""
        self._last_layer = 0
        self._outside = 0  # value of model_layer outside of model_invoke
        self._return: int | None = None  # None outside of model_invoke
        self._pending = (0, 0)

    def attach(self, engine: Any) -> None:
        """See BlockCounter."""
        from unicorn import arm_const, unicorn_const

        def link() -> int:
            return int(engine.reg_read(arm_const.UC_ARM_REG_LR))

        def hook(_engine: Any, address: int, size: int, _user: object) -> None:
            self._on_block(address, size, link)

        engine.hook_add(unicorn_const.UC_HOOK_BLOCK, hook)

    def take(self) -> tuple[BlockArray, int]:
        """See BlockCounter."""
        blocks = np.array([(*key, *row) for key, row in self._blocks.items()], BLOCK_DTYPE)
        invocations = self._invocations
        self._blocks, self._invocations = {}, 0
        return _ordered(blocks), invocations

    def overrun_layer(self) -> int | None:
        """See BlockCounter."""
        return self._overrun

    def _on_block(self, address: int, size: int, link: Callable[[], int]) -> None:
        if self._return is not None:
            self._count_pending(address)
            if address == self._return:
                self._return = None
                self._invocations += 1
                self._check_guard()
        elif address == self._watch.invoke_address:
            self._return = link() & ~1
            self._outside = self._layer()
            self._last_layer = 0
            self._guard_before = self._guard()
        self._pending = (address, size)

    def _count_pending(self, following: int) -> None:
        watch = self._watch
        layer = self._layer()
        if layer == self._outside:
            layer = self._last_layer
        if layer != self._last_layer:
            self._check_guard()
            self._last_layer = layer
        address, size = self._pending
        row = self._blocks.get((address, size, layer))
        if row is None:
            offset = address - watch.code_origin
            row = self._blocks[(address, size, layer)] = [count_instructions(watch.code[offset : offset + size]), 0, 0]
        row[1] += 1
        row[2] += following != address + size

    def _layer(self) -> int:
        offset = self._watch.layer_offset
        return int.from_bytes(self._watch.ram[offset : offset + 4], "little")

    def _guard(self) -> bytes:
        watch = self._watch
        return bytes(watch.ram[watch.guard_offset : watch.guard_offset + watch.guard_bytes])

    def _check_guard(self) -> None:
        if self._overrun is None and self._guard() != self._guard_before:
            self._overrun = self._last_layer


def _ordered(blocks: BlockArray) -> BlockArray:
    ordered: BlockArray = blocks[np.lexsort((blocks["size"], blocks["address"], blocks["layer"]))]
    return ordered
