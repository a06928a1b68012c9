"""The command line: exit codes, one-line errors, no output folder after a failure, stdout for results only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.reports import SAMPLE, changed
from tests.support.small_networks import conv_network

COMMAND = [sys.executable, "-c", "from edgesparse.cli import start; start()"]


def run(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )


def assert_refused(done: subprocess.CompletedProcess[str], folder: Path, expected: str) -> None:
    lines = done.stderr.splitlines()
    errors = [line for line in lines if line.startswith("edgesparse: error: ")]
    assert done.returncode == 2, done.stderr
    assert len(errors) == 1, done.stderr
    assert lines[-1] == errors[0]
    assert expected in errors[0]
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert not list(folder.glob("*.edgesparse")), "no output folder"
    assert not list(folder.glob(".*")), "nothing half-written"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "network.tflite"
    path.write_bytes(conv_network())
    return path


def test_bad_input_is_one_line_with_exit_2(tmp_path: Path, network: Path) -> None:
    (tmp_path / "text.h5").write_text("this is no HDF5 file\n")
    (tmp_path / "short.tflite").write_bytes(network.read_bytes()[:1000])
    (tmp_path / "notes.txt").write_text("hello\n")
    np.save(tmp_path / "nan.npy", np.full((2, 4), np.nan))
    cases: dict[tuple[str, ...], str] = {
        ("convert", "missing.h5"): "missing.h5",
        ("convert", "missing.tflite"): "missing.tflite",
        ("convert", "short.tflite"): "short.tflite",
        ("firmware", "short.tflite"): "short.tflite",
        ("inspect", "short.tflite"): "short.tflite",
        ("convert", "text.h5", "--sparsity", "1.5"): "sparsity",
        ("convert", "text.h5", "--pattern", "stars"): "stars",
        ("convert", "text.h5", "--method", "finetune"): "--data",
        ("convert", "text.h5", "--data", "nan.npy"): "NaN",
        ("convert", "text.h5", "--data", "none.npz"): "none.npz",
        ("convert", "text.h5", "--board", "toaster"): "toaster",
        ("convert", "text.h5", "--toolchain", "msvc"): "msvc",
        ("convert", "text.h5", "--emulator", "renode"): "renode",
        ("convert", "text.h5", "--memory-profile", "stm32x"): "stm32x",
        ("firmware", "network.tflite", "--memory-profile", "stm32u575"): "cortex-m33",
        ("convert", "text.h5", "--config", "none.toml"): "none.toml",
        ("convert", "network.tflite", "--sparsity", "0.5"): "--sparsity",
        ("convert", "network.tflite", "--mobile-dtype", "float32"): "--mobile-dtype",
        ("convert", "text.h5", "--mobile-optimize", "speed"): "mobile_optimize",
        ("bench-mobile", "nowhere"): "report.json",
        ("convert", "text.h5", "--budget", "flash=1X"): "flash: expected N|NB|NK|NM",
        ("convert", "text.h5", "--budget", "accuracy-drop=1pt"): "no labels",
        ("firmware", "network.tflite", "--budget", "agreement=0.9"): "without a float model",
        ("firmware", "network.tflite", "--junit", "b.xml"): "--budget",
        ("firmware", "network.tflite", "--budget", "flash=1K", "--junit", "none/b.xml"): "none",
        ("compare", "nowhere", "text.h5"): "nowhere",
        ("compare", "text.h5", "text.h5"): "text.h5",
        ("report", "."): "report.json",
        ("convert",): "MODEL",
        ("firmware", "network.tflite", "--tflm-max-arena", "0"): "tflm_max_arena",
        ("emulate", "."): "report.json",
        ("build", "nowhere"): "report.json",
        ("frobnicate",): "frobnicate",
    }
    for arguments, expected in cases.items():
        assert_refused(run(*arguments, folder=tmp_path), tmp_path, expected)


def test_emulate_shows_a_profile_with_the_waits_of_a_part(tmp_path: Path, network: Path) -> None:
    run("firmware", network, "-o", "out", "--vectors", "1", folder=tmp_path)
    done = run("emulate", "out", "--profile", "--memory-profile", "stm32l4r5", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "with the memories of stm32l4r5" in done.stdout
    assert "instructions per mac" in " ".join(done.stdout.split())
    done = run("emulate", "out", "--profile", "--json", folder=tmp_path)
    report = json.loads(done.stdout)
    assert report["profile"]["dense"]["memory_profile"] == "stm32l4r5", "remembered"
    assert report["sparse"]["memory"]["clock_hz"] == 120_000_000


def test_a_foreign_output_folder_is_refused(tmp_path: Path, network: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("precious")
    assert_refused(run("firmware", network, "-o", "mine", folder=tmp_path), tmp_path, "--force")
    assert (tmp_path / "mine" / "work.txt").read_text() == "precious"


def test_an_op_without_a_kernel_lists_all_of_them(tmp_path: Path) -> None:
    from tests.support.small_networks import unsupported_network

    (tmp_path / "odd.tflite").write_bytes(unsupported_network())
    done = run("firmware", "odd.tflite", folder=tmp_path)
    assert_refused(done, tmp_path, "ELU")
    assert "SQRT" in done.stderr


def test_json_is_the_report_and_nothing_else(tmp_path: Path, network: Path) -> None:
    done = run("firmware", network, "--json", "--vectors", "2", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report == json.loads((tmp_path / "network.edgesparse" / "report.json").read_text())
    assert report["bit_exact"] == {"ok": True, "vectors": 2, "reference": report["bit_exact"]["reference"]}
    for command in ("build", "emulate"):
        again = run(command, "network.edgesparse", "--json", folder=tmp_path)
        assert again.returncode == 0, again.stderr
        assert json.loads(again.stdout)["schema"] == 1
    final = json.loads((tmp_path / "network.edgesparse" / "report.json").read_text())
    assert final == report, "building and running again gives the same figures"


def test_progress_goes_to_stderr_and_the_table_to_stdout(tmp_path: Path, network: Path) -> None:
    done = run("firmware", network, folder=tmp_path)
    assert done.returncode == 0
    assert "building firmware" in done.stderr
    assert "byte for byte" in done.stdout
    assert "building" not in done.stdout


def test_a_broken_kernel_is_a_mismatch_with_exit_5(tmp_path: Path, network: Path) -> None:
    assert run("firmware", network, folder=tmp_path).returncode == 0
    out = tmp_path / "network.edgesparse"
    weights = out / "firmware" / "model" / "network_weights.c"
    text = weights.read_text()
    at = text.index("_bias[")
    start = text.index("{", at) + 1
    end = text.index("}", start)
    weights.write_text(text[:start] + text[start:end].replace(" ", " 9000 + ") + text[end:])
    done = run("emulate", out, folder=tmp_path)
    assert done.returncode == 5, done.stderr
    assert "differs from tflite-micro" in done.stderr
    assert "first at byte" in done.stderr


def test_a_missing_tool_is_exit_4_and_says_how_to_get_it(
    tmp_path: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    done = run("firmware", network, "--toolchain", "gcc", folder=tmp_path)
    assert done.returncode == 4
    assert "gcc-arm-none-eabi" in done.stderr


def test_boards_and_doctor_answer(tmp_path: Path) -> None:
    boards = json.loads(run("boards", "--json", folder=tmp_path).stdout)
    assert "mps2-an386" in [board["name"] for board in boards]
    tools = {row["tool"] for row in json.loads(run("doctor", "--json", folder=tmp_path).stdout)}
    assert {"make", "zig", "unicorn", "tflite-micro", "pyocd", "openocd", "st-flash", "gdb-multiarch"} <= tools
    table = run("boards", folder=tmp_path).stdout.splitlines()
    assert " unverified " in next(line for line in table if line.startswith("nucleo-f446re"))
    assert " verified " in next(line for line in table if line.startswith("nucleo-l4r5zi"))


def test_names_of_layers_are_printed_as_they_are(tmp_path: Path, network: Path) -> None:
    """Not as the markup or the emoji codes of the library that prints tables."""
    run("firmware", network, folder=tmp_path)
    stored = tmp_path / "network.edgesparse" / "report.json"
    report = json.loads(stored.read_text())
    names = ["[red]x", "[/x]", ":dog:", "a[b]c", "\\[bold]"]
    for layer, name in zip(report["layers"], names, strict=True):
        layer["name"] = name
    stored.write_text(json.dumps(report))
    done = run("report", "network.edgesparse", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert [row for row in rows if row in names] == names


def test_names_that_no_encoding_has_are_printed_too(tmp_path: Path) -> None:
    report = changed("source", path="not UTF-8: \udcff.h5")
    (tmp_path / "report.json").write_text(json.dumps(report.to_json()))
    done = run("report", ".", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert r"not UTF-8: \udcff.h5" in done.stdout


@pytest.mark.parametrize("command", ["report", "compare", "bench-mobile", "export"])
def test_a_damaged_report_is_one_line_and_exit_2(tmp_path: Path, command: str) -> None:
    value = SAMPLE.to_json()
    value["sparse"]["flash_bytes"] = "many"
    (tmp_path / "report.json").write_text(json.dumps(value))
    options = {"compare": ["."], "export": ["--format", "cmake"]}.get(command, [])
    done = run(command, ".", *options, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "edgesparse: error: report.json: damaged or not complete: sparse.flash_bytes: expected int, got 'many'; "
        "run edgesparse convert again\n"
    )


def test_config_is_read_and_the_command_line_wins(tmp_path: Path, network: Path) -> None:
    (tmp_path / "edgesparse.toml").write_text("vectors = 3\nseed = 5\n")
    done = run("firmware", network, "--config", "edgesparse.toml", "--seed", "6", "--json", folder=tmp_path)
    settings = json.loads(done.stdout)["settings"]
    assert (settings["vectors"], settings["seed"]) == (3, 6)
