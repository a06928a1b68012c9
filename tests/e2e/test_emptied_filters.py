"""A network that pruning left a filter without weights in runs no slower than the network that it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgesparse.commands.firmware import firmware
from tests.support.emptied_filters import chain, prune


@pytest.mark.parametrize("emptied", [[], [5]], ids=["none", "one"])
def test_an_emptied_filter_costs_no_instructions(emptied: list[int], gcc: str, tmp_path: Path) -> None:
    """Its bias is just under 2^30; with an ordinary shift, so that its output is the smallest byte."""
    rng = np.random.default_rng(0)
    weights = [
        rng.integers(1, 128, (16, 3, 3, 16)).astype(np.int8) * rng.choice([-1, 1], (16, 3, 3, 16)).astype(np.int8)
        for _ in range(3)
    ]
    pruned = [prune(rng, values, 0.9, emptied if number == 1 else []) for number, values in enumerate(weights)]
    odd = dict.fromkeys(emptied, (-(1 << 30) + 777, 2.0 ** (-12.5)))
    instructions = {}
    for name, layers in (
        ("unpruned", [(values, {}) for values in weights]),
        ("pruned", [(values, odd if number == 1 else {}) for number, values in enumerate(pruned)]),
    ):
        model = tmp_path / f"{name}.tflite"
        model.write_bytes(chain(layers, 12))
        report = firmware(model, out=tmp_path / name, toolchain=gcc, vectors=2)
        assert report.bit_exact.ok
        instructions[name] = report.sparse.instructions
        kernels = {path.stem for path in (tmp_path / name / "firmware" / "kernels").glob("es_conv_2d_*_s8*.c")}
        assert all(kernel.endswith("_dsp") for kernel in kernels), kernels
    assert instructions["pruned"] < 0.6 * instructions["unpruned"], instructions
