"""Run a firmware in unicorn: exact instruction counts per layer, and faults told with their layer."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import mmap
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.arch.arm_m.machine import (
    APPLICATION_EXIT,
    BKPT_SEMIHOSTING,
    CPU_MODELS,
    EXCEPTION_BREAKPOINT,
    EXCEPTION_DATA_ABORT,
    EXCEPTIONS,
    NO_FILE,
    SYS_EXIT,
    SYS_EXIT_EXTENDED,
    SYS_OPEN,
    SYS_READ,
    SYS_WRITE0,
    SYS_WRITEC,
    SYSTEM_REGISTERS,
    THUMB,
)
from edgesparse.arch.arm_m.timing.cycles import BlockCosts, estimate_cycles
from edgesparse.arch.arm_m.timing.model import CoreTiming, MemoryProfile, Region, core_timing
from edgesparse.arch.arm_m.timing.replay import SOURCE, CReplay, Timing
from edgesparse.boards import Board
from edgesparse.emulate.blocks import (
    BlockArray,
    BlockCounter,
    CBlockCounter,
    PythonBlockCounter,
    Watch,
)
from edgesparse.emulate.host_c import host_library
from edgesparse.emulate.profile import Profile, make_profile
from edgesparse.emulate.samples import SAMPLES_NAME, sample_file
from edgesparse.emulate.trace import LOST_STACK, Fault, Trace, describe_fault, describe_layer, layers_of, parse_console
from edgesparse.errors import CrashError, SettingsError, ToolMissingError
from edgesparse.system.memory import need_address_space
from edgesparse.toolchain.elf import Elf

__all__ = ["GET_UNICORN", "Unicorn", "check_core", "unicorn_version"]

GET_UNICORN = "pip install 'edgesparse[device]' (brings the package unicorn)"

PAGE_BYTES = 4096
LONGEST_BLOCK_BYTES = 2048
TRANSLATOR_BYTES = (1 << 30) + (16 << 20)
"""What unicorn reserves for translated code, and some for itself: without it, it ends the process."""

SAMPLES_FILE = 1


def unicorn_version() -> str | None:
    """The installed version of the package unicorn; None without it."""
    if importlib.util.find_spec("unicorn") is None:
        return None
    return importlib.metadata.version("unicorn")


@dataclass(frozen=True)
class Unicorn:
    """The unicorn engine. `python_counter`: count in Python even where a host compiler is installed."""

    name: str = "unicorn"
    python_counter: bool = False

    def run(
        self,
        elf: Elf,
        board: Board,
        *,
        timeout_s: float,
        layer_names: Sequence[str] = (),
        samples: npt.NDArray[Any] | None = None,
    ) -> Trace:
        """See Emulator."""
        version = unicorn_version()
        if version is None:
            raise ToolMissingError(f"the Python package unicorn is not installed; {GET_UNICORN}")
        machine = _Machine(elf, board, self.python_counter, samples=samples)
        machine.run(timeout_s, layer_names)
        fault = machine.fault
        if fault is not None:
            fault = _locate(fault, elf, board, timeout_s)
        elif not self.python_counter and samples is None:
            fault = _unaligned(elf, board, timeout_s)
        if fault is not None:
            layers = layers_of(machine.console)
            raise CrashError(describe_fault(fault, elf, layers=layers, layer_names=layer_names))
        console = parse_console(
            machine.console, elf, layer_names=layer_names, overrun_layer=machine.counter.overrun_layer()
        )
        failed = console.selftest is not None and not console.selftest.outputs_ok
        if machine.exit_code != int(failed) or len(machine.blocks) != console.vectors:
            raise CrashError(
                f"the firmware {elf.path} exited with code {machine.exit_code} after {len(machine.blocks)} of "
                f"{console.vectors} vectors; build it again"
            )
        core = core_timing(board.core.name)
        layer_instructions = np.stack([_per_layer(blocks, console.layers) for blocks in machine.blocks])
        costs: BlockCosts = {}
        layer_cycles = np.stack(
            [estimate_cycles(blocks, machine.read_code, core, console.layers, costs) for blocks in machine.blocks]
        )
        return Trace(
            emulator=f"unicorn {version}",
            outputs=console.outputs,
            instructions=tuple(int(total) for total in layer_instructions.sum(axis=1)),
            layer_instructions=layer_instructions,
            cycles=tuple(int(total) for total in layer_cycles.sum(axis=1)),
            layer_cycles=layer_cycles,
            cycle_model=core.description,
            stack_bytes=console.stack_used_bytes,
            arena_bytes=console.arena_used_bytes,
            arena_needed_bytes=console.arena_needed_bytes,
            selftest=console.selftest,
        )

    def profile(
        self,
        elf: Elf,
        board: Board,
        *,
        vector: int,
        memory: MemoryProfile | None,
        timeout_s: float,
        layer_names: Sequence[str] = (),
        samples: npt.NDArray[Any] | None = None,
    ) -> Profile:
        """Run again up to a test vector and time each of its instructions, on the core alone and with `memory`.

        samples: as in `run`; `vector` is one of them then.
        ToolMissingError without a C compiler for this computer.
        """
        if unicorn_version() is None:
            raise ToolMissingError(f"the Python package unicorn is not installed; {GET_UNICORN}")
        machine = _Machine(elf, board, python_counter=False, samples=samples)
        core = core_timing(board.core.name)
        return machine.profile(vector, core, memory, timeout_s, layer_names)


def check_core(board: Board) -> None:
    """SettingsError for a core that unicorn does not model."""
    if board.core.name not in CPU_MODELS:
        raise SettingsError(
            f"unicorn does not model the core {board.core.name!r} of board {board.name!r}; use --emulator qemu"
        )


def _locate(fault: Fault, elf: Elf, board: Board, timeout_s: float) -> Fault:
    """The fault with its exact pc. Unicorn tells the block only: run again and watch that block's instructions."""
    if fault.address is None or not fault.pc:
        return fault
    machine = _Machine(elf, board, python_counter=False, watched=fault.pc)
    try:
        machine.run(timeout_s, ())
    except CrashError:  # slower than the first run, so it may time out: the block will do
        return fault
    return machine.fault if machine.fault is not None else fault


