"""Text of C: numbers, arrays, calls, comments; in lines of at most 100 characters, as clang-format breaks them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["array_text", "call_text", "comment_text", "float_text", "number_text"]

_WIDTH = 100
_INDENT = 4
_LONGEST_WORD = 60  # of a comment: a layer may have a name of any length


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


def call_text(function: str, arguments: Sequence[str]) -> str:
    """A call as a statement inside of a function, indented by four but for its first line."""
    start = f"{function}("
    items = [*(f"{argument}," for argument in arguments[:-1]), f"{arguments[-1]});"]
    beside = _filled(items, " " * (_INDENT + len(start)))
    below = _filled(items, " " * 2 * _INDENT)
    if max(map(len, beside)) <= _WIDTH and len(beside) <= len(below) + 1:
        return start + "\n".join(beside).lstrip()
    return "\n".join((start, *below))


def comment_text(text: str, *, indent: int = 0) -> str:
    """A comment, indented but for its first line; of words that are too long the middle is left out."""
    words = (word if len(word) <= _LONGEST_WORD else f"{word[:28]}...{word[-28:]}" for word in text.split())
    lines = textwrap.wrap(" ".join(words), _WIDTH - indent - len("/*  */"), break_on_hyphens=False)
    return "/* " + f"\n{' ' * indent} * ".join(lines) + " */"


def _filled(items: Sequence[str], margin: str) -> list[str]:
    """Items behind one another, in lines that begin with the margin."""
    lines = [margin + items[0]]
    for item in items[1:]:
        if len(lines[-1]) + 1 + len(item) <= _WIDTH:
            lines[-1] += f" {item}"
        else:
            lines.append(margin + item)
    return lines


def _lines(items: Iterable[str]) -> Iterable[str]:
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > _WIDTH:
            yield line
            line = "   "
        line += f" {item},"
    if line.strip():
        yield line
