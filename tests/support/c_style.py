"""What every C source must be free of, and the clang-format that says how it is laid out."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from edgesparse.boards import templates_folder

__all__ = ["WARNINGS", "clang_format"]


def clang_format() -> str:
    """The one that was installed with the tests: versions lay out differently."""
    beside = Path(sys.executable).parent / "clang-format"
    return str(beside) if beside.exists() else "clang-format"


def _warnings() -> tuple[str, ...]:
    makefile = (templates_folder() / "project" / "Makefile").read_text(encoding="utf-8")
    (line,) = re.findall(r"^WARNINGS \?= (.*)$", makefile, re.MULTILINE)
    return tuple(line.split())


WARNINGS = _warnings()
"""As the makefile of a project gives them to the compiler."""

assert set(WARNINGS) >= {"-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wvla", "-Werror"}
