"""What docs/misra.md says of words that the C does not use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgesparse.boards import templates_folder

TEMPLATES = templates_folder()
SOURCES = sorted(
    path
    for place in ("kernels/*/*.[ch]", "runtime/aot/*.[ch]", "project/*.[ch]", "arch/arm_m/**/*.[ch]", "model/*.[ch].j2")
    for path in TEMPLATES.glob(place)
)
ANYWHERE = (
    "goto union setjmp longjmp signal malloc calloc realloc free alloca printf scanf exit abort va_list stdarg stdio "
    "stdlib"
)
TYPES = "short long unsigned signed double"
_NOT_CODE = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\])*\"", re.DOTALL)


def words_of(text: str, words: str) -> set[str]:
    """Which of the words are in C, comments and strings aside. "(" before a cast or a call is no part of a word."""
    code = _NOT_CODE.sub(" ", text)
    return {word for word in words.split() if re.search(rf"(?<![\w.]){word}\b", code)}


INT_NAMES = ("value", "inside", "passed", "bit", "has_frame", "sign", "signs")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_only_fixed_width_types_and_no_heap_jumps_or_unions(path: Path) -> None:
    text = path.read_text()
    assert not words_of(text, f"{ANYWHERE} {TYPES}")
    # `int`: of functions that the language or a vector table wants so, truth values, and loops over bits.
    for line in _NOT_CODE.sub(" ", text).splitlines():
        for found in re.finditer(r"\bint\b(?! main\(| harness_run\(| memset\()\s*(\*?\w+)", line):
            assert found[1] in INT_NAMES, f"{path.name}: {line.strip()}"


def test_a_word_is_found_in_code_and_not_in_a_comment() -> None:
    assert words_of('long x; /* goto */ "union" y; // malloc', f"{ANYWHERE} {TYPES}") == {"long"}
    assert words_of("p = malloc(3); goto end;", f"{ANYWHERE} {TYPES}") == {"malloc", "goto"}
    assert len(SOURCES) > 90
