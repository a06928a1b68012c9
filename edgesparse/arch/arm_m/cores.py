"""The Cortex-M cores: what the compiler, the lowering and the emulator must know of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CORES", "Core"]


@dataclass(frozen=True)
class Core:
    """A processor core.

    `kernels`: the variants (variants.VARIANTS) that it runs, the fastest first. "dsp" needs the SIMD instructions of
    Armv7E-M (SMLAD, SXTB16, ...), which Armv8-M may have too.
    `fpu`: the floating-point extension that code may use, single precision only, or None.
    """

    name: str
    kernels: tuple[str, ...]
    architecture: Literal["armv6-m", "armv7-m", "armv8-m.main"]
    fpu: Literal["fpv4-sp", "fpv5-sp"] | None
    gcc_flags: tuple[str, ...]
    zig_target: str
    zig_cpu: str
    qemu_cpu: str


CORES: dict[str, Core] = {
    core.name: core
    for core in (
        Core(
            name="cortex-m0",
            kernels=("portable",),
            architecture="armv6-m",
            fpu=None,
            gcc_flags=("-mcpu=cortex-m0", "-mthumb", "-mfloat-abi=soft"),
            zig_target="thumb-freestanding-eabi",
            zig_cpu="cortex_m0",
            qemu_cpu="cortex-m0",
        ),
        Core(
            name="cortex-m0plus",
            kernels=("portable",),
            architecture="armv6-m",
            fpu=None,
            gcc_flags=("-mcpu=cortex-m0plus", "-mthumb", "-mfloat-abi=soft"),
            zig_target="thumb-freestanding-eabi",
            zig_cpu="cortex_m0plus",
            qemu_cpu="cortex-m0",
        ),
        Core(
            name="cortex-m3",
            kernels=("portable",),
            architecture="armv7-m",
            fpu=None,
            gcc_flags=("-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft"),
            zig_target="thumb-freestanding-eabi",
            zig_cpu="cortex_m3",
            qemu_cpu="cortex-m3",
        ),
        Core(
            name="cortex-m4",
            kernels=("dsp", "portable"),
            architecture="armv7-m",
            fpu="fpv4-sp",
            gcc_flags=("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
            zig_target="thumb-freestanding-eabihf",
            zig_cpu="cortex_m4+vfp4d16sp",
            qemu_cpu="cortex-m4",
        ),
        Core(
            name="cortex-m7",
            kernels=("dsp", "portable"),
            architecture="armv7-m",
            fpu="fpv5-sp",
            gcc_flags=("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
            zig_target="thumb-freestanding-eabihf",
            zig_cpu="cortex_m7+fp_armv8d16sp",
            qemu_cpu="cortex-m7",
        ),
        Core(
            name="cortex-m33",
            kernels=("dsp", "portable"),
            architecture="armv8-m.main",
            fpu="fpv5-sp",
            gcc_flags=("-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
            zig_target="thumb-freestanding-eabihf",
            zig_cpu="cortex_m33+dsp+fp_armv8d16sp",
            qemu_cpu="cortex-m33",
        ),
        # Armv8-M code with DSP instructions: no kernel uses MVE or the loop instructions of Armv8.1-M yet.
        Core(
            name="cortex-m55",
            kernels=("dsp", "portable"),
            architecture="armv8-m.main",
            fpu="fpv5-sp",
            gcc_flags=(
                "-march=armv8-m.main+dsp+fp",
                "-mtune=cortex-m55",
                "-mthumb",
                "-mfloat-abi=hard",
                "-mfpu=fpv5-sp-d16",
            ),
            zig_target="thumb-freestanding-eabihf",
            zig_cpu="cortex_m33+dsp+fp_armv8d16sp",
            qemu_cpu="cortex-m55",
        ),
    )
}
