"""Firmware on a real TFLite Micro: bit-exact, fewer instructions, an exact arena, and a reason where it refuses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgesparse.boards import load_board
from edgesparse.commands.convert import convert
from edgesparse.commands.emulate import emulate
from edgesparse.commands.firmware import firmware as firmware_command
from edgesparse.emulate import EMULATORS
from edgesparse.errors import RefusedError
from edgesparse.firmware import set_arena
from edgesparse.measure.runtimes import RUNTIMES
from edgesparse.report.report import Report
from edgesparse.tflm import ARENA_ALIGNMENT, TflmLibrary
from edgesparse.toolchain import find
from tests.support.small_networks import conv_network

BOARD = load_board("mps2-an386")

FEWER = {"ad01": 2.5, "resnet": 4.0, "kws": 1.6}
"""Instructions of dense TFLite Micro / those with custom ops, at 80 % in blocks."""

FILES = {"ad01": "ad01.h5", "resnet": "pretrainedResnet.h5", "kws": "kws_ref_model.h5"}


def run(project: Path) -> None:
    """With the arena that the project has."""
    elf = RUNTIMES["tflm"].build(project, find("gcc"), BOARD)
    EMULATORS["unicorn"].run(elf, BOARD, timeout_s=60)


@pytest.fixture(scope="module")
def firmware(library: TflmLibrary, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """A small network on TFLite Micro: its output folder and report."""
    folder = tmp_path_factory.mktemp("tflm")
    (folder / "net.tflite").write_bytes(conv_network())
    return folder / "out", firmware_command(folder / "net.tflite", out=folder / "out", runtime="tflm", vectors=3)


def assert_good(report: Report) -> None:
    assert report.bit_exact.ok
    for build in ("sparse", "dense", "baseline"):
        figures = getattr(report, build)
        assert figures.flash_bytes == figures.code_bytes + figures.weight_bytes + figures.table_bytes
        assert figures.arena_high_water_bytes == figures.arena_bytes
        assert figures.arena_bytes % ARENA_ALIGNMENT == 0
    scratch = max(row.scratch_bytes for row in report.layers if isinstance(row.scratch_bytes, int))
    assert report.sparse.arena_bytes <= report.dense.arena_bytes + scratch + ARENA_ALIGNMENT


def test_sparse_layers_run_as_custom_ops_and_everything_agrees(firmware: tuple[Path, Report]) -> None:
    out, report = firmware
    assert_good(report)
    assert report.ratio.instructions > 1.3
    assert "TFLite Micro" in report.baseline.runtime
    ops = (out / "firmware" / "tflm" / "tflm_ops.cc").read_text()
    assert "EDGESPARSE_CONV_2D" in ops
    assert "AddConv2D" not in ops, "exactly the needed ops"
    assert "EDGESPARSE" not in (out / "dense" / "tflm" / "tflm_ops.cc").read_text()
    total = sum(layer.instructions for layer in report.layers)
    assert total == report.sparse.instructions, "every instruction belongs to a layer"


def test_qemu_agrees(firmware: tuple[Path, Report], qemu: str) -> None:
    out, report = firmware
    again = emulate(out, emulator="qemu")
    assert_good(again)
    for build in ("sparse", "dense"):
        assert abs(getattr(again, build).instructions - getattr(report, build).instructions) <= 80
        assert getattr(again, build).arena_bytes == getattr(report, build).arena_bytes


def test_a_smaller_arena_is_refused_with_its_bytes_and_the_variable(firmware: tuple[Path, Report]) -> None:
    out, report = firmware
    needed = report.sparse.arena_bytes
    set_arena(out / "firmware", needed - ARENA_ALIGNMENT)
    try:
        with pytest.raises(RefusedError, match=rf"got {needed - ARENA_ALIGNMENT:,}; .*TFLM_ARENA_BYTES=") as caught:
            run(out / "firmware")
    finally:
        set_arena(out / "firmware", needed)
    assert caught.value.arena


def test_options_of_another_version_are_refused_by_name(firmware: tuple[Path, Report]) -> None:
    out, report = firmware
    path = out / "firmware" / "tflm" / "model.tflite"
    good = path.read_bytes()
    kinds = {"CONV_2D": 44, "FULLY_CONNECTED": 36}
    first = next(row for row in report.layers if row.format not in ("none", "dense"))
    length = kinds[first.op]
    at = good.index(length.to_bytes(4, "little") + b"\x01", 0)
    assert good[at + 4] == 1
    path.write_bytes(good[: at + 4] + b"\x02" + good[at + 5 :])
    try:
        with pytest.raises(
            RefusedError, match=r"EDGESPARSE_.*version of the custom options: got 2, expected 1"
        ) as caught:
            run(out / "firmware")
    finally:
        path.write_bytes(good)
    assert caught.value.op.startswith("EDGESPARSE_")


def test_an_op_that_the_resolver_lacks_is_named(firmware: tuple[Path, Report]) -> None:
    out, _ = firmware
    path = out / "firmware" / "tflm" / "tflm_ops.cc"
    good = path.read_text()
    line = next(line for line in good.splitlines(keepends=True) if "AddCustom" in line)
    path.write_text(good.replace(line, ""))
    try:
        with pytest.raises(RefusedError, match="no registration for EDGESPARSE_"):
            run(out / "firmware")
    finally:
        path.write_text(good)


def test_make_alone_builds_and_runs_it(firmware: tuple[Path, Report], library: TflmLibrary, qemu: str) -> None:
    out, _ = firmware
    command = ["make", "RUNTIME=tflm", f"TFLM_DIR={library.root}", "run"]
    done = subprocess.run(command, cwd=out / "firmware", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "es end" in done.stdout
    assert "es arena" not in done.stdout, "nothing to say where the arena is exact"


def test_the_baseline_of_generated_code_is_tflite_micro(library: TflmLibrary, tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(conv_network())
    report = firmware_command(tmp_path / "net.tflite", out=tmp_path / "out", vectors=1)
    baseline = report.baseline
    assert baseline.runtime.startswith(library.description)
    assert baseline.bit_exact.ok
    assert baseline.instructions > report.dense.instructions
    other = firmware_command(tmp_path / "net.tflite", out=tmp_path / "other", runtime="tflm", vectors=1)
    assert baseline.instructions == other.dense.instructions


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FILES))
def test_real_networks_reach_the_goals(
    library: TflmLibrary, models: Path, tmp_path: Path, name: str, qemu: str
) -> None:
    out = tmp_path / "out"
    report = convert(models / FILES[name], out=out, runtime="tflm", sparsity=0.8, pattern="block", vectors=2)
    assert_good(report)
    assert report.ratio.instructions >= FEWER[name]
    assert_good(emulate(out, emulator="qemu"))
