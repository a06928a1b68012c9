"""memcpy, memmove and memset of the AOT runtime, compiled for the host under other names."""

from __future__ import annotations

import ctypes
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from edgesparse.boards import templates_folder
from tests.conftest import skip_or_fail
from tests.support.c_style import WARNINGS


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = shutil.which("cc")
    if compiler is None:
        skip_or_fail("no host C compiler")
    assert compiler is not None
    path = tmp_path_factory.mktemp("memory") / "memory.so"
    names = [f"-D{name}=es_{name}" for name in ("memcpy", "memmove", "memset")]
    source = templates_folder() / "runtime" / "aot" / "memory.c"
    flags = ["-std=c11", "-O2", "-ffreestanding", *WARNINGS, "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, *names, str(source), "-o", str(path)], check=True)
    return ctypes.CDLL(str(Path(path)))


CASES = [(start, other, count) for start in (0, 1, 3) for other in (0, 2, 5) for count in (0, 1, 3, 4, 15, 16, 17, 53)]


@pytest.mark.parametrize(("start", "other", "count"), CASES)
def test_memcpy_and_memset(library: ctypes.CDLL, start: int, other: int, count: int) -> None:
    source = bytes(random.Random(count).randbytes(64))
    memory = ctypes.create_string_buffer(b"\xee" * 64, 64)
    library.es_memcpy(ctypes.byref(memory, start), source[other:], ctypes.c_size_t(count))
    assert memory.raw == b"\xee" * start + source[other : other + count] + b"\xee" * (64 - start - count)
    library.es_memset(ctypes.byref(memory, start), 0x17, ctypes.c_size_t(count))
    assert memory.raw == b"\xee" * start + b"\x17" * count + b"\xee" * (64 - start - count)


@pytest.mark.parametrize(("start", "other", "count"), [*CASES, (9, 4, 40), (4, 9, 40), (5, 5, 40)])
def test_memmove_overlapping(library: ctypes.CDLL, start: int, other: int, count: int) -> None:
    before = bytes(random.Random(count).randbytes(64))
    memory = ctypes.create_string_buffer(before, 64)
    library.es_memmove(ctypes.byref(memory, start), ctypes.byref(memory, other), ctypes.c_size_t(count))
    assert memory.raw == before[:start] + before[other : other + count] + before[start + count :]
