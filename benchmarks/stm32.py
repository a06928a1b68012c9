"""Enough of an STM32 to run a published MLPerf Tiny image: memories, clocks that are ready at once, a serial port.

The image speaks the benchmark's own serial protocol. `infer N 0%` runs the network N times between two lines
`m-lap-us`; what lies between them is timed. Interrupts (the tick, the serial port) are called as functions, and never
meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgesparse.arch.arm_m.timing.model import CoreTiming, Region
from edgesparse.arch.arm_m.timing.replay import SOURCE, CReplay, Timing
from edgesparse.emulate.host_c import host_library
from edgesparse.errors import CrashError

__all__ = ["FLASH", "PARTS", "Part", "Stm32"]

FLASH, FLASH_BYTES = 0x0800_0000, 0x20_0000
SLICE = 100_000  # instructions between two looks at interrupts
SLICES_MAX = 20_000
RETURN = 0x10FF_0000  # where handlers return to: a page that is mapped and holds nothing
ALIAS = 0x1000_0000  # secure and non-secure addresses of a peripheral differ by this bit
PERIPHERALS, SYSTEM = (0x4000_0000, 0x2000_0000), (0xE000_0000, 0x10_0000)
MEMORIES = (
    (0x0000_0000, 0x1_0000),  # instruction TCM
    (0x0020_0000, FLASH_BYTES),  # the flash again, on a Cortex-M7
    (FLASH, FLASH_BYTES),
    (0x08FF_F000, 0x1000),
    (0x0A00_0000, 0x10_0000),
    (0x0BF9_0000, 0x1_0000),
    (0x1000_0000, 0x4_0000),
    (RETURN, 0x1000),
    (0x1FF0_F000, 0x1000),
    (0x1FFF_0000, 0x1_0000),
    (0x2000_0000, 0x30_0000),
    (0x2400_0000, 0x20_0000),
    (0x2800_0000, 0x4_0000),
    (0x3000_0000, 0x8_0000),
    (0x3800_0000, 0x1_0000),
)
SERIAL_PORTS = (
    *(0x4001_3800, 0x4001_1000, 0x4001_1400, 0x4000_4400, 0x4000_4800),
    *(0x4000_4C00, 0x4000_5000, 0x4000_8000, 0x4600_2400),
)
STATUS, RECEIVED, TO_SEND = 0x1C, 0x24, 0x28
RECEIVED_ONE, SENT_ALL = 0x20, 0x60_00C0
TIMERS = (0x4000_0024, 0x4000_0424, 0x4000_0C24)
SYSTICK_VALUE, SYSTICK_EXCEPTION, NVIC_ENABLE, NVIC_BYTES, VECTOR_TABLE = (
    0xE000_E018,
    15,
    0xE000_E100,
    0x40,
    0xE000_ED08,
)
IT_BITS = 0x0600_FC00  # of XPSR


@dataclass(frozen=True)
class Part:
    """What differs from part to part. Clocks: (register, bits (on, ready)); switch: (register, width of its field)."""

    core: str
    clocks: tuple[int, tuple[tuple[int, int], ...]]
    switch: tuple[int, int]
    regions: tuple[Region, ...]


_PLLS = ((16, 17), (24, 25), (26, 27), (28, 29))
_FLASH = Region(FLASH, FLASH_BYTES, "flash")

PARTS = {
    "stm32l4r5": Part("cortex-m4", (0x4002_1000, ((0, 1), (8, 10), *_PLLS)), (0x4002_1008, 2), (_FLASH,)),
    "stm32g0b1": Part("cortex-m0plus", (0x4002_1000, ((8, 10), *_PLLS)), (0x4002_1008, 3), (_FLASH,)),
    "stm32u575": Part(
        "cortex-m33",
        (0x4602_0C00, ((0, 2), (4, 5), (8, 10), (12, 13), *_PLLS)),
        (0x4602_0C1C, 2),
        (_FLASH,),
    ),
    "stm32h7a3": Part("cortex-m7", (0x4802_4400, ((0, 2), (7, 8), (12, 13), *_PLLS)), (0x4802_4410, 3), (_FLASH,)),
    "stm32f746": Part(
        "cortex-m7",
        (0x4002_3800, ((0, 1), *_PLLS)),
        (0x4002_3808, 2),
        (_FLASH, Region(0x0020_0000, FLASH_BYTES, "flash")),
    ),
}

READY = {0x4602_080C: 0xC000, 0x4802_4804: 0x2000, 0x4802_4818: 0x2000, 0x4000_7004: 0x3_4000}
"""Bits of power registers that are always set."""
SUPPLY_STATUS, SUPPLY_CONTROL, VOLTAGE = 0x4602_083C, 0x4602_0808, 0x4602_080C


class Stm32:
    """A part with an image in its flash, booted up to its prompt. CrashError where it does not get there."""

    def __init__(self, part: Part, image: bytes, core: CoreTiming, timings: Sequence[Timing]) -> None:
        import unicorn
        from unicorn import arm_const, unicorn_const

        models = {
            "cortex-m0plus": arm_const.UC_CPU_ARM_CORTEX_M0,
            "cortex-m4": arm_const.UC_CPU_ARM_CORTEX_M4,
            "cortex-m7": arm_const.UC_CPU_ARM_CORTEX_M7,
            "cortex-m33": arm_const.UC_CPU_ARM_CORTEX_M33,
        }
        self._part, self._arm = part, arm_const
        self._engine: Any = unicorn.Uc(unicorn_const.UC_ARCH_ARM, unicorn_const.UC_MODE_THUMB)
        self._engine.ctl_set_cpu_model(models[part.core])
        for origin, length in MEMORIES:
            self._engine.mem_map(origin, length)
        self._engine.mem_write(FLASH, image)
        self._engine.mem_write(0x0020_0000, image)
        for origin, length in (PERIPHERALS, SYSTEM):
            self._engine.mmio_map(origin, length, *self._callbacks(origin))
        self._registers: dict[int, int] = {}
        self._polled, self._polls = -1, 0
        self._received = bytearray()
        self._interrupts: set[int] = set()
        self._vectors = FLASH
        self._microseconds = 0
        self._laps = -1  # lines m-lap-us since the command `infer`; -1: none was given
        self.output = ""
        self._replay = CReplay(
            host_library(SOURCE),
            core,
            timings,
            code_origin=FLASH,
            code_length=FLASH_BYTES,
            read_code=lambda address, size: image[address - FLASH : address - FLASH + size],
        )
        self._replay.attach(self._engine)
        self._engine.reg_write(arm_const.UC_ARM_REG_SP, int.from_bytes(image[:4], "little"))
        self._pc = int.from_bytes(image[4:8], "little")
        self._run(lambda: "m-ready\r\n" in self.output)

    def infer(self, times: int) -> tuple[int, list[int]]:
        """Instructions, and cycles by timing, of a command that runs the network some times."""
        ready = self.output.count("m-ready\r\n")
        self._received += f"infer {times} 0%".encode()
        self._laps = 0
        self._run(lambda: self.output.count("m-ready\r\n") > ready)
        self._laps = -1
        counts = self._replay.take()
        return int(counts["executed"].sum()), [int(cycles) for cycles in counts["cycles"].sum(axis=0)]

    def _callbacks(self, origin: int) -> tuple[Any, ...]:
        return (
            lambda _e, offset, _size, _u: self._read(origin + offset),
            None,
            lambda _e, offset, _size, value, _u: self._write(origin + offset, value),
            None,
        )

    def _run(self, done: Callable[[], bool]) -> None:
        from unicorn import UcError

        for _ in range(SLICES_MAX):
            try:
                self._engine.emu_start(self._pc | 1, 0xFFFF_FFFE, count=SLICE)
            except UcError as error:
                raise CrashError(f"the image stopped at {self._program_counter():#010x}: {error}") from error
            self._pc = self._program_counter()
            if done():
                return
            timed = self._laps > 0
            if not timed and not self._engine.reg_read(self._arm.UC_ARM_REG_XPSR) & IT_BITS:
                self._interrupt(SYSTICK_EXCEPTION)
                for number in sorted(self._interrupts):
                    if self._received:
                        self._interrupt(16 + number)
        raise CrashError(f"the image is busy at {self._pc:#010x} and printed {self.output[-60:]!r}")

    def _program_counter(self) -> int:
        return int(self._engine.reg_read(self._arm.UC_ARM_REG_PC))

    def _interrupt(self, exception: int) -> None:
        """Call a handler, then take everything back but memory."""
        engine, arm = self._engine, self._arm
        before = engine.context_save()
        handler = int.from_bytes(engine.mem_read(self._vectors + 4 * exception, 4), "little")
        engine.reg_write(arm.UC_ARM_REG_LR, RETURN | 1)
        engine.reg_write(arm.UC_ARM_REG_SP, (engine.reg_read(arm.UC_ARM_REG_SP) - 64) & ~7)
        engine.emu_start(handler | 1, RETURN)
        engine.context_restore(before)

    def _read(self, address: int) -> int:
        plain = address & ~ALIAS if address < SYSTEM[0] else address
        port = next((plain - base for base in SERIAL_PORTS if 0 <= plain - base < 0x30), None)
        if port == STATUS:
            return SENT_ALL | (RECEIVED_ONE if self._received else 0)
        if port == RECEIVED:
            return self._received.pop(0) if self._received else 0
        if plain in TIMERS or plain == SYSTICK_VALUE:
            self._microseconds += 10
            return self._microseconds if plain in TIMERS else 0xFFFF - self._microseconds % 0xFFFF
        value = self._registers.get(plain, 0)
        clocks, (switch, width) = self._part.clocks, self._part.switch
        if plain == clocks[0]:
            for on, ready in clocks[1]:
                value = value & ~(1 << ready) | (value >> on & 1) << ready
            return value
        if plain == switch:
            mask = (1 << width) - 1
            return value & ~(mask << width) | (value & mask) << width
        if plain == SUPPLY_STATUS:
            follows = self._registers.get(VOLTAGE, 0) & 0x3_0000 | self._registers.get(SUPPLY_CONTROL, 0) & 2
            return 0x8000 | follows
        return READY[plain] | value if plain in READY else self._polled_value(plain, value)

    def _polled_value(self, address: int, value: int) -> int:
        """Firmware that reads the same register over and over waits for a bit to change: try what it may be."""
        self._polls = self._polls + 1 if address == self._polled else 0
        self._polled = address
        if self._polls <= 20:
            return value
        guesses = (value, value | value << 1, 0xFFFF_FFFF, 0, value | value << 1 | value << 2)
        return guesses[self._polls % len(guesses)] & 0xFFFF_FFFF

    def _write(self, address: int, value: int) -> None:
        plain = address & ~ALIAS if address < SYSTEM[0] else address
        self._polled = -1
        if any(plain - base == TO_SEND for base in SERIAL_PORTS):
            self._print(chr(value & 0xFF))
        elif 0 <= plain - NVIC_ENABLE < NVIC_BYTES:
            self._interrupts |= {(plain - NVIC_ENABLE) * 8 + bit for bit in range(32) if value >> bit & 1}
        elif plain == VECTOR_TABLE:
            self._vectors = value
        else:
            self._registers[plain] = value

    def _print(self, character: str) -> None:
        """Time what runs from the end of the first m-lap-us line to the first character of the next line."""
        self.output += character
        if self._laps == 0 and self.output.endswith("\n") and "m-lap-us" in self.output.rsplit("\n", 2)[-2]:
            self._laps = 1
            self._replay.activate(True)
        elif self._laps == 1:
            self._laps = 2
            self._replay.activate(False)
