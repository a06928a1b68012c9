"""The network as numpy data: what every later stage reads. TFLite order: NHWC activations, OHWI weights."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError

__all__ = [
    "Activation",
    "BinaryOptions",
    "ConcatenationOptions",
    "Conv2DOptions",
    "DepthwiseConv2DOptions",
    "FloatArray",
    "FullyConnectedOptions",
    "Graph",
    "Int8Array",
    "Int32Array",
    "LeakyReluOptions",
    "MeanOptions",
    "NoOptions",
    "Op",
    "OpOptions",
    "Pool2DOptions",
    "Quantization",
    "ResizeNearestOptions",
    "SoftmaxOptions",
    "Tensor",
]

Int8Array: TypeAlias = npt.NDArray[np.int8]
Int32Array: TypeAlias = npt.NDArray[np.int32]
FloatArray: TypeAlias = npt.NDArray[np.float32]

Activation: TypeAlias = str
"""`NONE`, `RELU`, `RELU_N1_TO_1` or `RELU6`: TFLite's ActivationFunctionType."""


@dataclass(frozen=True, eq=False)
class Quantization:
    """real = scale * (q - zero_point), per tensor or per slice along `axis`."""

    scales: FloatArray  # [1] or [shape[axis]]
    zero_points: Int32Array  # same length as scales
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        """Whether there is more than one scale."""
        return len(self.scales) > 1

    @property
    def scale(self) -> float:
        """The one scale, as the float32 value of the file; ModelError when per channel."""
        if self.per_channel:
            raise ModelError(f"expected one scale for the tensor, got {len(self.scales)}")
        return float(self.scales[0])

    @property
    def zero_point(self) -> int:
        """The one zero point; ModelError when they differ."""
        if self.per_channel and np.any(self.zero_points != self.zero_points[0]):
            raise ModelError(f"expected one zero point for the tensor, got {len(self.zero_points)}")
        return int(self.zero_points[0])


@dataclass(frozen=True, eq=False)
class Tensor:
    """An activation (data is None) or a constant."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    quantization: Quantization | None = None
    data: npt.NDArray[Any] | None = None

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the dense tensor."""
        return self.elements * self.dtype.itemsize

    @property
    def quant(self) -> Quantization:
        """The quantization; ModelError when the tensor has none."""
        if self.quantization is None:
            raise ModelError(f"tensor {self.name!r} ({self.dtype}) has no quantization; give an int8 model")
        return self.quantization


@dataclass(frozen=True)
class NoOptions:
    """Ops without parameters, such as RESHAPE, PAD, QUANTIZE, LOGISTIC, RELU."""


@dataclass(frozen=True)
class Conv2DOptions:
    """CONV_2D. Weights [out, kh, kw, in]."""

    padding: str  # SAME or VALID
    stride_h: int
    stride_w: int
    dilation_h: int = 1
    dilation_w: int = 1
    activation: Activation = "NONE"


@dataclass(frozen=True)
class DepthwiseConv2DOptions:
    """DEPTHWISE_CONV_2D. Weights [1, kh, kw, in * depth_multiplier]."""

    padding: str
    stride_h: int
    stride_w: int
    depth_multiplier: int
    dilation_h: int = 1
    dilation_w: int = 1
    activation: Activation = "NONE"


@dataclass(frozen=True)
class FullyConnectedOptions:
    """FULLY_CONNECTED. Weights [out, in]."""

    activation: Activation = "NONE"
    keep_num_dims: bool = False


@dataclass(frozen=True)
class Pool2DOptions:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""

    padding: str
    stride_h: int
    stride_w: int
    filter_h: int
    filter_w: int
    activation: Activation = "NONE"


@dataclass(frozen=True)
class BinaryOptions:
    """ADD, MUL and SUB."""

    activation: Activation = "NONE"


@dataclass(frozen=True)
class ConcatenationOptions:
    """CONCATENATION."""

    axis: int
    activation: Activation = "NONE"


@dataclass(frozen=True)
class SoftmaxOptions:
    """SOFTMAX over the last axis."""

    beta: float = 1.0


@dataclass(frozen=True)
class MeanOptions:
    """MEAN and REDUCE_MAX; the axes are a constant input."""

    keep_dims: bool = False


@dataclass(frozen=True)
class LeakyReluOptions:
    """LEAKY_RELU."""

    alpha: float


@dataclass(frozen=True)
class ResizeNearestOptions:
    """RESIZE_NEAREST_NEIGHBOR; the size is a constant input."""

    align_corners: bool = False
    half_pixel_centers: bool = False


OpOptions: TypeAlias = (
    NoOptions
    | Conv2DOptions
    | DepthwiseConv2DOptions
    | FullyConnectedOptions
    | Pool2DOptions
    | BinaryOptions
    | ConcatenationOptions
    | SoftmaxOptions
    | MeanOptions
    | LeakyReluOptions
    | ResizeNearestOptions
)


@dataclass(frozen=True)
class Op:
    """One operation. `kind` is TFLite's BuiltinOperator name; `name` is unique in the graph."""

    name: str
    kind: str
    inputs: tuple[int, ...]  # tensor indices; -1 where an optional input is absent
    outputs: tuple[int, ...]
    options: OpOptions


@dataclass(frozen=True, eq=False)
class Graph:
    """Ops in execution order over tensors; one subgraph, static shapes, batch 1."""

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @cached_property
    def readers(self) -> dict[int, tuple[int, ...]]:
        """By tensor, the indices of the ops that read it; none for tensors that no op reads."""
        found: dict[int, list[int]] = defaultdict(list)
        for index, op in enumerate(self.ops):
            for tensor in dict.fromkeys(op.inputs):
                found[tensor].append(index)
        return {tensor: tuple(ops) for tensor, ops in found.items()}

    @cached_property
    def writers(self) -> dict[int, int]:
        """By tensor, the index of the op whose first output it is."""
        return {op.outputs[0]: index for index, op in enumerate(self.ops)}

    def input(self, op: Op, position: int) -> Tensor:
        """The tensor at an input position of `op`; ModelError where it is absent."""
        index = op.inputs[position] if position < len(op.inputs) else -1
        if index < 0:
            raise ModelError(f"op {op.name!r} ({op.kind}): input {position} is missing")
        return self.tensors[index]

    def optional_input(self, op: Op, position: int) -> Tensor | None:
        """As `input`, but None where it is absent."""
        index = op.inputs[position] if position < len(op.inputs) else -1
        return self.tensors[index] if index >= 0 else None

    def first_activation(self, op: Op) -> int:
        """The index of the first input of `op` that is no constant; of its first input where all are."""
        return next((index for index in op.inputs if index >= 0 and self.tensors[index].data is None), op.inputs[0])

    def output(self, op: Op) -> Tensor:
        """The first output tensor of `op`."""
        return self.tensors[op.outputs[0]]

    def renamed(self, names: Mapping[int, str]) -> Graph:
        """The same graph with some ops renamed, by index. Names that are taken get a number."""
        taken = {op.name for index, op in enumerate(self.ops) if index not in names}
        ops = list(self.ops)
        counts: dict[str, int] = {}
        for index, wanted in names.items():
            count = counts.get(wanted, 0)
            name = f"{wanted}_{count}" if count else wanted
            while name in taken:
                count += 1
                name = f"{wanted}_{count}"
            counts[wanted] = count
            taken.add(name)
            ops[index] = replace(self.ops[index], name=name)
        return replace(self, ops=tuple(ops))
