"""What a lowered op is: one call of one C kernel with its constant parameters and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy.typing as npt

from edgesparse.lowering.costs import Work
from edgesparse.variants import PORTABLE, function_name

__all__ = ["Array", "FieldValue", "KernelCall"]


@dataclass(frozen=True, eq=False)
class Array:
    """A constant C array. `suffix` makes its name: conv2d_1_weights for suffix "weights".

    `role` decides the linker section and the column of the report:
    "weights" for packed weights with their indices, "table" for biases, multipliers, shifts, lookup tables.
    """

    suffix: str
    ctype: str  # int8_t, uint8_t, int16_t, uint16_t, int32_t or uint32_t; matches values.dtype
    values: npt.NDArray[Any]  # 1-D
    role: Literal["weights", "table"]


FieldValue: TypeAlias = int | float | str | Array | None
"""Of a C struct field: a number, a C identifier or expression, a table, or NULL."""


@dataclass(frozen=True, eq=False)
class KernelCall:
    """One kernel call: `function(&params, in0, ..., out[, scratch])`.

    `op_index` is the graph's op that it belongs to. An op may lower to several calls (CONCATENATION) or
    to none (RESHAPE). `inputs` and `output` are graph tensor indices.
    """

    op_index: int
    function: str  # es_conv_2d_block1x4_s8_dsp; its source is kernels/<variant>/<function>.c
    header: str  # es_conv_2d.h
    struct: str  # the C type of the parameters: es_conv_2d
    fields: tuple[tuple[str, FieldValue], ...]  # in the order of the C struct
    inputs: tuple[int, ...]
    output: int
    takes_scratch: bool = False  # whether the C function has the scratch argument
    scratch_bytes: int = 0
    weight_format: str = ""  # dense, block1x4, ...; "" for ops without weights
    reason: str = ""  # why this kernel and format
    estimated_instructions: int = 0
    work: Work = field(default_factory=dict)  # what the estimate counts, for `make calibrate`
    variant: str = PORTABLE  # of the kernel: variants.VARIANTS
    in_place: tuple[int, ...] = ()  # positions of inputs that the output may be written over, value by value
    sources: tuple[str, ...] = field(default=())  # further kernel sources it needs, without .c

    @property
    def kernel(self) -> str:
        """The function's name in the portable variant: es_conv_2d_block1x4_s8."""
        return self.function.removesuffix(function_name("", self.variant))

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The constant arrays among the fields."""
        return tuple(value for _, value in self.fields if isinstance(value, Array))

    @property
    def weight_bytes(self) -> int:
        """Bytes of packed weights with their indices."""
        return sum(array.values.nbytes for array in self.arrays if array.role == "weights")
