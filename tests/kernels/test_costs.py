"""The cost model: data for every kernel that a choice depends on, and close to what the emulator counted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgesparse.boards import CORES, Core, templates_folder
from edgesparse.lowering.costs import COSTS_PATH, core_column, estimate, is_calibrated
from edgesparse.lowering.lower import FORMATS_OF, lower
from edgesparse.tflite.read import read_graph
from tests.kernels.networks import NETWORKS
from tests.support.host_kernels import PORTABLE

KERNELS = templates_folder() / "kernels"
LARGEST_MEAN_ERROR = 0.05


@pytest.mark.parametrize("core", [*CORES.values(), PORTABLE], ids=lambda core: core.name)
@pytest.mark.parametrize("name", [kind.lower() for kind in FORMATS_OF] + ["depthwise_conv_2d"])
def test_every_kernel_is_calibrated(name: str, core: Core) -> None:
    """`make calibrate` after a kernel got new work, or another name."""
    for seed in range(20):
        graph = read_graph(NETWORKS[name](np.random.default_rng(seed))[0])
        for format in ("", *FORMATS_OF.get(name.upper(), {})):
            for call in lower(graph, core, forced=format).calls:
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


def test_an_estimate_is_linear_in_the_work() -> None:
    core = CORES["cortex-m4"]
    one = estimate(core, "es_conv_2d_dense_s8", {"passes": 1, "units": 100_000})
    two = estimate(core, "es_conv_2d_dense_s8", {"passes": 2, "units": 200_000})
    assert abs(two - 2 * one) <= 1
    assert estimate(core, "es_not_yet_calibrated_s8", {"units": 5}) == 50
