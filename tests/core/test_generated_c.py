"""Generated C: formatted as the kernels are, with names that are valid and each there once."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import edgesparse
from edgesparse.boards import load_board
from edgesparse.firmware import describe, render, render_tflm
from edgesparse.firmware.ctext import comment_text
from edgesparse.graph import Graph
from edgesparse.lowering import lower
from edgesparse.lowering.arena import plan_memory
from edgesparse.tflite import read_graph
from edgesparse.tflm import tflm_model
from tests.support.c_style import WARNINGS, clang_format
from tests.support.small_networks import conv_network, float_network

ROOT = Path(edgesparse.__file__).parent.parent
GENERATED = ("{}.c", "{}.h", "{}_weights.c", "{}_weights.h", "harness_model.h", "vectors.c", "vectors.h")
HOSTILE = [
    {0: "a", 1: "a_scratch", 3: "a_weights", 4: "int"},
    {0: "input", 1: "output", 3: "invoke", 4: "layer"},
    {0: "a_2", 1: "a", 3: "a", 4: "weights"},
    {0: "x" * 200, 1: "x" * 199 + "y", 3: "x" * 52, 4: "size_t"},
    {0: "es_conv_2d_block1x4_s8", 1: "reset_handler", 3: "memcpy", 4: "main"},
]


def project(folder: Path, graph: Graph, name: str) -> Path:
    board = load_board("mps2-an386")
    packed = lower(graph, board.core)
    (source,), (target,) = ([graph.tensors[i] for i in indices] for indices in (graph.inputs, graph.outputs))
    model = describe(
        graph,
        packed,
        plan_memory(graph, packed),
        np.zeros((2, *source.shape[1:]), source.dtype),
        np.zeros((2, *target.shape[1:]), target.dtype),
        name=name,
        tool="edgesparse 0.1.0",
        source_sha256="0" * 64,
    )
    render(model, board, folder)
    return folder / "model"


def graphs() -> dict[str, Graph]:
    hostile = {f"hostile {i}": read_graph(conv_network()).renamed(names) for i, names in enumerate(HOSTILE)}
    return hostile | {"float": read_graph(float_network())}


@pytest.mark.parametrize("name", ["net", "model", "n" * 32])
@pytest.mark.parametrize("kind", graphs())
def test_it_is_formatted_as_the_kernels_are_and_compiles(kind: str, name: str, tmp_path: Path) -> None:
    folder = project(tmp_path / "firmware", graphs()[kind], name)
    texts = {path.name: path.read_text() for path in folder.iterdir() if path.suffix in (".c", ".h")}
    assert set(texts) == {file.format(name) for file in GENERATED}
    assert not [line for text in texts.values() for line in text.splitlines() if len(line) > 100]
    shutil.copyfile(ROOT / ".clang-format", folder / ".clang-format")
    for file, text in texts.items():
        # Tables are exempt, but not what stands around them.
        open_text = re.sub(r"(\[\d+\]) = \{\n[^.}]*\};", r"\1 = {0};", text).replace("/* clang-format off */\n\n", "")
        if file != "vectors.c":
            (folder / file).write_text(open_text)
            subprocess.run([clang_format(), "--dry-run", "--Werror", folder / file], check=True, capture_output=True)
            (folder / file).write_text(text)
    include = tmp_path / "firmware" / "kernels" / "include"
    command = ["gcc", "-std=c11", *WARNINGS, "-fsyntax-only", f"-I{include}"]
    subprocess.run([*command, *folder.glob("*.c")], check=True)


def test_buffers_are_named_after_layers_and_pointers_are_null(tmp_path: Path) -> None:
    folder = project(tmp_path / "firmware", read_graph(conv_network()), "net")
    code, tables = (folder / "net.c").read_text(), (folder / "net_weights.c").read_text()
    assert "    AT_INPUT = " in code
    assert "    AT_CONV_2D_SCRATCH = " in code
    assert "(const int8_t *)&arena[AT_CONV_2D]" in code
    assert not re.search(r"arena \+|[(,] ?0[,)]", code)
    assert ".pairs = NULL," in tables
    used = set(re.findall(r"AT_\w+(?=\])", code))
    assert used == set(re.findall(r"AT_\w+(?= =)", code)), "every name is used"


def test_comments_are_wrapped_and_long_words_are_cut() -> None:
    assert comment_text("short") == "/* short */"
    lines = comment_text("x" * 200 + " word" * 40, indent=4).splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert lines[0].startswith("/* " + "x" * 28 + "..." + "x" * 28)
    assert all(line.startswith("     * ") for line in lines[1:])


def test_the_ops_for_tflite_micro_are_formatted_as_well(tmp_path: Path) -> None:
    graph, board = read_graph(conv_network()), load_board("mps2-an386")
    model = tflm_model(conv_network(), graph, lower(graph, board.core))
    render_tflm(model, board, tmp_path, arena_bytes=4096, tool="edgesparse 0.1.0", source_sha256="0" * 64)
    shutil.copyfile(ROOT / ".clang-format", tmp_path / ".clang-format")
    source = tmp_path / "tflm" / "tflm_ops.cc"
    subprocess.run([clang_format(), "--dry-run", "--Werror", source], check=True, capture_output=True)
    assert all(len(line) <= 100 for line in source.read_text().splitlines())


def test_all_that_the_linker_sees_begins_with_the_models_name(tmp_path: Path) -> None:
    folder = project(tmp_path / "firmware", read_graph(conv_network()), "net")
    include = tmp_path / "firmware" / "kernels" / "include"
    for source in ("net.c", "net_weights.c"):
        subprocess.run(["gcc", "-c", f"-I{include}", folder / source, "-o", tmp_path / "o"], check=True)
        done = subprocess.run(
            ["nm", "--defined-only", "--extern-only", tmp_path / "o"], capture_output=True, text=True, check=True
        )
        names = [line.split()[-1] for line in done.stdout.splitlines()]
        assert names
        assert all(name.startswith("net_") for name in names)
