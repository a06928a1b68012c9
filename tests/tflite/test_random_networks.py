"""Random one-op networks: slimmed and encoded, TFLite Micro gives the same outputs."""

from __future__ import annotations

import numpy as np
import pytest

from edgesparse.tflite import read_graph, slim
from edgesparse.tflm.decode.ops import insert_decodes
from edgesparse.tflm.decode.pruning import encode
from tests.kernels.networks import NETWORKS
from tests.support.reference import tflm_output


@pytest.mark.parametrize("name", NETWORKS)
def test_a_slimmed_network_gives_the_same_outputs(name: str) -> None:
    for seed in range(6):
        model, inputs = NETWORKS[name](np.random.default_rng(seed))
        slimmed = slim(model)
        assert len(slimmed) < len(model)
        assert np.array_equal(tflm_output(slimmed, inputs), tflm_output(model, inputs)), seed


@pytest.mark.parametrize("name", ["conv_2d", "depthwise_conv_2d", "fully_connected"])
def test_weights_behind_tflm_decode_give_the_same_outputs(name: str) -> None:
    """Whether that pays or not, for every shape, scales per tensor and per channel."""
    axes = set()
    for seed in range(40):
        model, inputs = NETWORKS[name](np.random.default_rng(seed))
        graph = read_graph(model)
        index = graph.ops[0].inputs[1]
        weights = graph.tensors[index]
        assert weights.data is not None
        axes.add((weights.quant.per_channel, weights.quant.axis))
        encoded = insert_decodes(slim(model), {index: encode(weights.data, np.zeros(1, np.int32))})
        assert read_graph(encoded).ops[0].kind == "CUSTOM:TFLM_DECODE"
        assert np.array_equal(tflm_output(encoded, inputs), tflm_output(model, inputs)), seed
    assert len(axes) == 2, "with one scale and with many"
