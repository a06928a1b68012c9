"""Zephyr module."""

from __future__ import annotations

from edgesparse.export.format import File
from edgesparse.export.library import Library

__all__ = ["ZephyrModule"]


class ZephyrModule:
    """zephyr/module.yml, CMakeLists.txt, Kconfig and a sample."""

    def files(self, _library: Library) -> tuple[File, ...]:
        """All files but the sources."""
        sample = "samples/run_model"
        return (
            File("zephyr/module.yml", "zephyr/module.yml.j2"),
            File("CMakeLists.txt", "zephyr/CMakeLists.txt.j2"),
            File("Kconfig", "zephyr/Kconfig.j2"),
            File(f"{sample}/CMakeLists.txt", "zephyr/sample_CMakeLists.txt.j2"),
            File(f"{sample}/prj.conf", "zephyr/prj.conf.j2"),
            File(f"{sample}/sample.yaml", "zephyr/sample.yaml.j2"),
            File(f"{sample}/src/main.c", "zephyr/main.c.j2"),
            File("README.md", "zephyr/README.md.j2"),
        )
