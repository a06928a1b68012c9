"""Firmware folders of small networks, and a way to run exported sources on the host."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgesparse.commands.export import export as export_command
from edgesparse.commands.firmware import firmware as firmware_command
from edgesparse.oracle import reference_outputs
from tests.conftest import skip_or_fail
from tests.support.small_networks import conv_network, depthwise_network, float_network

FORMATS = ("arduino", "zephyr", "platformio", "cmake", "cmsis-pack")


@dataclass(frozen=True)
class Firmware:
    """An output folder, the library name that follows from it, and its int8 model."""

    folder: Path
    name: str
    model: bytes
    inputs: NDArray[np.generic]  # [n, ...]

    @property
    def prefix(self) -> str:
        """What the model's C names begin with; its macros, in upper case."""
        return self.name.removeprefix("edgesparse_")

    @property
    def outputs(self) -> NDArray[np.generic]:
        return reference_outputs(self.model, self.inputs).outputs

    def output_of_zeros(self) -> NDArray[np.generic]:
        """What the model says to an input of real zeros."""
        zeros = np.zeros_like(self.inputs[:1])
        return reference_outputs(self.model, zeros + 3 if zeros.dtype == np.int8 else zeros).outputs[0].ravel()


def make_firmware(folder: Path, model: bytes, stem: str, board: str) -> Path:
    path = folder / f"{stem}.tflite"
    path.write_bytes(model)
    firmware_command(path, out=folder / "out", board=board, vectors=1)
    return folder / "out"


@pytest.fixture(scope="session", params=["dsp", "portable", "float"])
def firmware(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    """With DSP kernels; with portable ones, whose scratch has no byte to spare; with real numbers in and out.

    The input's zero point is 3 where it is int8.
    """
    rng = np.random.default_rng(5)
    kind: str = request.param
    board = "mps2-an386" if kind == "dsp" else "mps2-an385"
    if kind == "float":
        model, inputs = float_network(), rng.normal(0, 1, (4, 8, 8, 4)).astype(np.float32)
    else:
        model = conv_network() if kind == "dsp" else depthwise_network()
        inputs = rng.integers(-128, 128, (4, 8, 8, 4)).astype(np.int8)
    folder = make_firmware(tmp_path_factory.mktemp(kind), model, f"Tiny Net-1.{kind}", board)
    return Firmware(folder, f"edgesparse_tiny_net_1_{kind}", model, inputs)


@pytest.fixture(scope="session")
def dsp_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One output folder with DSP kernels, for what is the same for every network."""
    return make_firmware(tmp_path_factory.mktemp("one"), conv_network(), "net", "mps2-an386")


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    """Export a folder; returns the library's folder."""

    def run(folder: Path, format: str) -> Path:
        export_command(folder, format=format, out=tmp_path / format)
        return tmp_path / format

    return run


@pytest.fixture(scope="session")
def host_gcc() -> str:
    return need("gcc")


def need(tool: str) -> str:
    if shutil.which(tool) is None:
        skip_or_fail(f"{tool} is not installed")
    return tool


def run(*command: object, folder: Path | None = None, ok: int | None = 0) -> str:
    """Run a command; its stdout. `ok`: the exit code to expect, None for any."""
    done = subprocess.run(
        [str(c) for c in command], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert ok is None or done.returncode == ok, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def compile_sources(library: Path, folder: Path, *options: str, compiler: str = "gcc") -> list[Path]:
    """Compile all C files of a library with src/ as the only include path, as every ecosystem does."""
    sources = sorted(library.glob("src/**/*.c"))
    run(compiler, "-std=gnu11", *options, "-c", f"-I{library / 'src'}", *sources, folder=folder)
    return [folder / f"{source.stem}.o" for source in sources]
