"""The user's TFLite Micro: where it is, and whether it fits the core.

As TFLite Micro's own Makefile lays it out, or as its create_tflm_tree.py does with the library at the root.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from edgesparse.boards import Core
from edgesparse.errors import ToolMissingError

__all__ = ["GET_TFLM", "TFLM_DIR", "TflmLibrary", "find_library", "library_arch"]

TFLM_DIR = "TFLM_DIR"
"""The environment variable, and the variable of the project's Makefile."""

GET_TFLM = (
    "clone https://github.com/tensorflow/tflite-micro, run there `make -f tensorflow/lite/micro/tools/make/Makefile "
    "TARGET=cortex_m_generic TARGET_ARCH={arch} OPTIMIZED_KERNEL_DIR=cmsis_nn BUILD_TYPE=release microlite`, and set "
    "TFLM_DIR to the clone"
)

_LIBRARY = "libtensorflow-microlite.a"
_HEADER = Path("tensorflow/lite/micro/micro_interpreter.h")
_FLATBUFFERS = Path("flatbuffers/include/flatbuffers/flatbuffers.h")
_THIRD_PARTY = (Path("tensorflow/lite/micro/tools/make/downloads"), Path("third_party"))
_PLACES = (
    ".",
    "lib",
    "gen/cortex_m_generic_{arch}_release_cmsis_nn_gcc/lib",
    "gen/cortex_m_generic_{arch}_*_cmsis_nn_gcc/lib",
    "gen/cortex_m_generic_{arch}_*_gcc/lib",
)
"""As in runtime/tflm/tflm.mk, the best first."""

_NOT_IN_PATHS = " $#:%\"'`\\;&|<>()*?[]"
"""What make or a shell does not take as a part of a name."""

_ARCHIVE_MAGIC = b"!<arch>\n"
_VFP_REGISTERS = 1


@dataclass(frozen=True)
class TflmLibrary:
    """A built TFLite Micro. `optimized`: whether its kernels are CMSIS-NN's. `sha256`: of the library."""

    root: Path
    library: Path
    optimized: bool
    sha256: str

    @property
    def description(self) -> str:
        """As reports name it."""
        return f"TFLite Micro with {'CMSIS-NN' if self.optimized else 'reference kernels'}"

    def make_arguments(self) -> tuple[str, ...]:
        """Arguments for make that build a project on it."""
        return ("RUNTIME=tflm", f"TFLM_DIR={self.root}", f"TFLM_LIBRARY={self.library}")


def library_arch(core: Core) -> str:
    """TFLite Micro's TARGET_ARCH for a core: with the float ABI that the project's flags have."""
    return f"{core.name}+fp" if core.name in ("cortex-m4", "cortex-m7") and core.fpu else core.name


def find_library(core: Core, environment: Mapping[str, str] = os.environ) -> TflmLibrary:
    """The library that TFLM_DIR names; ToolMissingError says what is missing there, and how to get it."""
    arch = library_arch(core)
    remedy = GET_TFLM.format(arch=arch)
    value = environment.get(TFLM_DIR, "")
    if not value:
        raise ToolMissingError(f"the environment variable {TFLM_DIR} is not set; {remedy}")
    root = Path(value).absolute()
    where = f"{TFLM_DIR}={value}"
    if any(character in _NOT_IN_PATHS or not character.isprintable() for character in str(root)):
        raise ToolMissingError(
            f"{where}: make takes no path with spaces or any of {_NOT_IN_PATHS.strip()}, move TFLite Micro elsewhere"
        )
    if not (root / _HEADER).is_file():
        raise ToolMissingError(f"{where} has no {_HEADER}; set {TFLM_DIR} to the root of TFLite Micro: {remedy}")
    if not any((root / folder / _FLATBUFFERS).is_file() for folder in _THIRD_PARTY):
        folders = " or ".join(map(str, _THIRD_PARTY))
        raise ToolMissingError(f"{where} has no {_FLATBUFFERS} in {folders}; build TFLite Micro there: {remedy}")
    found = [path for place in _PLACES for path in sorted(root.glob(f"{place.format(arch=arch)}/{_LIBRARY}"))]
    if not found:
        raise ToolMissingError(f"{where} has no {_LIBRARY} for {arch}; build it there: {remedy}")
    library = found[0]
    data = library.read_bytes()
    _check_float_abi(data, core, library, remedy)
    return TflmLibrary(root, library, b"arm_convolve" in data, hashlib.sha256(data).hexdigest())


def _check_float_abi(data: bytes, core: Core, library: Path, remedy: str) -> None:
    """ToolMissingError where the library's objects cannot be linked with the project's."""
    member = _first_object(data)
    if member is None:
        raise ToolMissingError(f"{library}: not an archive of Arm objects; {remedy}")
    attributes = member.get_section_by_name(".ARM.attributes")
    found = {
        attribute.tag: attribute.value
        for subsection in (attributes.iter_subsections() if attributes is not None else ())
        for part in subsection.iter_subsubsections()
        for attribute in part.iter_attributes()
    }
    hard = found.get("TAG_ABI_VFP_ARGS", 0) == _VFP_REGISTERS
    wanted = "-mfloat-abi=hard" in core.gcc_flags
    if hard != wanted:
        kinds = {True: "hard", False: "soft"}
        raise ToolMissingError(
            f"{library}: built for the {kinds[hard]}-float ABI, {core.name} needs {kinds[wanted]}; {remedy}"
        )


def _first_object(data: bytes) -> ELFFile | None:
    """The first ELF member of an ar archive."""
    offset = len(_ARCHIVE_MAGIC)
    while data.startswith(_ARCHIVE_MAGIC) and offset + 60 <= len(data):
        size = data[offset + 48 : offset + 58].decode("ascii", "replace").strip()
        start = offset + 60
        if not size.isdigit():
            return None
        if data[start : start + 4] == b"\x7fELF":
            try:
                return ELFFile(io.BytesIO(data[start : start + int(size)]))
            except ELFError:
                return None
        offset = start + int(size) + int(size) % 2
    return None
