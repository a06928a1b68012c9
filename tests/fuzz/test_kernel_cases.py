"""Random cases of every kernel against TFLite Micro; and that a wrong one would be found."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from edgesparse.lowering import lower
from edgesparse.tflite import read_graph
from tests.conftest import skip_or_fail
from tests.fuzz import kernels
from tests.kernels.networks import NETWORKS
from tests.support.host_kernels import DSP
from tests.support.kernel_driver import Driver, DriverCase, kernel_functions

CASES = 2500


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    if shutil.which("gcc") is None:
        skip_or_fail("gcc is not installed")
    return Driver(tmp_path_factory.mktemp("driver"))


@pytest.mark.slow
def test_every_kernel_gives_the_bytes_of_the_reference(driver: Driver) -> None:
    *_, counts = kernels.run_kernel_cases(driver, first=0, count=CASES, seed=3)
    assert counts.cases == CASES
    assert not counts.without_cases
    assert set(counts.kernels) == set(kernel_functions())


@pytest.mark.slow
def test_a_wrong_kernel_a_wrong_plan_and_a_wrong_size_are_found(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, inputs = NETWORKS["conv_2d"](np.random.default_rng(5))
    graph = read_graph(model)
    packed = lower(graph, DSP, forced="dense")
    good = DriverCase(7, graph, packed, inputs[0].tobytes())
    expected = driver.run([good, replace(good, in_arena=True)])
    assert expected[0] == expected[1]

    call = packed.calls[0]
    other = replace(call, fields=tuple((n, v + 1 if n == "pad_left" else v) for n, v in call.fields))
    assert driver.run([replace(good, packed=replace(packed, calls=(other,)))]) != expected[:1]

    small = replace(call, scratch_bytes=call.scratch_bytes - 8)
    with pytest.raises(AssertionError, match=r"(?s)case 7\n.*AddressSanitizer"):
        driver.run([replace(good, packed=replace(packed, calls=(small,)))])
    large = replace(call, fields=tuple((n, 1 << 16 if n == "in_w" else v) for n, v in call.fields))
    with pytest.raises(AssertionError, match="exit code 6: case 7"):
        driver.run([replace(good, packed=replace(packed, calls=(large,)))])

    monkeypatch.setattr(kernels, "tflm_output", lambda model, inputs: np.zeros(1, np.int8))
    with pytest.raises(kernels.KernelMismatchError, match=r"case 0 of seed 3: es_\w+ differs from TFLite Micro"):
        list(kernels.run_kernel_cases(driver, first=0, count=1, seed=3))
