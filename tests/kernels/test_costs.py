"""The cost model: data for every kernel that a choice depends on, and close to what the emulator counted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgesparse.boards import CORES, Core, templates_folder
from edgesparse.lowering.context import Window
from edgesparse.lowering.conv_2d_patches import BLOCKS, BYTES, ConvImage
from edgesparse.lowering.costs import COSTS_PATH, core_column, estimate, is_calibrated
from edgesparse.lowering.formats import FORMATS_OF
from edgesparse.lowering.lower import lower
from edgesparse.tflite.read import read_graph
from tests.kernels.networks import NETWORKS
from tests.support.host_kernels import PORTABLE

KERNELS = templates_folder() / "kernels"
LARGEST_MEAN_ERROR = 0.02


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


def test_estimates_are_close_to_the_counts() -> None:
    kernels = json.loads(COSTS_PATH.read_text())["kernels"]
    for kernel, cores in kernels.items():
        assert any((KERNELS / folder / f"{kernel}.c").is_file() for folder in ("portable", "dsp")), kernel
        for core, fit in cores.items():
            assert fit["mean_error"] <= LARGEST_MEAN_ERROR, f"{kernel} on {core}"
            assert all(value >= 0 for value in fit["instructions"].values())


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
