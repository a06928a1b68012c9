"""Run a built firmware on an emulated board."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edgesparse.boards import Board
from edgesparse.emulate.qemu import GET_QEMU, Qemu, qemu_version
from edgesparse.emulate.trace import Trace
from edgesparse.emulate.unicorn import GET_UNICORN, Unicorn, unicorn_version
from edgesparse.errors import ToolMissingError
from edgesparse.toolchain.elf import Elf

__all__ = ["EMULATORS", "Emulator", "Qemu", "Trace", "Unicorn", "diagnose", "require"]


class Emulator(Protocol):
    """Something that runs a firmware."""

    @property
    def name(self) -> str:
        """`unicorn` or `qemu`."""

    def run(self, elf: Elf, board: Board, *, timeout_s: float, layer_names: Sequence[str] = ()) -> Trace:
        """Run all vectors of a firmware built with the project's harness.

        `layer_names` only serve messages. CrashError on a fault, an overrun, a timeout or unexpected output;
        ToolMissingError where the emulator is not installed.
        """


EMULATORS: dict[str, Emulator] = {"unicorn": Unicorn(), "qemu": Qemu()}


def diagnose() -> list[tuple[str, str | None, str]]:
    """(emulator, version or None where absent, how to get it)."""
    return [("unicorn", unicorn_version(), GET_UNICORN), ("qemu-system-arm", qemu_version(), GET_QEMU)]


def require(name: str) -> None:
    """ToolMissingError, with how to get it, unless the emulator `name` is installed."""
    for tool, (version, remedy) in {
        "unicorn": (unicorn_version(), GET_UNICORN),
        "qemu": (qemu_version(), GET_QEMU),
    }.items():
        if tool == name and version is None:
            raise ToolMissingError(f"emulator {name!r} is not installed; {remedy}")
