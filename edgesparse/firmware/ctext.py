"""Text of C: numbers, arrays, identifiers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["array_text", "c_name", "float_text", "number_text"]

_RESERVED = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while main "
    "asm typeof bool true false null errno arena memcpy memset memmove".split()
)
_PREFIXES = ("es_", "model_", "vectors_", "harness_", "selftest_", "int", "uint", "__")
_WIDTH = 100


def c_name(name: str) -> str:
    """`name` (already an identifier) where C and the firmware leave it free, else with `layer_` before it."""
    return f"layer_{name}" if name in _RESERVED or name.startswith(_PREFIXES) else name


def number_text(value: int | float) -> str:
    """A C literal; floats as exact hexadecimal `float` constants."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float | np.floating):
        return float(np.float32(value)).hex() + "f"
    if value == -(2**31):
        return "(-2147483647 - 1)"
    return f"{value}u" if value >= 2**31 else str(value)


def float_text(value: float) -> str:
    """The shortest decimal `float` constant that is exactly `value` as float32: for people, and valid in C++11."""
    return f"{np.format_float_scientific(np.float32(value), trim='0')}f"


def array_text(values: npt.NDArray[Any]) -> str:
    """The values of a 1-D array, comma-separated, in lines of at most 100 characters, indented by four."""
    return "\n".join(_lines(number_text(value) for value in values.ravel().tolist()))


def _lines(items: Iterable[str]) -> Iterable[str]:
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > _WIDTH:
            yield line
            line = "   "
        line += f" {item},"
    if line.strip():
        yield line
