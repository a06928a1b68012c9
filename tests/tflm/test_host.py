"""The custom ops on the host, against stand-ins for TFLite Micro's headers: right bytes, or a reason.

The stand-ins (fake/) declare what the sources use. That the sources compile against the real headers is checked where
TFLM_DIR is set, in test_device.py.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from edgesparse.boards import Core, load_board, templates_folder
from edgesparse.firmware.render import kernel_source
from edgesparse.firmware.tflm import render_tflm
from edgesparse.lowering import lower
from edgesparse.lowering.call import KernelCall
from edgesparse.tflite import read_graph
from edgesparse.tflm import CustomOp, encode_call, tflm_model
from tests.conftest import skip_or_fail
from tests.support.c_style import WARNINGS
from tests.support.host_kernels import CORES_UNDER_TEST, SANITIZERS, Case, run_cases
from tests.support.small_networks import conv_network

FAKE = Path(__file__).parent / "fake"
RUNTIME = templates_folder() / "runtime" / "tflm"
PROJECT = templates_folder() / "project"
CXX = ("-std=c++17", "-O1", "-fno-rtti", "-fno-exceptions", *WARNINGS)


@dataclass(frozen=True, eq=False)
class Op:
    """A custom op with an input and the output that its kernel gives."""

    op: CustomOp
    call: KernelCall
    input: bytes
    output: bytes


@pytest.fixture(scope="module")
def cxx() -> str:
    """A C++ compiler for the host."""
    path = shutil.which("g++") or shutil.which("c++")
    if path is None:
        skip_or_fail("no C++ compiler is installed")
    return str(path)


@pytest.fixture(scope="module", params=list(CORES_UNDER_TEST))
def core(request: pytest.FixtureRequest) -> Core:
    return CORES_UNDER_TEST[request.param]


@pytest.fixture(scope="module")
def ops(core: Core, tmp_path_factory: pytest.TempPathFactory) -> list[Op]:
    """Every call of a small network in every format that it takes, as a custom op."""
    graph = read_graph(conv_network())
    rng = np.random.default_rng(1)
    shape = graph.tensors[graph.inputs[0]].shape
    found = []
    zero_inputs = dict.fromkeys(range(len(graph.ops)), 0.5)
    for forced in ("dense", "block1x4", "delta8", "delta4", "bitmap", "block2x4", "columns"):
        packed = lower(graph, core, forced=forced, dense_only=forced == "dense", zero_inputs=zero_inputs)
        data = rng.integers(-128, 128, shape, dtype=np.int8)
        (tensors,) = run_cases(tmp_path_factory.mktemp("reference"), [Case(graph, packed, data.tobytes())])
        tensors[graph.inputs[0]] = data.view(np.uint8).reshape(-1)
        for alias, source in packed.aliases.items():
            tensors[alias] = tensors[source]
        for call in packed.calls:
            if call.struct in ("es_conv_2d", "es_fully_connected"):
                op = encode_call(call)
                found.append(Op(op, call, tensors[call.inputs[0]].tobytes(), tensors[call.output].tobytes()))
    return found


@pytest.fixture(scope="module")
def run(core: Core, ops: list[Op], cxx: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs one op in the compiled driver, with all kernels that the ops need linked."""
    folder = tmp_path_factory.mktemp("driver")
    board = replace(load_board("mps2-an386"), core=core)
    graph = read_graph(conv_network())
    model = replace(
        tflm_model(conv_network(), graph, lower(graph, core)), custom={i: op.op for i, op in enumerate(ops)}
    )
    render_tflm(model, board, folder, arena_bytes=16, tool="test", source_sha256="0")
    sources = [folder / "tflm" / "tflm_ops.cc", Path(__file__).parent / "run_op.cc"]
    sources += sorted(RUNTIME.glob("es_tflm*.cc"))
    kernels = {source for op in ops for source in op.op.sources}
    include = [f"-I{path}" for path in (FAKE, RUNTIME, templates_folder() / "kernels" / "include")]
    objects = []
    for name in sorted(kernels):
        target = folder / f"{name}.o"
        source = kernel_source(name)
        command = [
            "gcc",
            "-std=c11",
            "-O1",
            "-fno-strict-aliasing",
            *WARNINGS,
            *SANITIZERS,
            *include,
            "-c",
            str(source),
        ]
        subprocess.run([*command, "-o", str(target)], check=True)
        objects.append(target)
    program = folder / "run_op"
    defines = [f"-DTFLM_OPS={len(model.registrations)}"]
    subprocess.run([cxx, *CXX, *SANITIZERS, *defines, *include, *sources, *objects, "-o", program], check=True)

    def run_one(op: Op) -> str:
        blocks = [op.op.options, op.op.tables, op.op.weights, op.input]
        head = struct.pack("<6I", *map(len, blocks), len(op.output), op.op.name == "EDGESPARSE_CONV_2D")
        (folder / "op.bin").write_bytes(head + b"".join(blocks))
        done = subprocess.run([program, folder / "op.bin"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:4000]
        return done.stdout

    return run_one


def test_a_custom_op_gives_the_bytes_of_its_kernel(ops: list[Op], run: Callable[..., str]) -> None:
    assert {op.call.struct for op in ops} == {"es_conv_2d", "es_fully_connected"}
    formats = {op.op.kernel.format for op in ops}
    assert formats >= {"dense", "block1x4", "block2x4", "delta8", "delta4", "bitmap", "columns"}
    for op in ops:
        assert run(op) == op.output.hex(), op.call.function


def changed(op: Op, offset: int, value: int) -> Op:
    options = bytearray(op.op.options)
    options[offset] = value
    return replace(op, op=replace(op.op, options=bytes(options)))


@pytest.mark.parametrize("struct_name", ["es_conv_2d", "es_fully_connected"])
def test_what_does_not_fit_is_refused_with_what_was_got_and_expected(
    ops: list[Op], run: Callable[..., str], struct_name: str
) -> None:
    op = next(op for op in ops if op.call.struct == struct_name)
    good, name = op.op, op.op.name
    longer = {
        "bytes of custom options": replace(good, options=good.options + b"\0"),
        "bytes of the tables": replace(good, tables=good.tables + b"\0"),
        "bytes of the weights": replace(good, weights=good.weights + b"\0"),
    }
    for what, wrong in longer.items():
        text = run(replace(op, op=wrong))
        match = re.fullmatch(rf"refused {name} got=(\d+) expected=(\d+) {what}\n", text)
        assert match, text
        assert int(match[1]) == int(match[2]) + 1
    assert run(changed(op, 0, 2)) == f"refused {name} got=2 expected=1 version of the custom options\n"
    assert f"refused {name} got=" in run(changed(op, 1, 99))
    assert "not linked" in run(changed(op, 1, 99))
    assert "bytes of the input" in run(replace(op, input=op.input + b"\0"))
    assert "bytes of the output" in run(replace(op, output=op.output + b"\0"))
    empty = replace(op, op=replace(good, options=b""))
    assert run(empty) == f"refused {name} got=0 expected=1 version of the custom options\n"


def test_numbers_that_overflow_do_not_pass_for_the_right_ones(ops: list[Op], run: Callable[..., str]) -> None:
    op = next(op for op in ops if op.call.struct == "es_fully_connected" and len(op.input) % 2 == 0)
    options = bytearray(op.op.options)
    struct.pack_into("<I", options, 12, len(op.input) // 2 + (1 << 31))  # columns; twice that is 2^32 too many
    struct.pack_into("<H", options, 28, 2)  # rows
    text = run(replace(op, op=replace(op.op, options=bytes(options))))
    assert "bytes of the input" in text
    assert f"expected={2**32 - 1} " in text


def test_all_sources_compile_against_the_declarations(tmp_path: Path, cxx: str) -> None:
    graph, board = read_graph(conv_network()), load_board("mps2-an386")
    model = tflm_model(conv_network(), graph, lower(graph, board.core))
    render_tflm(model, board, tmp_path, arena_bytes=4096, tool="test", source_sha256="0")
    header = (Path(__file__).parents[1] / "device" / "toy" / "model" / "model.h").read_text()
    (tmp_path / "harness_model.h").write_text(
        header.replace("static inline void model_prepare(void) {}", "void model_prepare(void);")
    )
    folders = (FAKE, tmp_path, tmp_path / "tflm", PROJECT, templates_folder() / "kernels" / "include")
    flags = [*CXX, "-fsyntax-only", f"-DTFLM_OPS={len(model.registrations)}", *(f"-I{folder}" for folder in folders)]
    for source in sorted((tmp_path / "tflm").glob("*.cc")):
        subprocess.run([cxx, *flags, source], check=True)
