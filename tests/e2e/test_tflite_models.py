"""int8 .tflite files to firmware: every compiler and emulator gives the reference's bytes, and the same counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgesparse.commands.emulate import emulate
from edgesparse.commands.firmware import firmware
from edgesparse.missing import Missing
from edgesparse.report.report import Report
from tests.support.small_networks import conv_network

PUBLISHED = ("ad01_int8.tflite", "kws_ref_model.tflite", "pretrainedResnet_quant.tflite")

# TFLite Micro with CMSIS-NN, arena in bytes: what it needs for the same networks.
TFLM_ARENA_BYTES = {
    "ad01_int8.tflite": 2_580,
    "kws_ref_model.tflite": 22_820,
    "pretrainedResnet_quant.tflite": 54_996,
}


def assert_agree(first: Report, second: Report) -> None:
    for build in ("sparse", "dense"):
        a, b = getattr(first, build).instructions, getattr(second, build).instructions
        assert abs(a - b) <= max(80, a / 1000), f"{build}: {a} and {b} instructions"


def assert_complete(report: Report) -> None:
    assert report.bit_exact.ok
    assert report.bit_exact.reference.startswith("tflite-micro")
    for build in ("sparse", "dense"):
        figures = getattr(report, build)
        assert figures.flash_bytes == figures.code_bytes + figures.weight_bytes + figures.table_bytes
        assert figures.arena_high_water_bytes <= figures.arena_bytes
        assert figures.ram_bytes == figures.static_bytes + figures.arena_bytes + figures.stack_bytes
        assert figures.arena_bytes <= figures.arena_live_bytes + figures.arena_scratch_bytes + 8 * 8
        assert 0 < figures.instructions_min <= figures.instructions
    total = sum(layer.instructions for layer in report.layers)
    assert total <= report.sparse.instructions <= total + 200, "the layers add up to the whole"


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
def test_a_small_network_agrees_everywhere(tmp_path: Path, toolchain: str, request: pytest.FixtureRequest) -> None:
    if toolchain == "gcc":
        request.getfixturevalue("gcc")
    request.getfixturevalue("qemu")
    model = tmp_path / "net.tflite"
    model.write_bytes(conv_network())
    out = tmp_path / "out"
    unicorn = firmware(model, out=out, toolchain=toolchain)
    assert_complete(unicorn)
    assert unicorn.ratio.weights > 1
    qemu = emulate(out, emulator="qemu")
    assert qemu.bit_exact.ok
    assert isinstance(qemu.sparse.cycles, Missing)
    assert_agree(unicorn, qemu)


@pytest.mark.parametrize("optimize", ["latency", "flash"])
@pytest.mark.parametrize("density", [0.25, 0.7])
def test_what_is_optimized_is_never_worse_than_dense(tmp_path: Path, optimize: str, density: float) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(conv_network(density=density))
    report = firmware(model, out=tmp_path / "out", optimize=optimize, vectors=1)
    assert report.settings.optimize == optimize
    if optimize == "latency":
        for layer in report.layers:
            assert layer.instructions <= 1.02 * layer.dense_instructions, layer.name
    else:
        assert report.sparse.flash_bytes <= report.dense.flash_bytes
    again = emulate(tmp_path / "out")
    assert again.sparse.instructions == report.sparse.instructions


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(conv_network())
    (tmp_path / "elsewhere").mkdir()
    outs = [tmp_path / "a", tmp_path / "elsewhere" / "b"]
    for out in outs:
        firmware(model, out=out)
    files = sorted(p.relative_to(outs[0]) for p in outs[0].rglob("*") if p.is_file() and p.suffix not in (".o", ".d"))
    assert any(p.suffix == ".elf" for p in files)
    for name in files:
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_agree_everywhere(
    models: Path, tmp_path: Path, name: str, toolchain: str, request: pytest.FixtureRequest
) -> None:
    if toolchain == "gcc":
        request.getfixturevalue("gcc")
    request.getfixturevalue("qemu")
    unicorn = firmware(models / name, out=tmp_path / "out", toolchain=toolchain)
    assert_complete(unicorn)
    assert unicorn.sparse.arena_bytes <= TFLM_ARENA_BYTES[name]
    assert_agree(unicorn, emulate(tmp_path / "out", emulator="qemu"))
