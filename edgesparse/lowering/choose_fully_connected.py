"""Which weight format and which kernel a FULLY_CONNECTED gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from edgesparse.graph import Int32Array
from edgesparse.lowering.call import Array
from edgesparse.lowering.choose import Policy, joined, select
from edgesparse.lowering.costs import Work, estimate
from edgesparse.lowering.formats import FULLY_CONNECTED_FORMATS
from edgesparse.lowering.formats.format import FcLayer
from edgesparse.lowering.kernels import first_variant, is_written, refuse
from edgesparse.variants import function_name

__all__ = ["FcChoice", "choose_fully_connected"]


@dataclass(frozen=True, eq=False)
class FcChoice:
    """A packed layer. `kernel` completes es_fully_connected_<kernel>_s8; `note`: why it is no faster variant, or ""."""

    format: str
    kernel: str
    variant: str
    bias: Int32Array
    weights: Array
    gaps: Array | None
    counts: Array | None
    scratch_bytes: int
    work: Work
    instructions: int
    note: str = ""
    reason: str = ""

    @property
    def function(self) -> str:
        """The C function."""
        return function_name(f"es_fully_connected_{self.kernel}_s8", self.variant)

    @property
    def nbytes(self) -> int:
        """Bytes of weights with their indices."""
        return sum(array.values.nbytes for array in (self.weights, self.gaps, self.counts) if array is not None)


def choose_fully_connected(layer: FcLayer, policy: Policy) -> FcChoice:
    """Pack in the format that the policy prefers, each format for the fastest variant that takes the layer."""
    plain = _pack(layer, "dense")
    others = {name: partial(_pack, layer, name) for name in FULLY_CONNECTED_FORMATS if name != "dense"}
    choice, reason = select(plain, others, policy, layer.weights)
    return replace(choice, reason=joined(reason, plain.reason, choice.reason * (choice is not plain), choice.note))


def _pack(layer: FcLayer, name: str) -> FcChoice:
    """ModelError where no variant takes the layer in this format."""

    def take(variant: str) -> FcChoice | None:
        format = FULLY_CONNECTED_FORMATS[name]
        packed = format.pack(layer, variant)
        kernel = f"es_fully_connected_{packed.kernel}_s8"
        if not is_written(kernel, variant):
            return None
        refuse(layer.refusals, variant)
        work = layer.work(packed.work)
        return FcChoice(
            name,
            packed.kernel,
            variant,
            packed.bias,
            packed.weights,
            packed.gaps,
            packed.counts,
            format.scratch_bytes[packed.kernel](variant, layer.weights.shape[1]),
            work,
            estimate(layer.core, function_name(kernel, variant), work),
            reason=packed.reason,
        )

    choice, _, note = first_variant(layer.core, take)
    return replace(choice, note=note)
