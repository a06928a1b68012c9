"""Which layers XNNPACK would run on its sparse kernels. The expected answers were seen on LiteRT 2.3 without AVX."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from edgesparse.mobile import xnnpack
from edgesparse.mobile.xnnpack import SparsePlan, sparse_plan
from edgesparse.tflite import read_graph
from tests.support.tflite_builder import PADDING_SAME, PADDING_VALID, TfliteBuilder


@dataclass(frozen=True)
class Net:
    """PAD, 3x3 CONV_2D of stride 2, PAD, 3x3 DEPTHWISE_CONV_2D of stride 2, two 1x1 CONV_2D, MEAN, FULLY_CONNECTED."""

    channels: int = 3
    stem_same: bool = False
    depthwise_same: bool = False
    density: float = 0.2
    block: int = 1
    stride: int = 1
    head: str = "mean"  # mean, flatten, or convolution behind the mean
    side_reader: bool = False

    def build(self) -> bytes:
        net = TfliteBuilder()
        rng = np.random.default_rng(0)

        def act(*shape: int) -> int:
            return net.activation((1, *shape), dtype="float32")

        def values(*shape: int) -> int:
            return net.constant((rng.standard_normal(shape) + 3).astype(np.float32))

        def pointwise(x: int, size: int, inputs: int, outputs: int, stride: int = 1) -> int:
            kept = np.repeat(rng.random((outputs // self.block, 1, 1, inputs)) < self.density, self.block, axis=0)
            y = act(size // stride, size // stride, outputs)
            weights = net.constant((rng.standard_normal(kept.shape) * kept).astype(np.float32))
            net.op("CONV_2D", [x, weights, values(outputs)], [y], padding=PADDING_VALID, **ones(stride))
            return y

        def ones(stride: int) -> dict[str, int]:
            return {"strideH": stride, "strideW": stride, "dilationHFactor": 1, "dilationWFactor": 1}

        def padded(x: int, *shape: int) -> int:
            y = act(*shape)
            net.op("PAD", [x, net.constant(np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))], [y])
            return y

        x = net.input((1, 16, 16, self.channels), dtype="float32")
        a = act(8, 8, 16)
        stem = x if self.stem_same else padded(x, 18, 18, self.channels)
        padding = PADDING_SAME if self.stem_same else PADDING_VALID
        net.op("CONV_2D", [stem, values(16, 3, 3, self.channels), values(16)], [a], padding=padding, **ones(2))
        b = act(4, 4, 16)
        wide = a if self.depthwise_same else padded(a, 10, 10, 16)
        padding = PADDING_SAME if self.depthwise_same else PADDING_VALID
        options = {"padding": padding, "depthMultiplier": 1, **ones(2)}
        net.op("DEPTHWISE_CONV_2D", [wide, values(1, 3, 3, 16), values(16)], [b], **options)
        c = pointwise(b, 4, 16, 64)
        d = pointwise(c, 4, 64, 64, self.stride)
        side = 4 // self.stride
        flat = side * side * 64 if self.head == "flatten" else 64
        if self.head == "flatten":
            features = act(flat)
            net.op("RESHAPE", [d, net.constant(np.array([1, flat], np.int32))], [features])
        else:
            pooled = act(1, 1, 64)
            net.op("MEAN", [d, net.constant(np.array([1, 2], np.int32))], [pooled], keepDims=True)
            if self.head == "convolution":
                pooled = pointwise(pooled, 1, 64, 64)
            features = act(64)
            net.op("RESHAPE", [pooled, net.constant(np.array([1, 64], np.int32))], [features])
        if self.side_reader:
            largest, beside, both = act(1, 1, 64), act(64), act(64)
            net.op("MAX_POOL_2D", [c], [largest], filterHeight=4, filterWidth=4, strideH=4, strideW=4)
            net.op("RESHAPE", [largest, net.constant(np.array([1, 64], np.int32))], [beside])
            net.op("ADD", [features, beside], [both])
            features = both
        y = act(4)
        net.op("FULLY_CONNECTED", [features, values(4, flat), values(4)], [y])
        return net.build([y])


def plan(net: Net, encoded: Any = None) -> SparsePlan:
    graph = read_graph(net.build())
    found = [index for index, op in enumerate(graph.ops) if op.kind == "CONV_2D" and graph.input(op, 1).shape[1] == 1]
    return sparse_plan(graph, found if encoded is None else encoded)


def pointwise_reasons(found: SparsePlan) -> list[str]:
    return [layer.reason for layer in found.layers if layer.op == "CONV_2D"][1:]


def test_a_cluster_that_meets_all_conditions_is_taken() -> None:
    found = plan(Net())
    assert [layer.sparse for layer in found.layers] == [False, False, True, True, False]
    assert [layer.block for layer in found.layers] == [0, 0, 1, 1, 0]
    assert found.hazard == ""
    assert found.layers[0].reason == "only 1x1 convolutions have sparse kernels"
    assert "flattens its input" in found.layers[4].reason


@pytest.mark.parametrize("block", [2, 4])
def test_blocks_of_output_channels_are_taken_together(block: int) -> None:
    assert [layer.block for layer in plan(Net(block=block)).layers if layer.sparse] == [block, block]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stem_same": True}, "padding SAME at stride 2 instead of 1 on each side; use ZeroPadding2D(1)"),
        ({"depthwise_same": True}, "padding SAME at stride 2 instead of 1 on each side; use ZeroPadding2D(1)"),
        ({"channels": 1}, "3x3, stride 2x2, 1 input channels; a cluster begins with"),
        ({"head": "flatten"}, "nothing ends a cluster; let the convolutions end in GlobalAveragePooling2D"),
        ({"density": 0.4}, "% of the weights of the cluster's 1x1 convolutions are zero; it takes more than 2/3"),
        ({"side_reader": True}, "MAX_POOL_2D 'max_pool_2d' reads the same values as"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_why_a_cluster_is_not_taken(change: dict[str, Any], reason: str) -> None:
    found = plan(replace(Net(), **change))
    assert found.hazard == ""
    assert not any(layer.sparse for layer in found.layers)
    for text in pointwise_reasons(found):
        assert reason in text


def test_a_strided_1x1_convolution_is_no_part_of_a_cluster() -> None:
    found = plan(Net(stride=2))
    first, second = pointwise_reasons(found)
    assert "needs stride 1" in second
    assert "reads the same values as" in first or "nothing ends" in first


def test_an_op_behind_the_last_pooling_would_break_the_runtime() -> None:
    found = plan(Net(head="convolution"))
    assert "fails on CONV_2D" in found.hazard
    assert not any(layer.sparse for layer in found.layers)
    assert plan(Net(head="convolution"), encoded=[]).hazard == ""


def test_without_encoded_weights_xnnpack_is_not_asked() -> None:
    assert {"no weights of the file are encoded" in layer.reason for layer in plan(Net(), encoded=[]).layers} == {True}


@pytest.mark.parametrize(
    ("machine", "flags", "refused"),
    [("x86_64", "fpu sse2 avx avx2", True), ("x86_64", "fpu sse2", False), ("aarch64", "avx", False)],
)
def test_x86_with_avx_has_no_sparse_kernels(
    machine: str, flags: str, refused: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor : 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(xnnpack.platform, "machine", lambda: machine)
    assert bool(xnnpack.host_refusal(cpuinfo)) == refused
