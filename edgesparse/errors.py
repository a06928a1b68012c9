"""Every error that edgesparse raises on purpose, and the exit code of each.

    EdgesparseError
    |-- InputError            2   something the user gave cannot be used
    |   |-- SettingsError         an option or a line of edgesparse.toml
    |   |-- ModelError            a model file, a layer or a weight
    |   |   |-- UnsupportedError  layers or ops that have no kernel or no translation
    |   |   `-- DoesNotFitError   more than the board's flash or RAM
    |   |-- DataError             the calibration, training or test data
    |   `-- OutputError           the output folder
    |-- LimitError            3   a budget or a tolerance is exceeded; everything has been written
    |-- ToolMissingError      4   a compiler, an emulator or a Python package is absent
    |-- ResourceError         6   the machine has no memory or disk left, or the process was killed
    |-- BuildError            1   generated code did not compile: our bug
    |-- MismatchError         5   outputs differ from the reference interpreter
    `-- CrashError            5   the firmware faulted, hung or printed nonsense
        `-- RefusedError          the firmware's runtime does not take the model

A message is one line: what, where, expected and got, what to do next.
"""

from __future__ import annotations

__all__ = [
    "BuildError",
    "CrashError",
    "DataError",
    "DoesNotFitError",
    "EdgesparseError",
    "InputError",
    "LimitError",
    "MismatchError",
    "ModelError",
    "OutputError",
    "RefusedError",
    "ResourceError",
    "SettingsError",
    "ToolMissingError",
    "UnsupportedError",
    "cut",
    "printable",
    "shown",
]

_LONGEST_SHOWN = 120
_LARGEST_SHOWN = 1 << 128


def cut(text: object) -> str:
    """What a message quotes, in one line and no longer than one."""
    line = " ".join(str(text).split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[: _LONGEST_SHOWN - 3]}..."


def printable(text: str) -> str:
    r"""Text from a file as a terminal may get it: control characters, which could command it, as \x1b and the like.

    Line feeds and tabs stay; so do letters of all scripts, but not what changes the direction of writing.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def shown(value: object) -> str:
    """A value of any kind as a message shows it: no table, and no number of thousands of digits."""
    if isinstance(value, dict | list | tuple):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and abs(value) >= _LARGEST_SHOWN:
        return f"a number of {value.bit_length():,} bits"
    return cut(repr(value))


class EdgesparseError(Exception):
    """Base of all errors that edgesparse raises on purpose."""

    exit_code = 1


class InputError(EdgesparseError):
    """Something the user gave cannot be used."""

    exit_code = 2


class SettingsError(InputError):
    """An option or a configuration entry is wrong."""


class ModelError(InputError):
    """A model file cannot be read, or a model cannot be deployed."""


class UnsupportedError(ModelError):
    """A model needs layers or ops that edgesparse has no kernel for.

    `names` lists all of them, so that one run tells everything.
    """

    def __init__(self, message: str, names: tuple[str, ...]) -> None:
        super().__init__(message)
        self.names = names


class DoesNotFitError(ModelError):
    """A firmware takes more flash or RAM than its board has.

    `memory`, `overflow_bytes`: which one and by how much, where the linker found out; "" and 0 before the build.
    """

    def __init__(self, message: str, *, memory: str = "", overflow_bytes: int = 0) -> None:
        super().__init__(message)
        self.memory, self.overflow_bytes = memory, overflow_bytes


class DataError(InputError):
    """Calibration, training or test data does not fit the model."""


class OutputError(InputError):
    """The output folder cannot be used."""


class LimitError(EdgesparseError):
    """Figures exceed their limits. `lines` says so of each, in one line."""

    exit_code = 3

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


class ToolMissingError(EdgesparseError):
    """A compiler, an emulator or a Python package is absent."""

    exit_code = 4


class ResourceError(EdgesparseError):
    """The machine did not give what was needed: memory, room on a disk, or the time to end by itself."""

    exit_code = 6


class BuildError(EdgesparseError):
    """The firmware did not compile or link. `log` holds the tool's output."""

    exit_code = 1

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class MismatchError(EdgesparseError):
    """Emulated outputs differ from the reference interpreter's."""

    exit_code = 5


class CrashError(EdgesparseError):
    """The firmware faulted, hung, or printed what the harness cannot parse."""

    exit_code = 5


class RefusedError(CrashError):
    """The firmware's runtime does not take the model.

    `op` is the operator's name, or "" for the model as a whole. `arena`: more arena than `got` bytes may help.
    """

    def __init__(self, message: str, *, op: str, got: int, arena: bool) -> None:
        super().__init__(message)
        self.op, self.got, self.arena = op, got, arena
