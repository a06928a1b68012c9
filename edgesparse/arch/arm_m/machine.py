"""What an emulator must know of a Cortex-M: unicorn's names of the cores, registers, exceptions, semihosting."""

from __future__ import annotations

__all__ = [
    "APPLICATION_EXIT",
    "BKPT_SEMIHOSTING",
    "CPU_MODELS",
    "EXCEPTIONS",
    "EXCEPTION_BREAKPOINT",
    "EXCEPTION_DATA_ABORT",
    "NO_FILE",
    "SYSTEM_REGISTERS",
    "SYS_EXIT",
    "SYS_EXIT_EXTENDED",
    "SYS_OPEN",
    "SYS_READ",
    "SYS_WRITE0",
    "SYS_WRITEC",
    "THUMB",
]

# Plain memory here, time comes from the block counter: the DWT, and SysTick, SCB and others.
SYSTEM_REGISTERS = ((0xE0001000, 0x1000), (0xE000E000, 0x1000))

# Semihosting (Arm IHI 0065): operations that the harness may ask for.
BKPT_SEMIHOSTING = b"\xab\xbe"
SYS_OPEN, SYS_READ = 0x01, 0x06
SYS_WRITEC, SYS_WRITE0, SYS_EXIT, SYS_EXIT_EXTENDED = 0x03, 0x04, 0x18, 0x20
NO_FILE = 0xFFFFFFFF
APPLICATION_EXIT = 0x20026

# By core: names in unicorn.arm_const.
CPU_MODELS = {
    "cortex-m0": "UC_CPU_ARM_CORTEX_M0",
    "cortex-m0plus": "UC_CPU_ARM_CORTEX_M0",  # the same instructions
    "cortex-m3": "UC_CPU_ARM_CORTEX_M3",
    "cortex-m4": "UC_CPU_ARM_CORTEX_M4",
    "cortex-m7": "UC_CPU_ARM_CORTEX_M7",
    "cortex-m33": "UC_CPU_ARM_CORTEX_M33",
}

# Exception numbers that unicorn's interrupt hook gets (QEMU's target/arm/cpu.h).
EXCEPTIONS = {
    1: "undefined instruction",
    2: "supervisor call",
    3: "instruction fetch from a bad address",
    4: "access to a bad address",
    7: "breakpoint",
    17: "no coprocessor",
    18: "invalid state",
    19: "stack overflow",
    22: "unaligned access",
}
EXCEPTION_DATA_ABORT = 4
EXCEPTION_BREAKPOINT = 7
THUMB = 1 << 5  # of CPSR
