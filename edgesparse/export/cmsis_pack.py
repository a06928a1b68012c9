"""The folder that a packer zips to a CMSIS-Pack: schema PACK.xsd 1.7."""

from __future__ import annotations

from edgesparse.export.format import File
from edgesparse.export.library import Library

__all__ = ["CmsisPack"]

_VENDOR = "edgesparse"

_DEVICES = {
    "cortex-m0": "ARMCM0",
    "cortex-m0plus": "ARMCM0P",
    "cortex-m3": "ARMCM3",
    "cortex-m4": "ARMCM4",
    "cortex-m7": "ARMCM7",
    "cortex-m33": "ARMCM33",
    "cortex-m55": "ARMCM55",
}
"""Generic devices of the pack ARM::Cortex_DFP by edgesparse.boards.Core.name."""


class CmsisPack:
    """The .pdsc, and an example as a csolution project."""

    def files(self, library: Library) -> tuple[File, ...]:
        """All files but the sources."""
        example = "examples/run_model"
        project = {"vendor": _VENDOR, "device": _DEVICES.get(library.core.name, "ARMCM4")}
        pack = {"vendor": _VENDOR, "cores": library.variant.devices}
        return (
            File(f"{_VENDOR}.{library.name}.pdsc", "cmsis-pack/pack.pdsc.j2", pack),
            File(f"{example}/run_model.csolution.yml", "cmsis-pack/run_model.csolution.yml.j2", project),
            File(f"{example}/run_model.cproject.yml", "cmsis-pack/run_model.cproject.yml.j2", project),
            File(f"{example}/main.c", "cmsis-pack/main.c.j2"),
            File(f"{example}/README.md", "cmsis-pack/example_README.md.j2", project),
            File("README.md", "cmsis-pack/README.md.j2", {"vendor": _VENDOR}),
        )
