"""--weights sram: the same outputs and the same flash, the weights in RAM; and an image whose weights were damaged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgesparse.commands.firmware import firmware
from edgesparse.emulate import diagnose
from edgesparse.errors import DoesNotFitError, SettingsError
from edgesparse.toolchain import read_elf
from tests.conftest import skip_or_fail
from tests.device.conftest import toolchain_or_skip
from tests.support.small_networks import conv_network
from tests.support.tflite_builder import TfliteBuilder

COMMAND = [sys.executable, "-c", "from edgesparse.cli import start; start()"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name, version, _ in diagnose():
        if name == "unicorn" and version is None:
            skip_or_fail("unicorn is not installed")
    path = tmp_path_factory.mktemp("placement") / "net.tflite"
    path.write_bytes(conv_network())
    return path


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
def test_weights_in_sram_are_bit_exact_and_cost_ram_only(toolchain: str, model: Path, tmp_path: Path) -> None:
    toolchain_or_skip(toolchain)
    reports = {
        weights: firmware(model, out=tmp_path / weights, weights=weights, toolchain=toolchain, vectors=2)
        for weights in ("flash", "sram")
    }
    for build in ("sparse", "dense"):
        flash, sram = (getattr(reports[weights], build) for weights in ("flash", "sram"))
        assert sram.weight_bytes == flash.weight_bytes
        assert sram.ram_weight_bytes == flash.weight_bytes
        assert flash.ram_weight_bytes == 0
        assert abs(sram.flash_bytes - flash.flash_bytes) <= 16
        assert 0 <= sram.ram_bytes - flash.ram_bytes - flash.weight_bytes <= 16
    assert reports["sram"].bit_exact.ok
    assert reports["sram"].settings.weights == "sram"


def test_weights_that_do_not_fit_ram_fail_before_the_build(tmp_path: Path) -> None:
    model = tmp_path / "large.tflite"
    model.write_bytes(large_network())
    lines: list[str] = []
    with pytest.raises(
        DoesNotFitError, match=r"microbit.*[\d,]+ bytes of RAM of 16,384 .*weights \(--weights sram\) 19,200"
    ):
        firmware(
            model,
            out=tmp_path / "out",
            board="microbit",
            weights="sram",
            vectors=1,
            progress=lines.append,
        )
    assert not any("building" in line for line in lines)
    assert not (tmp_path / "out").exists()


def large_network() -> bytes:
    """64 -> FULLY_CONNECTED (300): 19,200 weights, none of them zero."""
    rng = np.random.default_rng(0)
    net = TfliteBuilder()
    x, y = net.input((1, 64), 0.05, 3), net.activation((1, 300), 0.2, 4)
    weights = rng.integers(1, 128, (300, 64)).astype(np.int8)
    bias = net.constant(rng.integers(-500, 500, 300).astype(np.int32))
    net.op("FULLY_CONNECTED", [x, net.constant(weights, [0.004]), bias], [y])
    return net.build([y])


def test_an_unknown_place_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="weights: expected one of flash, sram, got 'rom'"):
        firmware(model, out=tmp_path / "out", weights="rom")


def test_a_damaged_image_ends_emulate_with_5(model: Path, tmp_path: Path) -> None:
    toolchain_or_skip("gcc")
    out = tmp_path / "out"
    firmware(model, out=out, toolchain="gcc", vectors=2)
    path = out / "firmware" / "build" / "gcc" / "firmware.elf"
    elf = read_elf(path)
    name = next(name for name, symbol in elf.symbols.items() if symbol.section == ".weights" and symbol.size >= 64)
    weights, image = elf.read(elf.symbol(name)), path.read_bytes()
    assert image.count(weights) == 1
    middle = image.index(weights) + len(weights) // 2
    path.write_bytes(image[:middle] + bytes([image[middle] ^ 1]) + image[middle + 1 :])
    done = subprocess.run([*COMMAND, "emulate", str(out)], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 5, done.stderr
    assert "weights CRC mismatch" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
