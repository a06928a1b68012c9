"""bench-mobile: figures of both files on every installed runtime, and what it says where one is missing."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from edgesparse.cli import main
from edgesparse.commands.bench_mobile import bench_mobile
from edgesparse.commands.firmware import firmware
from edgesparse.missing import Missing
from edgesparse.mobile import measure
from edgesparse.oracle import PHONE_RUNTIMES, runtime_version
from edgesparse.result import MobileRun, MobileRuntime
from tests.support.small_networks import conv_network

FIGURES = {"load_ms", "first_ms", "latency_ms", "latency_p90_ms", "memory_bytes"}


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "network.tflite").write_bytes(conv_network())
    firmware(folder / "network.tflite", out=folder / "out", vectors=1)
    return folder / "out"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["edgesparse", "bench-mobile", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def test_both_files_are_measured_on_every_installed_runtime(
    converted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, converted, "--rounds", "1", "--runs", "3", "--threads", "2", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["dtype"], result["threads"], result["rounds"], result["runs"]) == ("int8", 2, 1, 3)
    assert result["files"]["sparse"]["bytes"] < result["files"]["dense"]["bytes"]
    assert set(result["runtimes"]) == set(PHONE_RUNTIMES)
    for runtime, figures in result["runtimes"].items():
        if runtime_version(PHONE_RUNTIMES[runtime]) is None:
            assert "not installed" in figures["unavailable"]
            continue
        for role in ("dense", "sparse"):
            assert set(figures[role]) == FIGURES
            assert all(figures[role][name] > 0 for name in ("load_ms", "first_ms", "latency_ms"))
            assert figures[role]["latency_p90_ms"] >= figures[role]["latency_ms"]
        assert figures["max_difference"] <= 2
    assert {layer["storage"] for layer in result["layers"]} > {"dense"}
    assert all("int8 weights" in layer["reason"] for layer in result["layers"])


def test_the_table_names_files_runtimes_and_layers(
    converted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, converted, "--rounds", "1", "--runs", "1") == 0
    text = capsys.readouterr().out
    for expected in ("model.sparse.tflite", "latency, median", "memory, peak", "conv_2d", "block1x4"):
        assert expected in text


def test_without_any_runtime_it_is_exit_4_and_says_how_to_get_one(
    converted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "runtime_version", lambda distribution: None)
    assert run(monkeypatch, converted) == 4
    captured = capsys.readouterr()
    assert "pip install edgesparse[mobile]" in captured.err
    assert captured.out == ""


def test_a_missing_runtime_is_unavailable(converted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        measure, "runtime_version", lambda name: None if name == "ai-edge-litert" else runtime_version(name)
    )
    if runtime_version("tflite-runtime") is None:
        pytest.skip("tflite-runtime is not installed")
    result = bench_mobile(converted, rounds=1, runs=1)
    assert result.runtimes["litert"] == Missing("not installed; pip install edgesparse[mobile]")
    assert set(result.to_json()["runtimes"]["tflite-runtime"]["sparse"]) == FIGURES


def test_a_file_that_does_not_load_is_unavailable_with_the_runtimes_words(converted: Path, tmp_path: Path) -> None:
    shutil.copytree(converted, tmp_path / "out")
    (tmp_path / "out" / "model.sparse.tflite").write_bytes(b"\x20\0\0\0TFL3" + bytes(100))
    result = bench_mobile(tmp_path / "out", rounds=1, runs=1)
    for runtime, figures in result.runtimes.items():
        if runtime_version(PHONE_RUNTIMES[runtime]) is not None:
            assert isinstance(figures, MobileRuntime)
            assert isinstance(figures.sparse, Missing)
            assert isinstance(figures.dense, MobileRun)
            assert isinstance(figures.max_difference, Missing)


@pytest.mark.parametrize(
    ("damage", "options", "expected"),
    [
        ("report.json", [], "report.json"),
        ("model.sparse.tflite", [], "model.sparse.tflite: no such file"),
        ("mobile", [], "report.json: damaged or not complete: mobile: is missing"),
        ("", ["--threads", "0"], "threads: expected a whole number from 1"),
    ],
)
def test_a_folder_that_cannot_be_measured_is_refused_in_one_line(
    damage: str,
    options: list[str],
    expected: str,
    converted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(converted, folder)
    if damage == "mobile":
        report: dict[str, Any] = json.loads((folder / "report.json").read_text())
        del report["mobile"]
        (folder / "report.json").write_text(json.dumps(report))
    elif damage:
        (folder / damage).unlink()
    assert run(monkeypatch, folder, *options) == 2
    captured = capsys.readouterr()
    errors = captured.err.strip().splitlines()
    assert len(errors) == 1, captured.err
    assert expected in errors[0]
