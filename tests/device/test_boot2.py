"""The Pico's second boot stage: its CRC, and what it tells the flash before it starts the firmware."""

from __future__ import annotations

import binascii

import pytest

from edgesparse.boards import CORES
from edgesparse.toolchain import Elf, Toolchain, build
from tests.device.conftest import write_toy

FLASH, VECTORS = 0x10000000, 0x10000100
RAM_COPY = 0x20041F00  # where the boot ROM runs it
SSI = 0x18000000
CTRLR0, SSIENR, BAUDR, SR, DR0, RX_SAMPLE_DLY, SPI_CTRLR0 = 0x00, 0x08, 0x14, 0x28, 0x60, 0xF0, 0xF4
TRANSMIT_FIFO_EMPTY = 4


@pytest.fixture(scope="module")
def firmware(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Elf:
    project = write_toy(tmp_path_factory.mktemp("pico") / "firmware", board="rpi-pico")
    return build(project, toolchain, CORES["cortex-m0plus"])


def image(elf: Elf) -> bytes:
    return elf.segments[0].data


def boot_rom_crc(data: bytes) -> int:
    """The ROM's CRC by way of the usual reflected one: all bits mirrored, without its final inversion."""
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)
    return int(f"{binascii.crc32(mirrored) ^ 0xFFFFFFFF:032b}"[::-1], 2)


def test_the_image_starts_with_256_bytes_whose_crc_the_boot_rom_takes(firmware: Elf) -> None:
    assert firmware.segments[0].address == FLASH
    boot2 = image(firmware)[:256]
    assert int.from_bytes(boot2[252:], "little") == boot_rom_crc(boot2[:252])
    assert firmware.symbol("__vectors").address == VECTORS
    assert int.from_bytes(image(firmware)[0x104:0x108], "little") == firmware.entry | 1


class Flash:
    """The SSI with a W25Q16JV behind it: notes what is configured, answers status commands."""

    def __init__(self, quad_enabled: bool) -> None:
        self.registers = dict.fromkeys((CTRLR0, SSIENR, BAUDR, RX_SAMPLE_DLY, SPI_CTRLR0), 0)
        self.status_2 = 2 if quad_enabled else 0
        self.busy_reads = 0
        self.write_enabled = False
        self.commands: list[list[int]] = []
        self.current: list[int] = []
        self.replies: list[int] = []
        self.status_reads = 0

    def write(self, register: int, value: int) -> None:
        if register == DR0:
            assert self.registers[SSIENR] == 1
            self.current.append(value)
            self.replies.append(self._reply())
            return
        if register != SSIENR:
            assert self.registers[SSIENR] == 0, f"register {register:#x} is written while the SSI runs"
        elif value == 0:
            assert not self.current
            self.replies.clear()
        self.registers[register] = value

    def read(self, register: int) -> int:
        if register == SR:
            self.status_reads += 1
            if self.status_reads % 3:  # still sending the first two times
                return TRANSMIT_FIFO_EMPTY | 1 if self.status_reads % 3 == 2 else 1
            self._finish()
            return TRANSMIT_FIFO_EMPTY
        assert register == DR0
        return self.replies.pop(0)

    def _reply(self) -> int:
        if self.current == [0x35, 0x35]:
            return self.status_2
        if self.current == [0x05, 0x05]:
            self.busy_reads += 1
            return 1 if self.busy_reads < 3 else 0
        return 0xFF

    def _finish(self) -> None:
        command, self.current = self.current, []
        if not command:
            return
        self.commands.append(command)
        if command == [0x06]:
            self.write_enabled = True
        if command[0] == 0x01:
            assert self.write_enabled
            self.status_2 = command[2]


def run(elf: Elf, flash: Flash) -> tuple[int, int, int]:
    """Run the second stage as the ROM does; vector table, stack pointer and program counter at its end."""
    import unicorn
    from unicorn import arm_const, unicorn_const

    engine = unicorn.Uc(unicorn_const.UC_ARCH_ARM, unicorn_const.UC_MODE_THUMB)
    engine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M0)
    engine.mem_map(0x20041000, 0x1000)
    engine.mem_map(FLASH, 0x10000)
    engine.mem_map(0xE000E000, 0x1000)
    engine.mem_write(FLASH, image(elf))
    engine.mem_write(RAM_COPY, image(elf)[:256])
    engine.mmio_map(
        SSI,
        0x1000,
        lambda _engine, offset, _size, _user: flash.read(offset),
        None,
        lambda _engine, offset, _size, value, _user: flash.write(offset, value),
        None,
    )
    engine.reg_write(arm_const.UC_ARM_REG_SP, 0x20041F00)
    engine.emu_start(RAM_COPY | 1, elf.entry & ~1, count=100_000)
    table = int.from_bytes(engine.mem_read(0xE000ED08, 4), "little")
    return table, engine.reg_read(arm_const.UC_ARM_REG_SP), engine.reg_read(arm_const.UC_ARM_REG_PC)


@pytest.mark.parametrize("quad_enabled", [True, False])
def test_it_leaves_the_flash_in_continuous_quad_reading_and_starts_the_firmware(
    firmware: Elf, quad_enabled: bool
) -> None:
    flash = Flash(quad_enabled)
    table, stack, pc = run(firmware, flash)
    assert table == VECTORS
    assert stack == firmware.symbol("__stack_top").address
    assert pc == firmware.entry & ~1
    enabling = [[0x06], [0x01, 0x00, 0x02], [0x05, 0x05], [0x05, 0x05], [0x05, 0x05]]
    assert flash.commands == [[0x35, 0x35], *([] if quad_enabled else enabling), [0xEB, 0xA0]]
    assert flash.status_2 == 2
    registers = flash.registers
    assert registers[SSIENR] == 1
    assert registers[BAUDR] == 2
    assert registers[CTRLR0] == 2 << 21 | 31 << 16 | 3 << 8  # four lines, 32-bit frames, command then data
    # Mode bits A0h behind a 24-bit address, 4 dummy clocks, no command byte, all on four lines.
    assert registers[SPI_CTRLR0] == 0xA0 << 24 | 4 << 11 | 0 << 8 | 8 << 2 | 2
