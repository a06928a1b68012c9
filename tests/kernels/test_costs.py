"""The cost model: data for every kernel that a choice depends on, and close to what the emulator counted."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.grid import Shape, measure
from edgesparse.boards import CORES, Core, load_board
from edgesparse.firmware.render import kernel_source
from edgesparse.lowering.context import Window
from edgesparse.lowering.conv_2d_patches import BLOCKS, BYTES, ConvImage
from edgesparse.lowering.costs import COSTS_PATH, core_column, estimate, is_calibrated
from edgesparse.lowering.formats import FORMATS, FORMATS_OF
from edgesparse.lowering.lower import lower
from edgesparse.tflite.read import read_graph
from edgesparse.toolchain import find as find_toolchain
from tests.kernels.networks import NETWORKS
from tests.support.host_kernels import PORTABLE

LARGEST_MEAN_ERROR = 0.02
LARGEST_ERROR = 0.06


@pytest.mark.parametrize("core", [*CORES.values(), PORTABLE], ids=lambda core: core.name)
@pytest.mark.parametrize("name", [kind.lower() for kind in FORMATS_OF] + ["depthwise_conv_2d"])
def test_every_kernel_is_calibrated(name: str, core: Core) -> None:
    """`make calibrate` after a kernel got new work, or another name."""
    for seed in range(20):
        graph = read_graph(NETWORKS[name](np.random.default_rng(seed))[0])
        for format in ("", *FORMATS_OF.get(name.upper(), {})):
            for call in lower(graph, core, forced=format, zero_inputs={0: 0.5}).calls:
                column = core_column(core)
                assert call.work
                assert is_calibrated(core, call.function, call.work), f"{call.function} on {column}"


def test_every_cost_is_of_a_kernel_that_exists() -> None:
    for function, cores in json.loads(COSTS_PATH.read_text())["kernels"].items():
        assert kernel_source(function).is_file()
        for fit in cores.values():
            assert fit["mean_error"] <= LARGEST_MEAN_ERROR, function
            assert all(value >= 0 for value in fit["instructions"].values())


@pytest.mark.parametrize("board", ["mps2-an386", "mps2-an385", "mps2-m0plus", "mps2-an505"])
def test_estimates_are_close_to_what_the_emulator_counts(board: str, gcc: str) -> None:
    """On layers that no fit has seen."""
    plain = (
        Shape("CONV_2D", 7, 6, 24, 20, 3),
        Shape("CONV_2D", 5, 9, 40, 18),
        Shape("FULLY_CONNECTED", 1, 1, 180, 36),
        Shape("DEPTHWISE_CONV_2D", 9, 10, 20, 20, 3),
    )
    shapes = [*plain, replace(plain[2], wide=True)]
    for shape in plain:
        shapes += [
            replace(shape, zeros=0.8, block=FORMATS[name].block, forced=name)
            for name in FORMATS_OF.get(shape.kind, ())
            if name != "dense" and not FORMATS[name].skips_inputs
        ]
    rows = measure(shapes, load_board(board), find_toolchain("gcc"))
    assert len(rows) == len(shapes)
    for row in rows:
        off = abs(row.call.estimated_instructions / row.instructions - 1)
        assert off <= LARGEST_ERROR, f"{row.shape.text} {row.call.function}: {off:.1%} off"


def test_work_of_a_convolution_counted_by_hand() -> None:
    """3x3 on 4x8: 32 pixels are six groups of 6, of which those from pixel 0, 18, 24 and 26 fit into a row."""
    rows, columns = Window(4, 4, 3, 1, 1, 1), Window(8, 8, 3, 1, 1, 1)
    work = ConvImage(rows, columns, in_c=4, clamped=True).work(BLOCKS, rows=5, units=7, more={})
    assert work == {
        "calls": 1,
        "groups": 6,
        "groups across": 2,
        "rows": 30,
        "units": 42,
        "taps": 4 * 3,
        "pointed taps": 2 * 9,
        "values": (4 * 3 + 2 * 9) * 4,
        "shifted values": 4 * 6 * 4,
        "outside": 4,
        "clamped": 32 * 5,
    }
    odd = ConvImage(rows, columns, in_c=3).work(BLOCKS, rows=5, units=7, more={})
    assert odd["odd groups"] == 36
    assert odd["values of bytes"] == pytest.approx(36 * (2 * 6) / 32 * 27)
    assert odd["values of bytes"] + odd["odd values"] == pytest.approx(36 * 27)
    portable = ConvImage(rows, columns, in_c=3).work(BYTES, rows=5, units=7, more={})
    assert portable == {"calls": 1, "groups": 8, "rows": 40, "units": 56, "taps": 32 * 9, "values": 32 * 27}


def test_an_estimate_is_linear_in_the_work() -> None:
    core = CORES["cortex-m4"]
    one = estimate(core, "es_conv_2d_dense_s8_dsp", {"groups": 1, "units": 100_000})
    two = estimate(core, "es_conv_2d_dense_s8_dsp", {"groups": 2, "units": 200_000})
    assert abs(two - 2 * one) <= 1
    assert estimate(core, "es_not_yet_calibrated_s8", {"units": 5}) == 50
