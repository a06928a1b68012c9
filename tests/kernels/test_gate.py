"""Every op kind has a rule, and what breaks it is refused in one line that names the layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from edgesparse.boards import CORES
from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.graph import Graph, Quantization, Tensor
from edgesparse.lowering import lower
from edgesparse.lowering.gate import OpRule
from edgesparse.lowering.lower import LOWERINGS
from edgesparse.tflite import read_graph
from tests.kernels.networks import NETWORKS
from tests.support.tflite_builder import PADDING_SAME, TfliteBuilder

CORE = CORES["cortex-m4"]
SEEDS = range(6)


def _examples(kind: str) -> Iterator[tuple[Graph, int]]:
    """Valid networks with an op of a kind, and where it stands: the last of its kind."""
    for name in (kind.lower(), f"{kind.lower()}_constant", f"{kind.lower()}_broadcast"):
        for seed in SEEDS if name in NETWORKS else ():
            graph = read_graph(NETWORKS[name](np.random.default_rng(seed))[0])
            lower(graph, CORE)
            yield graph, max(index for index, op in enumerate(graph.ops) if op.kind == kind)


def _with(graph: Graph, index: int, tensor: Tensor) -> Graph:
    return replace(graph, tensors=(*graph.tensors[:index], tensor, *graph.tensors[index + 1 :]))


def _refused(graph: Graph, kind: str) -> None:
    with pytest.raises(ModelError) as caught:
        lower(graph, CORE)
    message = str(caught.value)
    assert "\n" not in message
    assert f"({kind})" in message or any(f"({op.kind})" in message for op in graph.ops)
    assert message.startswith("layer ")


@pytest.mark.parametrize("kind", LOWERINGS)
def test_every_op_kind_has_a_rule_and_an_example(kind: str) -> None:
    assert isinstance(LOWERINGS[kind], OpRule)
    assert list(_examples(kind))


@pytest.mark.parametrize("kind", LOWERINGS)
def test_another_output_shape_is_refused(kind: str) -> None:
    for graph, position in _examples(kind):
        index = graph.ops[position].outputs[0]
        shape = graph.tensors[index].shape
        others = {(*shape, 1), (1, *shape), shape[:-1], shape[1:], (*shape, 2), (), *(
            (*shape[:axis], shape[axis] + step, *shape[axis + 1 :]) for axis in range(len(shape)) for step in (-1, 1)
        )} - {shape}  # fmt: skip
        for other in others:
            _refused(_with(graph, index, replace(graph.tensors[index], shape=other)), kind)


@pytest.mark.parametrize("kind", LOWERINGS)
def test_another_type_is_refused(kind: str) -> None:
    for graph, position in _examples(kind):
        op = graph.ops[position]
        for index in (op.outputs[0], graph.first_activation(op)):
            for dtype in (np.int32, np.float64, np.uint8):
                _refused(_with(graph, index, replace(graph.tensors[index], dtype=np.dtype(dtype))), kind)


@pytest.mark.parametrize("kind", LOWERINGS)
def test_quantization_that_no_int8_tensor_has_is_refused(kind: str) -> None:
    two = Quantization(np.array([0.1, 0.1], np.float32), np.zeros(2, np.int32))
    far = Quantization(np.array([0.1], np.float32), np.array([128], np.int32))
    for graph, position in _examples(kind):
        op = graph.ops[position]
        for index in {op.outputs[0], graph.first_activation(op)}:
            tensor = graph.tensors[index]
            for quantization in (two, far) if tensor.dtype == np.int8 else ():
                _refused(_with(graph, index, replace(tensor, quantization=quantization)), kind)
            if tensor.dtype == np.int8:
                with pytest.raises(ModelError, match="has no quantization"):
                    lower(_with(graph, index, replace(tensor, quantization=None)), CORE)


@pytest.mark.parametrize("kind", LOWERINGS)
def test_a_batch_that_the_output_lacks_is_refused(kind: str) -> None:
    for graph, position in _examples(kind):
        index = graph.first_activation(graph.ops[position])
        tensor = graph.tensors[index]
        if graph.tensors[graph.ops[position].outputs[0]].shape[:1] == (1,):
            _refused(_with(graph, index, replace(tensor, shape=(2, *tensor.shape[1:]))), kind)


@pytest.mark.parametrize("kind", [kind for kind, rule in LOWERINGS.items() if rule.one_image])
def test_two_images_at_once_are_refused(kind: str) -> None:
    for graph, position in _examples(kind):
        op = graph.ops[position]
        for index in (graph.first_activation(op), op.outputs[0]):
            tensor = graph.tensors[index]
            graph = _with(graph, index, replace(tensor, shape=(2, *tensor.shape[1:])))
        with pytest.raises(UnsupportedError, match="has batch 2, the kernel takes one image at a time"):
            lower(graph, CORE)


def test_a_batch_inside_of_a_network_is_refused() -> None:
    """What TimeDistributed(Conv2D) leaves: the second image would have been forgotten."""
    b = TfliteBuilder()
    x, y = b.input((1, 8, 4, 4), 0.1), b.activation((1, 256), 0.1)
    images, sums = b.activation((2, 4, 4, 4), 0.1), b.activation((2, 4, 4, 8), 0.1)
    weights = b.constant(np.ones((8, 3, 3, 4), np.int8), [0.01])
    b.op("RESHAPE", [x, b.constant(np.array([2, 4, 4, 4], np.int32))], [images])
    b.op("CONV_2D", [images, weights, b.constant(np.zeros(8, np.int32))], [sums], padding=PADDING_SAME, strideH=1,
         strideW=1, dilationHFactor=1, dilationWFactor=1)  # fmt: skip
    b.op("RESHAPE", [sums, b.constant(np.array([1, 256], np.int32))], [y])
    graph = read_graph(b.build([y]))
    with pytest.raises(UnsupportedError, match=r"\(CONV_2D\): input of shape \(2, 4, 4, 4\) has batch 2.*outside of"):
        lower(graph, CORE)


def test_rows_of_a_fully_connected_layer_are_no_images() -> None:
    b = TfliteBuilder()
    x, rows, sums, y = (b.input((1, 8), 0.1), b.activation((2, 4), 0.1), b.activation((2, 3), 0.1),
                        b.activation((1, 6), 0.1))  # fmt: skip
    b.op("RESHAPE", [x, b.constant(np.array([-1, 4], np.int32))], [rows])
    b.op("FULLY_CONNECTED", [rows, b.constant(np.ones((3, 4), np.int8), [0.01])], [sums])
    b.op("RESHAPE", [sums, b.constant(np.array([1, 6], np.int32))], [y])
    (call,) = lower(read_graph(b.build([y])), CORE).calls
    assert dict(call.fields)["rows"] == 2


@pytest.mark.parametrize(("axes", "fits"), [(6, True), (7, False)])
def test_concatenation_has_as_many_axes_as_in_tflite_micro(axes: int, fits: bool) -> None:
    b = TfliteBuilder()
    x, y = b.input((1,) * (axes - 1) + (3,), 0.1), b.activation((1,) * (axes - 1) + (6,), 0.1)
    b.op("CONCATENATION", [x, x], [y], axis=-1)
    graph = read_graph(b.build([y]))
    if fits:
        assert lower(graph, CORE).calls
        return
    with pytest.raises(UnsupportedError, match="at most 6 axes"):
        lower(graph, CORE)


def test_a_bias_at_another_scale_than_the_sums_is_refused() -> None:
    """TFLite Micro does so too, where the weights have one scale."""
    b = TfliteBuilder()
    x, y = b.input((1, 4), 0.1), b.activation((1, 3), 0.1)
    weights, bias = b.constant(np.ones((3, 4), np.int8), [0.01]), b.constant(np.zeros(3, np.int32), [0.5])
    b.op("FULLY_CONNECTED", [x, weights, bias], [y])
    with pytest.raises(UnsupportedError, match=r"bias has scale 0\.5, expected 0\.001"):
        lower(read_graph(b.build([y])), CORE)
