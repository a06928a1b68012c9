"""Kernel variants: the ways in which the same kernel is written, for cores that can do more."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PORTABLE", "VARIANTS", "Variant", "function_name"]

PORTABLE = "portable"
"""The variant that every core runs and every kernel but a few has: plain C."""


@dataclass(frozen=True)
class Variant:
    """One way of writing kernels. Its files are in kernels/<name>/, and their names end in _<name> but for PORTABLE.

    `number`: byte 2 of the custom options (FORMAT.md). `instructions`: what a core must have, in words; `cores`: which
    ones have it; `macro`: what a compiler defines for them. "" where nothing is needed. `devices`: the same cores as
    attributes of a CMSIS-Pack's <accept>.
    """

    name: str
    number: int
    instructions: str = ""
    cores: str = ""
    macro: str = ""
    devices: tuple[tuple[tuple[str, str], ...], ...] = ()


def _devices(*names: str, optional: tuple[str, ...] = ()) -> tuple[tuple[tuple[str, str], ...], ...]:
    """`optional`: cores that may be built without the DSP extension."""
    return tuple((("Dcore", name), ("Ddsp", "DSP")) if name in optional else (("Dcore", name),) for name in names)


_MAINLINE = ("Cortex-M4", "Cortex-M7", "Cortex-M33", "Cortex-M35P", "Cortex-M55", "Cortex-M85")

VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant(PORTABLE, 0, devices=_devices("Cortex-M0", "Cortex-M0+", "Cortex-M23", "Cortex-M3", *_MAINLINE)),
        Variant(
            "dsp",
            1,
            instructions="DSP instructions",
            cores="Cortex-M4, M7, M33 (where it has them), M55 and M85",
            macro="__ARM_FEATURE_DSP",
            devices=_devices(*_MAINLINE, optional=("Cortex-M33", "Cortex-M35P")),
        ),
    )
}
"""All variants. Which of them a core runs, and in which order they are tried: boards.Core.kernels."""


def function_name(kernel: str, variant: str) -> str:
    """The C function, and the stem of its file: es_mul_s8 is es_mul_s8_dsp in the variant dsp."""
    return kernel if variant == PORTABLE else f"{kernel}_{variant}"
