"""Arduino library, format 1.5 (library specification, revision 2.2)."""

from __future__ import annotations

from edgesparse.export.format import File
from edgesparse.export.library import Library

__all__ = ["ArduinoLibrary"]


class ArduinoLibrary:
    """library.properties, keywords.txt and a sketch in a folder of its own name."""

    def files(self, _library: Library) -> tuple[File, ...]:
        """All files but the sources."""
        sketch = "run_model"
        return (
            File("library.properties", "arduino/library.properties.j2"),
            File("keywords.txt", "arduino/keywords.txt.j2"),
            File(f"examples/{sketch}/{sketch}.ino", "common/run_model.ino.j2"),
            File("README.md", "arduino/README.md.j2"),
        )
