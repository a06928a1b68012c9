"""PlatformIO library with a library.json."""

from __future__ import annotations

from edgesparse.export.format import File
from edgesparse.export.library import Library

__all__ = ["PlatformIOLibrary"]


class PlatformIOLibrary:
    """library.json, and two examples: a sketch for boards and a program for the host."""

    def files(self, _library: Library) -> tuple[File, ...]:
        """All files but the sources."""
        return (
            File("library.json", "platformio/library.json.j2"),
            File("examples/host/platformio.ini", "platformio/platformio.ini.j2"),
            File("examples/host/src/main.c", "common/main.c.j2"),
            File("examples/run_model/run_model.ino", "common/run_model.ino.j2"),
            File("README.md", "platformio/README.md.j2"),
        )