def _unaligned(elf: Elf, board: Board, timeout_s: float) -> Fault | None:
    """The first access of the first inference that a core would trap and unicorn does not: LDRD and the like."""
    machine = _Machine(elf, board, python_counter=False)
    try:
        replay = machine.replay([], 0)
    except ToolMissingError:
        return None
    try:
        machine.run(timeout_s, ())
    except CrashError:  # slower than the first run, so it may time out
        return None
    found = replay.unaligned()
    return Fault("unaligned access", *found) if found is not None else None


def _per_layer(blocks: BlockArray, layers: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Instructions per layer, [layers]."""
    totals = np.zeros(layers, np.int64)
    np.add.at(totals, blocks["layer"], (blocks["count"] * blocks["instructions"]).astype(np.int64))
    return totals


class _Machine:
    """One run: memories, engine, hooks, and what they gather."""

    def __init__(
        self,
        elf: Elf,
        board: Board,
        python_counter: bool,
        watched: int | None = None,
        samples: npt.NDArray[Any] | None = None,
    ) -> None:
        import unicorn
        from unicorn import arm_const, unicorn_const

        check_core(board)
        self._elf, self._board = elf, board
        self._samples = io.BytesIO(sample_file(samples)) if samples is not None else None
        self._arm, self._const = arm_const, unicorn_const
        self.console = ""
        self.exit_code: int | None = None
        self.blocks: list[BlockArray] = []
        self.fault: Fault | None = None
        self._flash = mmap.mmap(-1, _pages(board.flash.length))
        self._ram = mmap.mmap(-1, _pages(board.ram.length))
        self._bad_address: int | None = None
        self._watched_pc: int | None = None
        self._stops_early = False
        self._timed_out = False

        # UC_MODE_MCLASS would ignore the model and always take the M33.
        need_address_space(TRANSLATOR_BYTES, "the emulator", ", or give --emulator qemu")
        engine = unicorn.Uc(unicorn_const.UC_ARCH_ARM, unicorn_const.UC_MODE_THUMB)
        engine.ctl_set_cpu_model(getattr(arm_const, CPU_MODELS[board.core.name]))
        self._engine = engine
        self._map(board.flash.origin, self._flash, unicorn_const.UC_PROT_READ | unicorn_const.UC_PROT_EXEC)
        self._map(board.ram.origin, self._ram, unicorn_const.UC_PROT_READ | unicorn_const.UC_PROT_WRITE)
        for origin, length in (*SYSTEM_REGISTERS, *((part.origin, _pages(part.length)) for part in board.registers)):
            engine.mem_map(origin, length)
        for segment in elf.segments:
            offset = segment.address - board.flash.origin
            if offset < 0 or offset + len(segment.data) > board.flash.length:
                raise CrashError(f"{elf.path}: {len(segment.data)} bytes at {segment.address:#x} lie outside the flash")
            self._flash[offset : offset + len(segment.data)] = segment.data

        self.counter: BlockCounter = self._make_counter(python_counter)
        self.counter.attach(engine)
        engine.hook_add(unicorn_const.UC_HOOK_INTR, self._on_interrupt)
        engine.hook_add(
            unicorn_const.UC_HOOK_MEM_INVALID, lambda _e, _access, address, _size, _value, _u: self._on_bad(address)
        )
        if watched is not None:
            engine.hook_add(
                unicorn_const.UC_HOOK_CODE,
                lambda _e, address, _size, _u: self._on_watched(address),
                begin=watched,
                end=watched + LONGEST_BLOCK_BYTES,
            )

    def read_code(self, address: int, size: int) -> bytes:
        """Bytes of the flash."""
        offset = address - self._board.flash.origin
        return self._flash[offset : offset + size]

    def run(self, timeout_s: float, layer_names: Sequence[str]) -> None:
        """Run to the firmware's exit or to a fault, which is in `fault`; CrashError after `timeout_s`."""
        vectors = self._elf.symbol("__vectors").address - self._board.flash.origin
        stack, reset = (int.from_bytes(self._flash[i : i + 4], "little") for i in (vectors, vectors + 4))
        self._engine.reg_write(self._arm.UC_ARM_REG_SP, stack)
        failure: list[BaseException] = []
        done = threading.Event()  # not Thread.join: an interrupt inside it leaves the thread looking dead

        # In a thread of its own, so that a timeout and Ctrl-C can stop it.
        def emulate() -> None:
            try:
                self._emulate(reset)
            except BaseException as error:  # raised again in the calling thread
                failure.append(error)
            finally:
                done.set()

        threading.Thread(target=emulate, name="unicorn", daemon=True).start()
        try:
            timed_out = self._timed_out = not done.wait(timeout_s)
        finally:
            while not done.is_set():  # a stop before the start has no effect: repeat
                self._engine.emu_stop()
                done.wait(0.05)
        if failure:
            raise failure[0]
        if timed_out:
            pc = self._engine.reg_read(self._arm.UC_ARM_REG_PC)
            raise CrashError(
                f"the firmware did not finish in {timeout_s:g} s: it was "
                f"{describe_layer(self._layer(), layers_of(self.console), layer_names)} at pc={pc:#010x} "
                f"({self._elf.describe(pc)}); give it more time, or report {self._elf.path}"
            )

    def profile(
        self, vector: int, core: CoreTiming, memory: MemoryProfile | None, timeout_s: float, layer_names: Sequence[str]
    ) -> Profile:
        """Time one call of model_invoke."""
        board = self._board
        regions = (
            Region(board.flash.origin, board.flash.length, "flash"),
            Region(board.ram.origin, board.ram.length, "ram"),
        )
        timings = [Timing(core, None, regions), *([Timing(core, memory, regions)] if memory is not None else [])]
        replay = self.replay(timings, vector)
        self.run(timeout_s, layer_names)
        layers = layers_of(self.console)
        counts = replay.per_layer(layers if layers is not None else 0)
        return make_profile(vector, core, memory, replay.instructions, counts, layer_names, self._elf)

    def replay(self, timings: Sequence[Timing], vector: int) -> CReplay:
        """Watch the inference of one vector, and stop behind it."""
        import ctypes

        board = self._board
        offset = self._elf.symbol("__model_layer").address - board.ram.origin
        replay = CReplay(
            host_library(SOURCE),
            core_timing(board.core.name),
            timings,
            code_origin=board.flash.origin,
            code_length=board.flash.length,
            read_code=self.read_code,
            layer_address=ctypes.addressof(ctypes.c_char.from_buffer(self._ram, offset)),
        )
        replay.attach(self._engine)
        replay.watch(self._elf.symbol("__model_invoke").address, vector)
        self._stops_early = True
        return replay

    def _map(self, origin: int, memory: mmap.mmap, protection: int) -> None:
        import ctypes

        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        self._engine.mem_map_ptr(origin, len(memory), protection, ctypes.c_void_p(address))

    def _make_counter(self, python_counter: bool) -> BlockCounter:
        elf, board = self._elf, self._board
        guard, guard_end = elf.symbol("__arena_end").address, elf.symbol("__guard_end").address
        watch = Watch(
            code=self._flash,
            code_origin=board.flash.origin,
            ram=self._ram,
            layer_offset=elf.symbol("__model_layer").address - board.ram.origin,
            guard_offset=guard - board.ram.origin,
            guard_bytes=guard_end - guard,
            invoke_address=elf.symbol("__model_invoke").address,
        )
        library = None if python_counter else host_library(Path(__file__).parent / "block_counter.c")
        return CBlockCounter(library, watch) if library is not None else PythonBlockCounter(watch)

    def _layer(self) -> int:
        offset = self._elf.symbol("__model_layer").address - self._board.ram.origin
        return int.from_bytes(self._ram[offset : offset + 4], "little")

    def _emulate(self, reset: int) -> None:
        from unicorn import UcError

        try:
            self._engine.emu_start(reset | 1, 0xFFFFFFFE)
            if self.exit_code is None and self.fault is None and not self._stops_early and not self._timed_out:
                self.fault = self._fault("sleep that nothing ends (WFI or WFE)")
        except UcError as error:
            if self.fault is None:
                invalid = error.errno == self._const.UC_ERR_INSN_INVALID
                self.fault = self._fault("undefined instruction" if invalid else str(error))

    def _on_bad(self, address: int) -> bool:
        self._bad_address = address
        return False

    def _on_watched(self, address: int) -> None:
        self._watched_pc = address

    def _fault(self, kind: str) -> Fault:
        pc = self._engine.reg_read(self._arm.UC_ARM_REG_PC)
        if kind == "undefined instruction" and not self._engine.reg_read(self._arm.UC_ARM_REG_CPSR) & THUMB:
            kind = "invalid state"  # a branch to an address without the Thumb bit
        if self._watched_pc is not None:
            pc = self._watched_pc
        sp = self._engine.reg_read(self._arm.UC_ARM_REG_SP)
        address = self._bad_address
        if address is not None:
            fetch = address & ~1 == pc & ~1
            kind = "instruction fetch from a bad address" if fetch else "access to a bad address"
            bottom = self._elf.symbol("__stack_bottom").address
            if sp < bottom or bottom - PAGE_BYTES <= address < bottom:
                kind = "stack overflow"
            elif sp > self._elf.symbol("__stack_top").address:
                kind = LOST_STACK
        caller = self._engine.reg_read(self._arm.UC_ARM_REG_LR) & ~1 if not self._in_code(pc) else None
        return Fault(kind=kind, pc=pc, address=address, layer=self._layer(), caller=caller)

    def _in_code(self, address: int) -> bool:
        return any(start <= address < start + len(code) for start, code in self._elf.code)

    def _on_interrupt(self, engine: Any, number: int, _user: object) -> None:
        pc = engine.reg_read(self._arm.UC_ARM_REG_PC)
        if number != EXCEPTION_BREAKPOINT or self.read_code(pc, 2) != BKPT_SEMIHOSTING:
            kind = EXCEPTIONS.get(number, f"exception {number}")
            if number == EXCEPTION_DATA_ABORT and self._bad_address is None:
                kind = "unaligned access"  # the address is mapped
            self.fault = self._fault(kind)
            engine.emu_stop()
            return
        operation = engine.reg_read(self._arm.UC_ARM_REG_R0)
        argument = engine.reg_read(self._arm.UC_ARM_REG_R1)
        engine.reg_write(self._arm.UC_ARM_REG_PC, (pc + 2) | 1)
        self._semihosting(operation, argument)

    def _semihosting(self, operation: int, argument: int) -> None:
        layers = layers_of(self.console)
        if layers is not None and self._layer() < layers and not self._is_report(operation, argument):
            self.fault = self._fault(f"semihosting operation {operation:#x} inside the model")
            self._engine.emu_stop()
        elif operation == SYS_WRITE0:
            self._print(self._read_string(argument))
        elif operation == SYS_WRITEC:
            self._print(bytes(self._engine.mem_read(argument, 1)))
        elif operation == SYS_EXIT_EXTENDED:
            reason, code = self._read_words(argument, 2)
            self._exit(code if reason == APPLICATION_EXIT else 1)
        elif operation == SYS_EXIT:
            self._exit(0 if argument == APPLICATION_EXIT else 1)
        elif operation == SYS_OPEN:
            self._engine.reg_write(self._arm.UC_ARM_REG_R0, self._open(*self._read_words(argument, 3)))
        elif operation == SYS_READ and self._samples is not None:
            _, to, count = self._read_words(argument, 3)
            data = self._samples.read(count)
            self._engine.mem_write(to, data)
            self._engine.reg_write(self._arm.UC_ARM_REG_R0, count - len(data))
        else:
            raise CrashError(
                f"the firmware asked for semihosting operation {operation:#x}, which the harness never does"
            )

    def _is_report(self, operation: int, argument: int) -> bool:
        """Whether a call is about a line of the protocol: the harness may give up inside the model, and says why."""
        before, _, current = self.console.rpartition("\n")
        if operation == SYS_WRITE0:
            line = (current + self._read_string(argument).decode("ascii", errors="replace")).lstrip("\n")
            return line.startswith("es ") or not line
        if operation in (SYS_EXIT, SYS_EXIT_EXTENDED):
            last = before.rpartition("\n")[2]
            return last.startswith("es ") and not last.startswith(("es begin", "es vector", "es arena"))
        return False

    def _exit(self, code: int) -> None:
        self.exit_code = code
        self._engine.emu_stop()

    def _print(self, text: bytes) -> None:
        before = len(self.console)
        self.console += text.decode("ascii", errors="replace")
        # A vector's line ends after its one model_invoke: take what was counted.
        if text.endswith(b"\n") and self.console.rpartition("\n")[0].rpartition("\n")[2].startswith("es vector "):
            blocks, invocations = self.counter.take()
            if invocations != 1:
                raise CrashError(f"the harness ran the model {invocations} times for one vector, expected once")
            self.blocks.append(blocks)
        elif before == 0:
            self.counter.take()

    def _open(self, name: int, _mode: int, length: int) -> int:
        """A handle where the host has the file of samples."""
        wanted = bytes(self._engine.mem_read(name, length)) == SAMPLES_NAME.encode()
        return SAMPLES_FILE if wanted and self._samples is not None else NO_FILE

    def _read_words(self, address: int, count: int) -> list[int]:
        data = bytes(self._engine.mem_read(address, 4 * count))
        return [int.from_bytes(data[i : i + 4], "little") for i in range(0, 4 * count, 4)]

    def _read_string(self, address: int) -> bytes:
        text = b""
        while b"\0" not in text:
            # Page by page: the next one may not be mapped.
            text += bytes(self._engine.mem_read(address, PAGE_BYTES - address % PAGE_BYTES))
            address += PAGE_BYTES - address % PAGE_BYTES
        return text.split(b"\0", 1)[0]


def _pages(length: int) -> int:
    return -(-length // PAGE_BYTES) * PAGE_BYTES
