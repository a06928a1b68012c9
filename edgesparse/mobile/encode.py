"""A dense .tflite -> the same model with TFLite's sparsity encoding, by routes that phones' runtimes load.

DENSIFY expands a sparse tensor once, at load. Behind it, with the reason from TFLite's and XNNPACK's sources:

    CONV_2D, and any op of a float model   reads the DENSIFY directly; XNNPACK unpacks it and takes both ops
    int8 FULLY_CONNECTED, for size         operator version 8, or a RESHAPE between the two: XNNPACK of LiteRT claims an
                                           int8 FULLY_CONNECTED whose weights it cannot read and fails, but leaves
                                           version 8 and weights that an op computes to TFLite's own kernel
    int8 FULLY_CONNECTED, for latency      becomes a CONV_2D of one pixel, which stays on XNNPACK
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.mobile import sparsity_objects
from edgesparse.mobile.sparsity import Scheme, SparseTensor, smallest
from edgesparse.tflite import edit, objects
from edgesparse.tflite.slim import slim

__all__ = ["PhoneFile", "StoredTensor", "encode_for_phones"]

_SPARSE_FULLY_CONNECTED = 8
"""The operator version that TFLite gave FULLY_CONNECTED with sparse weights."""

_TENSOR_BYTES, _RESHAPE_BYTES = 150, 110
"""What a DENSIFY with its sparse tensor, and a RESHAPE, add to a file besides values and tables."""

_MAX_BYTE_INDEX = 256


@dataclass(frozen=True)
class StoredTensor:
    """How the weights of operator number `operator` of the dense file are stored.

    storage: dense, unstructured or block<first axis>x<last axis>. route: the ops between tensor and consumer.
    nbytes: values and tables. reason: why it is dense, empty otherwise.
    """

    operator: int
    op: str
    storage: str
    route: str
    sparsity: float
    dense_bytes: int
    nbytes: int
    reason: str

    def left_dense(self, reason: str) -> StoredTensor:
        """The same weights in dense storage; one that is dense already keeps its reason."""
        if self.storage == "dense":
            return self
        return replace(self, storage="dense", route="", nbytes=self.dense_bytes, reason=reason)


@dataclass(frozen=True, eq=False)
class PhoneFile:
    """The file and, per CONV_2D and FULLY_CONNECTED of the dense one, how its weights are stored."""

    data: bytes
    tensors: tuple[StoredTensor, ...]

    @property
    def encoded(self) -> tuple[int, ...]:
        """Operator numbers, in the dense file, of those with encoded weights."""
        return tuple(tensor.operator for tensor in self.tensors if tensor.storage != "dense")


def encode_for_phones(data: bytes, *, optimize: str, only: Collection[int] | None = None) -> PhoneFile:
    """Encode the weights of every CONV_2D and FULLY_CONNECTED that get smaller, each in its smallest encoding.

    data: a .tflite with dense int8 or float32 weights. optimize: size or latency, see above.
    only: operator numbers whose weights may be encoded; others stay dense. Same arguments, same bytes.
    """
    draft = _Draft(objects.parse(data), optimize, only)
    for number, operator in enumerate(list(draft.graph.operators)):
        draft.place(number, operator)
    draft.finish()
    return PhoneFile(slim(objects.pack(draft.model), keep_metadata=True), tuple(draft.stored))


class _Draft:
    """The model under way: operators are appended in their order, each behind what it needs."""

    def __init__(self, model: Any, optimize: str, only: Collection[int] | None) -> None:
        self.model, self.graph, self.optimize, self.only = model, model.subgraphs[0], optimize, only
        self.operators: list[Any] = []
        self.stored: list[StoredTensor] = []
        self.densified: dict[int, StoredTensor] = {}  # by tensor that consumers read
        self.pixels: dict[int, int] = {}  # a 2-D tensor -> the 4-D one that holds its values
        self.owed: set[int] = set()  # 2-D tensors that exist as 4-D ones only
        self.users: dict[int, dict[int, str]] = {}  # by tensor, the kind of each operator that reads it
        for number, operator in enumerate(self.graph.operators):
            for tensor in _inputs(operator):
                self.users.setdefault(tensor, {})[number] = edit.kind_of(model, operator)

    def place(self, number: int, operator: Any) -> None:
        """Append an operator of the dense file, with its weights encoded where that pays."""
        kind = edit.kind_of(self.model, operator)
        if kind in ("CONV_2D", "FULLY_CONNECTED"):
            stored = self._weights(number, kind, operator)
            self.stored.append(stored)
            if stored.route == "DENSIFY -> CONV_2D":
                self._as_convolution(operator)
                return
        self._pay([tensor for tensor in _inputs(operator) if tensor in self.owed])
        self.operators.append(operator)

    def finish(self) -> None:
        """Put the operators into the model."""
        self._pay([int(tensor) for tensor in self.graph.outputs if int(tensor) in self.owed])
        self.graph.operators = self.operators

    def _weights(self, number: int, kind: str, operator: Any) -> StoredTensor:
        index = int(operator.inputs[1])
        if index in self.densified:
            first = self.densified[index]
            stored = StoredTensor(number, kind, first.storage, first.route, first.sparsity, 0, 0, "")
            self._fit_consumer(operator, stored)
            return stored
        tensor = self.graph.tensors[index]
        weights = edit.constant(self.model, tensor)
        if weights is None:
            return StoredTensor(number, kind, "dense", "", 0.0, 0, 0, "its weights are computed, not constant")
        share = float(np.mean(weights == 0))

        def dense(reason: str) -> StoredTensor:
            return StoredTensor(number, kind, "dense", "", share, weights.nbytes, weights.nbytes, reason)

        if self.graph.tensors[operator.inputs[0]].type != tensor.type:
            return dense("its input is of another type than its weights")
        if self.only is not None and not set(self.users[index]) <= set(self.only):
            return dense("left out")
        if weights.dtype not in (np.int8, np.float32):
            return dense(f"{weights.dtype} weights")
        if set(self.users[index].values()) != {kind}:
            return dense("its weights are shared with another kind of op")
        scheme, sparse, route = self._choose(kind, weights)
        nbytes = sparse.nbytes + _TENSOR_BYTES + (_RESHAPE_BYTES if route == "DENSIFY -> RESHAPE" else 0)
        if nbytes >= weights.nbytes:
            return dense(f"its smallest encoding, {scheme.name}, would take {nbytes:,} bytes with its ops")
        stored = StoredTensor(number, kind, scheme.name, route, share, weights.nbytes, sparse.nbytes, "")
        self._densify(index, sparse, route)
        self._fit_consumer(operator, stored)
        self.densified[index] = stored
        return stored

    def _choose(self, kind: str, weights: npt.NDArray[Any]) -> tuple[Scheme, SparseTensor, str]:
        to_convolution = self.optimize == "latency" and kind == "FULLY_CONNECTED" and weights.dtype == np.int8
        if to_convolution:
            return *smallest(weights.reshape(len(weights), 1, 1, -1)), "DENSIFY -> CONV_2D"
        scheme, sparse = smallest(weights)
        if kind == "CONV_2D" or weights.dtype == np.float32:
            return scheme, sparse, "DENSIFY"
        best = scheme, sparse, "DENSIFY"
        for width in _widths(weights):
            scheme, sparse = smallest(weights.reshape(-1, width))
            if sparse.nbytes + _RESHAPE_BYTES < best[1].nbytes:
                best = scheme, sparse, "DENSIFY -> RESHAPE"
        return best

    def _densify(self, index: int, sparse: SparseTensor, route: str) -> None:
        """Let an op write tensor `index`, which was a constant."""
        tensor = self.graph.tensors[index]
        old, tensor.buffer = tensor.buffer, 0
        edit.release(self.model, old)
        # Scales along an axis that the narrower rows lack would be wrong there; nothing reads them before RESHAPE.
        per_channel = tensor.quantization is not None and len(_present(tensor.quantization.scale)) > 1
        quantization = None if per_channel and route == "DENSIFY -> RESHAPE" else tensor.quantization
        stored = edit.add_tensor(
            self.model,
            tensor,
            sparse.shape,
            buffer=edit.add_buffer(self.model, sparse.values),
            quantization=quantization,
            name=tensor.name,
        )
        self.graph.tensors[stored].sparsity = sparsity_objects.write(sparse)
        if route != "DENSIFY -> RESHAPE":
            tensor.shape = [int(size) for size in sparse.shape]
            self.operators.append(edit.add_operator(self.model, "DENSIFY", [stored], [index]))
            return
        wide = edit.add_tensor(self.model, tensor, sparse.shape, quantization=quantization)
        self.operators.append(edit.add_operator(self.model, "DENSIFY", [stored], [wide]))
        self.operators.append(self._reshape(wide, index))

    def _fit_consumer(self, operator: Any, stored: StoredTensor) -> None:
        if stored.op == "FULLY_CONNECTED" and stored.route == "DENSIFY" and self._is_int8(operator):
            operator.opcodeIndex = edit.operator_code(self.model, "FULLY_CONNECTED", _SPARSE_FULLY_CONNECTED)

    def _is_int8(self, operator: Any) -> bool:
        return bool(self.graph.tensors[operator.inputs[1]].type == objects.generated().TensorType.INT8)

    def _as_convolution(self, operator: Any) -> None:
        """Append a FULLY_CONNECTED as a CONV_2D: inputs as pixels [n, 1, 1, in], filters [out, 1, 1, in]."""
        source, filters, target = int(operator.inputs[0]), int(operator.inputs[1]), int(operator.outputs[0])
        outputs, inputs = (int(self.graph.tensors[filters].shape[axis]) for axis in (0, -1))
        rows = int(np.prod(self.graph.tensors[source].shape)) // inputs
        pixels = self._as_pixels(source, [rows, 1, 1, inputs])
        self.pixels[target] = self._twin(target, [rows, 1, 1, outputs])
        self.owed.add(target)
        bias = int(operator.inputs[2]) if len(operator.inputs) > 2 else -1
        self.operators.append(
            edit.add_operator(
                self.model,
                "CONV_2D",
                [pixels, filters, bias if bias >= 0 else self._zero_bias(source, filters, outputs)],
                [self.pixels[target]],
                options="Conv2DOptions",
                padding=objects.generated().Padding.VALID,
                strideW=1,
                strideH=1,
                fusedActivationFunction=operator.builtinOptions.fusedActivationFunction,
            )
        )

    def _as_pixels(self, index: int, shape: list[int]) -> int:
        """The values of a tensor as one of `shape`."""
        known = self.pixels.get(index)
        if known is not None and list(self.graph.tensors[known].shape) == shape:
            return known
        pixels = self._twin(index, shape)
        self.operators.append(self._reshape(index if known is None else known, pixels))
        if known is None:
            self.pixels[index] = pixels
        return pixels

    def _twin(self, index: int, shape: list[int]) -> int:
        tensor = self.graph.tensors[index]
        return edit.add_tensor(self.model, tensor, shape, quantization=tensor.quantization)

    def _zero_bias(self, source: int, filters: int, outputs: int) -> int:
        """XNNPACK takes no convolution without a bias."""
        generated = objects.generated()
        quantization = generated.QuantizationParametersT()
        scale = np.float32(self.graph.tensors[source].quantization.scale[0])
        quantization.scale = [float(scale * np.float32(s)) for s in self.graph.tensors[filters].quantization.scale]
        quantization.zeroPoint = [0] * len(quantization.scale)
        like = generated.TensorT()
        like.type = generated.TensorType.INT32
        buffer = edit.add_buffer(self.model, np.zeros(outputs, np.int32))
        return edit.add_tensor(self.model, like, [outputs], buffer=buffer, quantization=quantization)

    def _reshape(self, source: int, target: int) -> Any:
        shape = [int(n) for n in self.graph.tensors[target].shape]
        return edit.add_operator(self.model, "RESHAPE", [source], [target], options="ReshapeOptions", newShape=shape)

    def _pay(self, tensors: list[int]) -> None:
        """Write 2-D tensors that only pixels hold so far."""
        for tensor in tensors:
            self.operators.append(self._reshape(self.pixels[tensor], tensor))
            self.owed.discard(tensor)


def _present(values: Any) -> Any:
    return () if values is None else values


def _inputs(operator: Any) -> list[int]:
    return [int(tensor) for tensor in operator.inputs if int(tensor) >= 0]


def _widths(weights: npt.NDArray[Any]) -> list[int]:
    """Row lengths that a matrix may be cut into so that the indices of single values or of blocks fit a byte."""
    if max(weights.shape) <= _MAX_BYTE_INDEX:
        return []
    widths = []
    for block in (1, 2, 4, 8, 16):
        if weights.shape[-1] % block == 0:
            count = weights.size // block
            widths.append(block * max(n for n in range(1, _MAX_BYTE_INDEX + 1) if count % n == 0))
    return sorted(set(widths))
