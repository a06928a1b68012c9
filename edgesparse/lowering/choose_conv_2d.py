"""Which weight format and which kernel a CONV_2D gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from edgesparse.lowering.call import Array
from edgesparse.lowering.choose import Policy, joined, select
from edgesparse.lowering.conv_2d_patches import Patches
from edgesparse.lowering.costs import Work, estimate
from edgesparse.lowering.formats import CONV_2D_FORMATS
from edgesparse.lowering.formats.format import ConvFilters
from edgesparse.lowering.kernels import first_variant, is_written, refuse
from edgesparse.variants import function_name

__all__ = ["ConvPacked", "choose_conv_2d"]


@dataclass(frozen=True, eq=False)
class ConvPacked:
    """A packed layer. `note`: why it is no faster variant, or ""."""

    format: str
    variant: str
    patches: Patches
    array: Array
    work: Work
    instructions: int
    note: str = ""
    reason: str = ""

    @property
    def function(self) -> str:
        """The C function."""
        return function_name(f"es_conv_2d_{self.format}_s8", self.variant)

    @property
    def nbytes(self) -> int:
        """Bytes of weights with their indices."""
        return self.array.values.nbytes

    def fields(self) -> tuple[tuple[str, Array | None], ...]:
        """weights and pairs, of which one is used, in the order of the C struct."""
        is_pairs = self.array.suffix == "pairs"
        return (("weights", None if is_pairs else self.array), ("pairs", self.array if is_pairs else None))


def choose_conv_2d(filters: ConvFilters, policy: Policy) -> ConvPacked:
    """Pack filters in the format that the policy prefers, each format for the fastest variant that takes them."""
    others = {name: partial(_pack, filters, name) for name in CONV_2D_FORMATS if name != "dense"}
    choice, reason = select(_pack(filters, "dense"), others, policy, filters.weights)
    return replace(choice, reason=joined(reason, choice.note))


def _pack(filters: ConvFilters, name: str) -> ConvPacked:
    """ModelError where no variant takes the filters in this format."""

    def take(variant: str) -> ConvPacked | None:
        format, kernel = CONV_2D_FORMATS[name], f"es_conv_2d_{name}_s8"
        patches = format.patches.get(variant)
        if patches is None or not is_written(kernel, variant):
            return None
        refuse(filters.refusals, variant)
        packed = format.pack(filters, patches)
        work = filters.image.work(patches, packed.rows, packed.units, packed.more)
        instructions = estimate(filters.core, function_name(kernel, variant), work)
        return ConvPacked(name, variant, patches, packed.array, work, instructions)

    packed, _, note = first_variant(filters.core, take)
    return replace(packed, note=note)
