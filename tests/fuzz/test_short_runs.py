"""A short fuzzing run of every target, the same files each time; and that a finding would be one."""

from __future__ import annotations

import importlib.util
import random
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgesparse.errors import CrashError, ModelError
from edgesparse.tflite import read_graph
from tests.conftest import skip_or_fail
from tests.fuzz import fields, runner
from tests.fuzz.__main__ import NAMES
from tests.fuzz.runner import Outcome, structural
from tests.fuzz.targets import TARGETS, small_networks
from tests.support.small_networks import conv_network

RUNS = {"reader": 2000}


@pytest.mark.parametrize("name", NAMES)
def test_fields_of_any_value_give_an_error_of_ours_or_a_result(name: str, tmp_path: Path) -> None:
    outcome = Outcome(TARGETS[name], tmp_path)
    structural(outcome, RUNS.get(name, 300), seed=1)
    assert not outcome.findings
    assert outcome.executions == RUNS.get(name, 300)
    assert min(outcome.refused, outcome.accepted) > 0, "neither refused nor accepted files would say little"


def test_files_that_reach_new_code_give_an_error_of_ours_or_a_network(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        skip_or_fail("atheris is not installed")
    command = [sys.executable, "-m", "tests.fuzz", "reader", "--runs", "800", "--found", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "reader, coverage, seed 1: 800 executions" in done.stdout
    assert ", 0 findings" in done.stdout


def _wrong_kind(data: bytes) -> None:
    raise CrashError("not an error of the input")


def _two_lines(data: bytes) -> None:
    raise ModelError("one\ntwo")


def _too_large(data: bytes) -> None:
    np.empty(4 * runner.MEMORY_BYTES, np.int8)


def _too_slow(data: bytes) -> None:
    end = time.process_time() + 30
    while time.process_time() < end:
        pass


def _too_deep(data: bytes) -> None:
    _too_deep(data)


@pytest.mark.parametrize(
    ("run", "finding"),
    [
        (lambda data: data[5], "IndexError"),
        (lambda data: sys.exit(2), "SystemExit"),
        (lambda data: warnings.warn("divided by zero", RuntimeWarning, stacklevel=1), "RuntimeWarning"),
        (_too_deep, "RecursionError"),
        (_wrong_kind, "CrashError"),
        (_two_lines, "a message of several lines"),
        (_too_large, "MemoryError"),
        (_too_slow, "TooSlowError"),
    ],
)
def test_what_escapes_is_a_finding(
    run: Callable[[bytes], None], finding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "SECONDS", 0.2)
    outcome = Outcome(replace(TARGETS["reader"], run=run), tmp_path / "found")
    with outcome.bounds():
        outcome.run(b"file")
        outcome.run(b"file")
    assert [key.partition(" at ")[0] for key in outcome.findings] == [finding]
    (path,) = outcome.findings.values()
    assert path.read_bytes() == b"file"


def test_every_field_of_a_file_is_a_place() -> None:
    data = conv_network()
    numbers = {(place.at, place.size) for place in fields.places(data) if place.kind == "number"}
    where = data.index(struct.pack("<5i", 4, 1, 8, 8, 4))  # the shape of the input, behind its length
    assert {(where + 4 * axis, 4) for axis in range(1, 5)} <= numbers
    scale = data.index(struct.pack("<If", 1, np.float32(0.05))) + 4
    assert fields.Place(scale, 4, "float") in fields.places(data)
    assert {"offset", "length", "slot"} <= {place.kind for place in fields.places(data)}


def test_places_of_damaged_files_end() -> None:
    rng = random.Random(0)
    for data in small_networks()[:20]:
        for _ in range(10):
            damaged = bytearray(data)
            for _ in range(20):
                damaged[rng.randrange(len(data))] = rng.randrange(256)
            fields.mutant(bytes(damaged), fields.places(bytes(damaged)), rng)


def test_a_mutant_depends_on_the_seed_alone() -> None:
    data = conv_network()
    read_graph(data)
    found = fields.places(data)
    mutants = [fields.mutant(data, found, random.Random(seed)) for seed in range(50)]
    assert mutants == [fields.mutant(data, found, random.Random(seed)) for seed in range(50)]
    assert len(set(mutants)) > 40
