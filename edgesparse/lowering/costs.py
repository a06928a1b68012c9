"""Estimated instructions of a kernel call: amounts of work times coefficients, which `make calibrate` fits.

The coefficients stand in costs.json, by kernel and core. A kernel that is not there yet counts NEW_KERNEL per
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


def core_column(core: Core) -> str:
    """The core whose coefficients apply.

    A Cortex-M0 runs the instructions of an M0+, a Cortex-M55 those of an M33, and portable kernels cost on every
    mainline core what they cost on a Cortex-M3.
    """
    if core.architecture == "armv6-m":
        return "cortex-m0plus"
    if not core.has_dsp:
        return "cortex-m3"
    return "cortex-m33" if core.architecture == "armv8-m.main" else core.name


def estimate(core: Core, kernel: str, work: Work) -> int:
    """Instructions of one call of `kernel`, such as es_conv_2d_dense_s8."""
    coefficients = _coefficients().get(kernel, {}).get(core_column(core), {})
    return round(sum(amount * coefficients.get(name, NEW_KERNEL) for name, amount in work.items()))


def is_calibrated(core: Core, kernel: str, work: Work) -> bool:
    """Whether costs.json has all coefficients of this work."""
    return set(work) <= set(_coefficients().get(kernel, {}).get(core_column(core), {}))


@cache
def _coefficients() -> dict[str, dict[str, dict[str, float]]]:
    """kernel -> core -> name of the amount -> instructions."""
    if not COSTS_PATH.is_file():
        return {}
    table = json.loads(COSTS_PATH.read_text(encoding="utf-8"))["kernels"]
    return {kernel: {core: dict(fit["instructions"]) for core, fit in cores.items()} for kernel, cores in table.items()}
