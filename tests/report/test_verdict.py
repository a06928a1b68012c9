"""The sentences that come first: usable or not, and never a success where the dense twin is faster or smaller."""

from __future__ import annotations

from typing import Any

import pytest

from edgesparse.report.verdict import verdict


def _report(optimize: str = "latency", agreement: float = 0.985, **ratio: Any) -> dict[str, Any]:
    return {
        "ratio": {"flash": 1.5, "instructions": 1.68, "cycles": 1.6, **ratio},
        "fidelity": {"sparse_vs_float": {"top1_agreement": agreement, "correlation": 0.99}},
        "bit_exact": {"ok": True, "reference": "the reference", "vectors": 8},
        "settings": {"optimize": optimize, "method": "magnitude", "data": None},
    }


def test_a_firmware_that_gains_is_usable() -> None:
    judged = verdict(_report())
    assert judged.ok
    assert judged.sentences[0] == "Usable: top1 agreement with the float model is 0.985."


@pytest.mark.parametrize(
    ("ratio", "how"),
    [
        ({"instructions": 0.5435}, "slower than its dense twin (instructions 1.84x)"),
        ({"flash": 0.8}, "larger than its dense twin (flash 1.25x)"),
        ({"instructions": {"unavailable": "QEMU"}, "cycles": 0.9}, "slower than its dense twin (cycles 1.11x)"),
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
