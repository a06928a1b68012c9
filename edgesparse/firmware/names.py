"""C names of a model and of what it holds: valid, prefixed, and no two the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["CNames", "model_name"]

_LONGEST_MODEL_NAME = 32  # Csub of a CMSIS-Pack; the other formats of export allow more
_LONGEST_NAME = 52  # keeps every declaration within 100 columns
_PROJECT_NAMES = frozenset("arch counter harness selftest semihosting vectors".split())
_PROJECT_PREFIXES = ("es_", "harness_", "tflm_")


def model_name(path: str) -> str:
    """The name that all C names of a model begin with, from the path of its file.

    Lower-case letters, digits and single underscores, 1 to 32 of them; `model` where the path has none. Names of the
    kernels and of the harness get `model_` before them, as do those that begin with a digit.
    """
    name = re.sub(r"[^0-9a-z]+", "_", Path(path).stem.lower()).strip("_") or "model"
    if name[0].isdigit() or name == "es" or name in _PROJECT_NAMES or name.startswith(_PROJECT_PREFIXES):
        name = f"model_{name}"
    return name[:_LONGEST_MODEL_NAME].rstrip("_")


class CNames:
    """Gives names with one prefix, each once."""

    def __init__(self, prefix: str, taken: Iterable[str] = ()) -> None:
        """taken: names, without the prefix, that are not to be given."""
        self._prefix = prefix
        self._taken = {f"{prefix}{name}" for name in taken}

    def claim(self, name: str, suffixes: Sequence[str] = ()) -> str:
        """The prefix and `name`, cut where it is too long and numbered where it is taken.

        suffixes: what is appended to make further names, which belong to the caller as well.
        """
        base = f"{self._prefix}{name}"[:_LONGEST_NAME].rstrip("_")
        claimed, count = base, 1
        while not self._taken.isdisjoint(f"{claimed}{suffix}" for suffix in ("", *suffixes)):
            count += 1
            number = f"_{count}"
            claimed = f"{base[: _LONGEST_NAME - len(number)]}{number}"
        self._taken |= {f"{claimed}{suffix}" for suffix in ("", *suffixes)}
        return claimed
