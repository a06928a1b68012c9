"""Estimated instructions of a kernel call: amounts of work times coefficients, which `make calibrate` fits.

The coefficients stand in costs.json, by C function and core. A kernel that is not there yet counts NEW_KERNEL per
amount, until it is calibrated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TypeAlias

from edgesparse.boards import Core

__all__ = ["COSTS_PATH", "Work", "core_column", "estimate", "is_calibrated"]

Work: TypeAlias = Mapping[str, float]
"""How often a call does what: {"passes": 64, "units": 9216}. A kernel's estimate is linear in these."""

COSTS_PATH = Path(__file__).parent / "costs.json"
NEW_KERNEL = 10.0
_MAINLINE = "cortex-m3"


def core_column(core: Core) -> str:
    """The core whose coefficients apply: a Cortex-M0 runs the instructions of an M0+, a Cortex-M55 those of an M33."""
    if core.architecture == "armv6-m":
        return "cortex-m0plus"
    return "cortex-m33" if core.architecture == "armv8-m.main" else core.name


def estimate(core: Core, function: str, work: Work) -> int:
    """Instructions of one call of a C function, such as es_conv_2d_dense_s8_dsp."""
    coefficients = _coefficients_of(core, function)
    return round(sum(amount * coefficients.get(name, NEW_KERNEL) for name, amount in work.items()))


def is_calibrated(core: Core, function: str, work: Work) -> bool:
    """Whether costs.json has all coefficients of this work."""
    return set(work) <= set(_coefficients_of(core, function))


def _coefficients_of(core: Core, function: str) -> Mapping[str, float]:
    """A kernel that was not measured on the core costs what it does on a Cortex-M3."""
    columns = _coefficients().get(function, {})
    return columns.get(core_column(core)) or columns.get(_MAINLINE, {})


@cache
def _coefficients() -> dict[str, dict[str, dict[str, float]]]:
    """C function -> core -> name of the amount -> instructions."""
    if not COSTS_PATH.is_file():
        return {}
    table = json.loads(COSTS_PATH.read_text(encoding="utf-8"))["kernels"]
    return {kernel: {core: dict(fit["instructions"]) for core, fit in cores.items()} for kernel, cores in table.items()}
