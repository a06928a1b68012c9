"""The sentences that come first: usable or not, and never a success where the dense twin is faster or smaller."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgesparse.missing import Missing
from edgesparse.report.report import Report
from edgesparse.report.verdict import verdict
from edgesparse.result import Fidelity, OutputDistance, Ratio
from edgesparse.settings import Settings
from tests.support.reports import SAMPLE


def _report(optimize: str = "latency", agreement: float = 0.985, **ratio: Any) -> Report:
    distance = OutputDistance(top1_agreement=agreement, correlation=0.99, mean_abs_error=0.0, max_abs_error=0.0)
    return replace(
        SAMPLE,
        settings=Settings(optimize=optimize, method="magnitude"),
        fidelity=Fidelity(samples=100, int8_vs_float=distance, sparse_vs_float=distance),
        ratio=Ratio(**{"flash": 1.5, "weights": 2.0, "instructions": 1.68, "cycles": 1.6, **ratio}),
        budgets=(),
    )


def test_a_firmware_that_gains_is_usable() -> None:
    judged = verdict(_report())
    assert judged.ok
    assert judged.sentences[0] == "Usable: top1 agreement with the float model is 0.985."


@pytest.mark.parametrize(
    ("ratio", "how"),
    [
        ({"instructions": 0.5435}, "slower than its dense twin (instructions 1.84x)"),
        ({"flash": 0.8}, "larger than its dense twin (flash 1.25x)"),
        ({"instructions": Missing("QEMU"), "cycles": 0.9}, "slower than its dense twin (cycles 1.11x)"),
        ({"flash": 0.8, "cycles": 0.5}, "larger and slower than its dense twin (flash 1.25x, cycles 2.00x)"),
    ],
)
def test_a_firmware_slower_or_larger_than_its_dense_twin_is_no_success(ratio: dict[str, Any], how: str) -> None:
    judged = verdict(_report(**ratio))
    assert not judged.ok
    assert judged.sentences[0].startswith(f"Not worth it: {how}. Try: ")
    assert judged.sentences[1] == "Top1 agreement with the float model is 0.985."


def test_that_it_is_unusable_comes_before_that_it_is_slower() -> None:
    judged = verdict(_report(agreement=0.3, instructions=0.9))
    assert judged.sentences[0].startswith("This network is not usable as it is: ")
    assert judged.sentences[1].startswith("Not worth it: slower ")
    assert not judged.ok


def test_a_difference_that_no_figure_shows_is_none() -> None:
    assert verdict(_report(flash=1.0, instructions=0.996, cycles=1)).ok


def test_who_optimizes_for_flash_gives_instructions_away() -> None:
    assert verdict(_report("flash", instructions=0.7, cycles=0.7)).ok
    assert not verdict(_report("flash", flash=0.9)).ok
