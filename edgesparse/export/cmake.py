"""CMake project with a library target and a package for find_package."""

from __future__ import annotations

from edgesparse.export.format import File
from edgesparse.export.library import Library

__all__ = ["CMakeProject"]


class CMakeProject:
    """CMakeLists.txt, a toolchain file for the core, and an example for the host and the core."""

    def files(self, _library: Library) -> tuple[File, ...]:
        """All files but the sources."""
        return (
            File("CMakeLists.txt", "cmake/CMakeLists.txt.j2"),
            File("cmake/arm-none-eabi.cmake", "cmake/arm-none-eabi.cmake.j2"),
            File("examples/run_model/main.c", "common/main.c.j2"),
            File("README.md", "cmake/README.md.j2"),
        )
