"""A report of a real run, and one in which every part is filled."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from edgesparse.commands.firmware import firmware
from tests.support.reports import SAMPLE
from tests.support.small_networks import conv_network


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `firmware` wrote for a small network."""
    place = tmp_path_factory.mktemp("report")
    model = place / "network.tflite"
    model.write_bytes(conv_network())
    firmware(model, out=place / "out", vectors=2, budget="flash=1M,instructions=1")
    return place / "out"


@pytest.fixture
def report(folder: Path) -> dict[str, Any]:
    """Its report.json."""
    value: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return value


@pytest.fixture
def full(report: dict[str, Any]) -> dict[str, Any]:
    """The same as if it came from a Keras model with labels, with a baseline and memories."""
    full = copy.deepcopy(report)
    figures = {"top1_agreement": 0.985, "correlation": 0.998809, "mean_abs_error": 1.5e-05, "max_abs_error": 0.22612}
    full["fidelity"] = {"samples": 12345, "int8_vs_float": figures, "sparse_vs_float": figures}
    full["accuracy"] = {"metric": "top1", "samples": 12345, "float": 0.9175, "int8": 0.9275, "sparse_int8": 0.9125}
    timed = {name: value for name, value in full["dense"].items() if name != "memory"}
    full["baseline"] = {**SAMPLE.to_json()["baseline"], **timed, "instructions": 9876543}
    memory = {**SAMPLE.to_json()["sparse"]["memory"], "cycles": 7654321}
    full["sparse"]["memory"] = {**memory, "latency_ms": 12.3456}
    full["dense"]["memory"] = {**memory, "latency_ms": 34.5678}
    full["layers"][0]["activation_sparsity"] = 0.4522
    full["warnings"] = ["the first warning"]
    return full
