"""The formats by name."""

from __future__ import annotations

from edgesparse.errors import SettingsError
from edgesparse.export.arduino import ArduinoLibrary
from edgesparse.export.cmake import CMakeProject
from edgesparse.export.cmsis_pack import CmsisPack
from edgesparse.export.format import Format
from edgesparse.export.platformio import PlatformIOLibrary
from edgesparse.export.zephyr import ZephyrModule

__all__ = ["FORMATS", "find_format"]

FORMATS: dict[str, Format] = {
    "arduino": ArduinoLibrary(),
    "zephyr": ZephyrModule(),
    "platformio": PlatformIOLibrary(),
    "cmake": CMakeProject(),
    "cmsis-pack": CmsisPack(),
}


def find_format(name: str) -> Format:
    """A format; SettingsError for an unknown name."""
    if name not in FORMATS:
        raise SettingsError(f"format {name!r} is not known; choose one of: {', '.join(FORMATS)}")
    return FORMATS[name]
