"""Which C kernels are written, in which variants, and which of them a layer takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from edgesparse.boards import Core, templates_folder
from edgesparse.errors import EdgesparseError, ModelError
from edgesparse.variants import function_name

__all__ = ["Chosen", "Refusals", "choose_variant", "first_variant", "is_written", "rate", "refuse"]

Refusals = Mapping[str, str]
"""Variant -> why a layer does not keep its limits, with the numbers. Variants that take the layer are not named."""

T = TypeVar("T")


@dataclass(frozen=True)
class Chosen:
    """The variant of a kernel that a layer takes. `note`: why it is no faster one, or ""."""

    variant: str
    function: str
    note: str = ""


def is_written(kernel: str, variant: str) -> bool:
    """Whether a kernel, such as es_mul_s8, has a file in a variant."""
    return function_name(kernel, variant) in _files(variant)


def choose_variant(core: Core, kernel: str, refusals: Refusals | None = None) -> Chosen:
    """The first variant of `core.kernels` that has the kernel and takes the layer."""

    def take(variant: str) -> str | None:
        if not is_written(kernel, variant):
            return None
        refuse(refusals or {}, variant)
        return function_name(kernel, variant)

    function, variant, note = first_variant(core, take)
    return Chosen(variant, function, note)


def first_variant(core: Core, take: Callable[[str], T | None]) -> tuple[T, str, str]:
    """What the first variant of `core.kernels` gives that takes a layer, its name, and why no faster one does.

    `take` gives None where the variant has no such kernel, and raises ModelError where the layer does not keep its
    limits. ModelError where no variant takes the layer.
    """
    refused: list[tuple[str, str]] = []
    for variant in core.kernels:
        try:
            taken = take(variant)
        except ModelError as error:
            refused.append((variant, str(error)))
            continue
        if taken is not None:
            return taken, variant, "; ".join(f"{variant} kernel, not {name}: {why}" for name, why in refused)
    if not refused:
        raise EdgesparseError(f"{core.name} has no variant ({', '.join(core.kernels)}) of a kernel; please report this")
    raise ModelError("; ".join(dict.fromkeys(why for _, why in refused)))


def refuse(refusals: Refusals, variant: str) -> None:
    """ModelError where a layer does not keep the limits of a variant."""
    if variant in refusals:
        raise ModelError(refusals[variant])


def rate(variant: str, rates: Mapping[str, float]) -> float:
    """What an uncalibrated kernel takes by variant; one that is not named counts as the portable one."""
    return rates.get(variant, rates["portable"])


@cache
def _files(variant: str) -> frozenset[str]:
    return frozenset(path.stem for path in (templates_folder() / "kernels" / variant).glob("*.c"))
