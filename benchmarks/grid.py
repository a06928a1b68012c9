"""One-layer networks of given shape, format and sparsity, many at a time in one firmware."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgesparse.boards import Board
from edgesparse.emulate import EMULATORS
from edgesparse.lowering import lower
from edgesparse.lowering.call import KernelCall
from edgesparse.lowering.kernels import choose_variant
from edgesparse.tflite import read_graph
from edgesparse.toolchain import Toolchain
from tests.support.device_cases import build_cases, run_cases_on
from tests.support.host_kernels import Case
from tests.support.tflite_builder import LINEAR, PADDING_SAME, RELU, TfliteBuilder

__all__ = ["Measured", "Shape", "measure"]

_CASES_PER_FIRMWARE = 24
_FIRMWARE_WEIGHTS = 1_500_000
_INPUT_ZERO_POINT = -10


@dataclass(frozen=True)
class Shape:
    """A layer. `kind` is CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED (which has 1x1 images).

    `zeros` is the share of zero weights, in blocks of `block` (rows, columns) of the matrix [out, kh * kw * in].
    `forced`: the weight format. `relu`: the output is clamped at its zero point, which is -128, or 5 where `clamped`; a
    layer without has nothing to clamp. Of FULLY_CONNECTED only: `wide`: the output's scale is so small that sums are
    shifted to the left; `per_channel`: each output has a scale of its own, as in the other kinds; `zero_inputs`: the
    share of inputs at their zero point, which the format `columns` skips.
    """

    kind: str
    height: int
    width: int
    in_c: int
    out_c: int
    kernel: int = 1
    stride: int = 1
    zeros: float = 0.0
    block: tuple[int, int] = (1, 1)
    forced: str = "dense"
    relu: bool = True
    clamped: bool = False
    wide: bool = False
    per_channel: bool = False
    zero_inputs: float = 0.0

    @property
    def macs(self) -> int:
        """Multiplications of the dense layer."""
        if self.kind == "FULLY_CONNECTED":
            return self.in_c * self.out_c
        pixels = -(-self.height // self.stride) * -(-self.width // self.stride)
        inputs = 1 if self.kind == "DEPTHWISE_CONV_2D" else self.in_c
        return pixels * self.kernel**2 * inputs * self.out_c

    @property
    def text(self) -> str:
        """`CONV_2D 8x8x64->64 3x3/1`."""
        if self.kind == "FULLY_CONNECTED":
            return f"{self.kind} {self.in_c}->{self.out_c}"
        image = f"{self.height}x{self.width}x{self.in_c}->{self.out_c}"
        return f"{self.kind} {image} {self.kernel}x{self.kernel}/{self.stride}"


@dataclass(frozen=True, eq=False)
class Measured:
    """A layer with its kernel call and exact instructions."""

    shape: Shape
    call: KernelCall
    instructions: int


def measure(
    shapes: Sequence[Shape], board: Board, tools: Toolchain, *, seed: int = 0, kernels: tuple[str, ...] = ()
) -> list[Measured]:
    """Run each shape once in unicorn. Shapes that a faster variant of their kernel refuses are left out.

    kernels: the variants to take instead of all that the core runs.
    """
    core = replace(board.core, kernels=kernels or board.core.kernels)
    cases: list[tuple[Shape, Case]] = []
    for index, shape in enumerate(shapes):
        graph = read_graph(network(shape, seed + index))
        size = graph.tensors[graph.inputs[0]].nbytes
        rng = np.random.default_rng(index)
        inputs = rng.integers(-128, 128, size, dtype=np.int8)
        if shape.zero_inputs:
            inputs[rng.random(size) < shape.zero_inputs] = _INPUT_ZERO_POINT
        found = {0: float(np.mean(inputs == _INPUT_ZERO_POINT))} if shape.zero_inputs else None
        packed = lower(graph, core, dense_only=shape.forced == "dense", forced=shape.forced, zero_inputs=found)
        if all(choose_variant(core, call.kernel).variant == call.variant for call in packed.calls):
            cases.append((shape, Case(graph, packed, inputs.tobytes())))
    results: list[Measured] = []
    for batch in _batches(cases):
        with tempfile.TemporaryDirectory() as work:
            only = [case for _, case in batch]
            elf = build_cases(Path(work) / "firmware", board, tools, only)
            counts = run_cases_on(elf, board, EMULATORS["unicorn"], only).instructions
        assert counts is not None
        results += [
            Measured(shape, case.packed.calls[0], count) for (shape, case), count in zip(batch, counts, strict=True)
        ]
    return results


def _batches(cases: list[tuple[Shape, Case]]) -> list[list[tuple[Shape, Case]]]:
    batches: list[list[tuple[Shape, Case]]] = []
    filled = 0
    for shape, case in cases:
        size = case.packed.weight_bytes
        if not batches or len(batches[-1]) == _CASES_PER_FIRMWARE or filled + size > _FIRMWARE_WEIGHTS:
            batches.append([])
            filled = 0
        batches[-1].append((shape, case))
        filled += size
    return batches


def network(shape: Shape, seed: int) -> bytes:
    """A .tflite of the one layer, with random weights."""
    rng = np.random.default_rng(seed)
    net = TfliteBuilder()
    fan_in = shape.in_c * (1 if shape.kind == "FULLY_CONNECTED" else shape.kernel**2)
    zero_point = -128 if shape.relu and not shape.clamped else 5
    activation = RELU if shape.relu else LINEAR
    output_scale = 0.05 * 0.004 * (0.6 if shape.wide else 60 * np.sqrt(fan_in))
    if shape.kind == "FULLY_CONNECTED":
        x = net.input((1, shape.in_c), 0.05, _INPUT_ZERO_POINT)
        y = net.activation((1, shape.out_c), output_scale, zero_point)
        weights = _weights(rng, (shape.out_c, shape.in_c), shape)
        scales = rng.uniform(0.003, 0.005, shape.out_c if shape.per_channel else 1)
        constants = [net.constant(weights, scales), net.constant(_bias(rng, shape.out_c), 0.05 * scales)]
        net.op("FULLY_CONNECTED", [x, *constants], [y], fusedActivationFunction=activation)
        return net.build([y])
    out = (1, -(-shape.height // shape.stride), -(-shape.width // shape.stride), shape.out_c)
    x = net.input((1, shape.height, shape.width, shape.in_c), 0.05, _INPUT_ZERO_POINT)
    y = net.activation(out, output_scale, zero_point)
    depthwise = shape.kind == "DEPTHWISE_CONV_2D"
    filters = (
        (1, shape.kernel, shape.kernel, shape.out_c)
        if depthwise
        else (shape.out_c, shape.kernel, shape.kernel, shape.in_c)
    )
    weights = _weights(rng, filters, shape)
    scales = rng.uniform(0.003, 0.005, shape.out_c)
    options = {"depthMultiplier": shape.out_c // shape.in_c} if depthwise else {}
    net.op(
        shape.kind,
        [x, net.constant(weights, scales, 3 if depthwise else 0), net.constant(_bias(rng, shape.out_c))],
        [y],
        padding=PADDING_SAME,
        strideH=shape.stride,
        strideW=shape.stride,
        dilationHFactor=1,
        dilationWFactor=1,
        fusedActivationFunction=activation,
        **options,
    )
    return net.build([y])


def _bias(rng: np.random.Generator, channels: int) -> NDArray[np.int32]:
    return rng.integers(-3000, 3000, channels).astype(np.int32)


def _weights(rng: np.random.Generator, filters: tuple[int, ...], shape: Shape) -> NDArray[np.int8]:
    """Bell-shaped nonzero weights; exactly `zeros` of the blocks are zero."""
    values: NDArray[np.int8] = np.clip(np.round(rng.normal(0, 40, filters)), -127, 127).astype(np.int8)
    values[values == 0] = 1
    if shape.zeros == 0:
        return values
    matrix = values.reshape(filters[0], -1)
    rows, columns = shape.block
    grid = (-(-matrix.shape[0] // rows), -(-matrix.shape[1] // columns))
    keep = np.ones(grid[0] * grid[1], np.bool_)
    keep[rng.permutation(len(keep))[: round(len(keep) * shape.zeros)]] = False
    spread = np.kron(keep.reshape(grid), np.ones(shape.block, np.bool_))[: matrix.shape[0], : matrix.shape[1]]
    pruned: NDArray[np.int8] = (matrix * spread).reshape(filters).astype(np.int8)
    return pruned
