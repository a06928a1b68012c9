"""Which tools are installed, what each is for, and how to get it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

from edgesparse import emulate, flash, toolchain
from edgesparse.boards import CORES
from edgesparse.errors import ToolMissingError
from edgesparse.tflm import GET_TFLM, find_library, library_arch

__all__ = ["Diagnosis", "diagnose"]

_PACKAGES = {
    "tflite-micro": ("the reference that outputs are compared with", "pip install edgesparse (Linux)"),
    "tflite-runtime": (
        "checks model.sparse.tflite; bench-mobile",
        "pip install edgesparse (Linux, Python before 3.12)",
    ),
    "ai-edge-litert": ("checks model.sparse.tflite on LiteRT; bench-mobile", "pip install edgesparse[mobile]"),
    "tensorflow": ("convert and inspect of Keras models", "pip install edgesparse"),
    "tf-keras": ("convert and inspect of Keras models", "pip install edgesparse"),
    "tensorflow-model-optimization": ("schedules of gradual, fake quantization of qat", "pip install edgesparse"),
}

_PURPOSES = {
    "make": "build the firmware",
    "arm-none-eabi-gcc": "build the firmware (preferred)",
    "zig": "build the firmware where gcc is missing",
    "unicorn": "run the firmware (default)",
    "qemu-system-arm": "run the firmware with --emulator qemu",
    "pyocd": "flash --probe pyocd",
    "openocd": "flash --probe openocd",
    "st-flash": "flash --probe st-flash",
    "gdb-multiarch": "flash --probe gdb, and st-flash",
}


@dataclass(frozen=True)
class Diagnosis:
    """One tool. `version` is None where it is missing."""

    tool: str
    version: str | None
    purpose: str
    remedy: str


def diagnose() -> list[Diagnosis]:
    """All tools, in the order in which a conversion uses them."""
    rows = [Diagnosis(name, _version(name), purpose, remedy) for name, (purpose, remedy) in _PACKAGES.items()]
    tools = [*toolchain.diagnose(), *emulate.diagnose(), *flash.diagnose()]
    rows += [Diagnosis(tool, version, _PURPOSES[tool], remedy) for tool, version, remedy in tools]
    return [*rows, _tflm()]


def _tflm() -> Diagnosis:
    """The user's TFLite Micro: the cores that it was built for."""
    found = []
    for core in CORES.values():
        try:
            library = find_library(core)
        except ToolMissingError:
            continue
        found.append(f"{library_arch(core)} ({'CMSIS-NN' if library.optimized else 'reference kernels'})")
    remedy = GET_TFLM.format(arch=library_arch(CORES["cortex-m4"]))
    return Diagnosis("TFLM_DIR", ", ".join(found) or None, "--runtime tflm, and the baseline of reports", remedy)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
