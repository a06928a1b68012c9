"""The firmware's self-test: passes as built, finds damaged weights and changed outputs, and is sound C."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgesparse.boards import Board, templates_folder
from edgesparse.emulate import EMULATORS
from edgesparse.errors import CrashError
from edgesparse.firmware.weights_crc import weights_crc
from edgesparse.toolchain import Elf, read_elf
from tests.support.c_style import WARNINGS
from tests.support.host_kernels import SANITIZERS

BuildToy = Callable[..., Elf]
EMULATOR_NAMES = ("unicorn", "qemu")


@pytest.fixture(params=EMULATOR_NAMES)
def emulator(request: pytest.FixtureRequest) -> str:
    if request.param == "qemu":
        request.getfixturevalue("qemu")
    return str(request.param)


def patched(elf: Elf, symbol: str, folder: Path, *, offset: int = 0) -> Elf:
    """The same ELF with one bit of a constant inverted."""
    whole = elf.path.read_bytes()
    value = elf.read(elf.symbol(symbol))
    assert whole.count(value) == 1
    data = bytearray(whole)
    data[whole.index(value) + offset] ^= 0x10
    path = folder / "firmware.elf"
    path.write_bytes(data)
    return read_elf(path)


def test_a_fresh_build_passes(emulator: str, build_toy: BuildToy, board: Board) -> None:
    elf = build_toy()
    trace = EMULATORS[emulator].run(elf, board, timeout_s=60)
    assert trace.selftest is not None
    assert trace.selftest.outputs_ok
    assert trace.selftest.weights_crc == zlib.crc32(elf.read(elf.symbol("scale_weights")))


@pytest.mark.parametrize("offset", [0, 7, 15])
def test_one_bit_of_the_weights_is_found(
    emulator: str, offset: int, build_toy: BuildToy, board: Board, tmp_path: Path
) -> None:
    damaged = patched(build_toy(), "scale_weights", tmp_path, offset=offset)
    with pytest.raises(CrashError, match=r"weights CRC mismatch: .* expected 0xead968d3") as caught:
        EMULATORS[emulator].run(damaged, board, timeout_s=60)
    assert caught.value.exit_code == 5


def test_an_output_other_than_expected_fails(emulator: str, build_toy: BuildToy, board: Board, tmp_path: Path) -> None:
    elf = build_toy()
    trace = EMULATORS[emulator].run(patched(elf, "vectors_output_crcs", tmp_path, offset=4), board, timeout_s=60)
    assert trace.selftest is not None
    assert not trace.selftest.outputs_ok
    assert trace.outputs == EMULATORS[emulator].run(elf, board, timeout_s=60).outputs


def test_the_crc_is_over_padded_tables_in_the_order_of_their_names() -> None:
    tables = [("b", b"\x01\x02\x03\x04\x05"), ("a_10", b"\x06"), ("a_9", b"\x07" * 8)]
    laid_out = b"\x06\0\0\0" + b"\x07" * 8 + b"\x01\x02\x03\x04\x05\0\0\0"
    assert weights_crc(tables) == zlib.crc32(laid_out)
    assert weights_crc([]) == 0


HOST_MAIN = """
#include "harness_model.h"
#include "selftest.h"
#include "vectors.h"
#include <stdio.h>
static uint8_t input[MODEL_INPUT_BYTES], output[MODEL_OUTPUT_BYTES];
void *model_input(void) { return input; }
const void *model_output(void) { return output; }
void model_invoke(void) {
    for (unsigned i = 0; i < MODEL_OUTPUT_BYTES; ++i) output[i] = (uint8_t)(input[i] ^ 0xA5);
}
int main(void) {
    const int result = selftest_run();
    printf("%08x %08x %d\\n", (unsigned)selftest_weights_crc(), (unsigned)selftest_output_crc(), result);
    return 0;
}
"""


def run_on_host(folder: Path, weights: bytes, stored_crc: int, inputs: bytes, output_crc: int) -> tuple[int, int, int]:
    """selftest_run() of a model that inverts some bits: CRC of weights, of the last output, and the verdict."""
    folder.mkdir()
    for name in ("selftest.c", "selftest.h"):
        shutil.copy(templates_folder() / "project" / name, folder)
    size = len(inputs)
    (folder / "harness_model.h").write_text(
        f"#pragma once\n#include <stdint.h>\n#define MODEL_INPUT_BYTES {size}u\n#define MODEL_OUTPUT_BYTES {size}u\n"
        f"#define MODEL_WEIGHTS_CRC {stored_crc}u\nstatic inline void model_prepare(void) {{}}\n"
        "void *model_input(void);\nconst void *model_output(void);\nvoid model_invoke(void);\n"
    )
    (folder / "vectors.h").write_text(
        '#pragma once\n#include "harness_model.h"\n#define VECTORS_COUNT 1u\n'
        "extern const uint8_t vectors_inputs[VECTORS_COUNT][MODEL_INPUT_BYTES];\n"
        "extern const uint32_t vectors_output_crcs[VECTORS_COUNT];\n"
    )
    (folder / "vectors.c").write_text(
        '#include "vectors.h"\n'
        f"const uint8_t vectors_inputs[1][MODEL_INPUT_BYTES] = {{{{{','.join(map(str, inputs))}}}}};\n"
        f"const uint32_t vectors_output_crcs[1] = {{{output_crc}u}};\n"
    )
    (folder / "main.c").write_text(HOST_MAIN)
    # Start and end as a linker script gives them: two names of one object.
    (folder / "weights.S").write_text(
        ".section .rodata\n.globl __weights_start, __weights_end\n__weights_start:\n"
        + "".join(f".byte {value}\n" for value in weights)
        + '__weights_end:\n.byte 0xFF\n.section .note.GNU-stack,"",%progbits\n'
    )
    command = ["gcc", "-std=c11", *WARNINGS, *SANITIZERS, "-I.", "-o", "selftest"]
    subprocess.run([*command, "main.c", "selftest.c", "vectors.c", "weights.S"], cwd=folder, check=True)
    done = subprocess.run([folder / "selftest"], capture_output=True, text=True, check=True)
    first, second, result = done.stdout.split()
    return int(first, 16), int(second, 16), int(result)


@pytest.mark.parametrize("size", [0, 1, 4, 1021])
def test_sanitized_on_the_host_it_computes_zlibs_crc(size: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(size)
    weights, inputs = rng.bytes(size), rng.bytes(33)
    right, output = zlib.crc32(weights), zlib.crc32(bytes(value ^ 0xA5 for value in inputs))
    assert run_on_host(tmp_path / "pass", weights, right, inputs, output) == (right, output, 0)
    assert run_on_host(tmp_path / "weights", weights, right ^ 1, inputs, output)[2] == 1
    assert run_on_host(tmp_path / "outputs", weights, right, inputs, output ^ 1)[2] == 2
