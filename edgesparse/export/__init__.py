"""The firmware as a library of what people flash from: Arduino, Zephyr, PlatformIO, CMake, CMSIS-Pack."""

from edgesparse.export.format import File, Format
from edgesparse.export.formats import FORMATS, find_format
from edgesparse.export.library import Library, read_library
from edgesparse.export.write import Origin, write_library

__all__ = ["FORMATS", "File", "Format", "Library", "Origin", "find_format", "read_library", "write_library"]
