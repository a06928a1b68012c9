"""The stack that a firmware can use, computed from its ELF, is no less than what it was measured to use."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgesparse.commands.firmware import firmware as firmware_command
from edgesparse.toolchain import read_elf
from tests.support.small_networks import conv_network, depthwise_network, float_network
from tests.support.stack_use import CallGraph, call_graph

NETWORKS: dict[str, Callable[[], bytes]] = {
    "conv": conv_network,
    "depthwise": depthwise_network,
    "float": float_network,
}
CASES = [
    ("conv", "mps2-an386", "gcc"),
    *(
        pytest.param(*case, marks=pytest.mark.slow)
        for case in [
            ("conv", "mps2-an386", "zig"),
            ("conv", "mps2-an385", "gcc"),
            ("conv", "mps2-an505", "zig"),
            ("depthwise", "mps2-an505", "gcc"),
            ("depthwise", "mps2-m0plus", "gcc"),
            ("float", "mps2-an500", "gcc"),
        ]
    ),
]


def may_call(caller: str, other: str) -> bool:
    """Through a pointer the harness calls what it times, a kernel another part of a kernel."""
    if caller.startswith("es_"):
        return other.startswith("es_")
    return other == "do_nothing" or other.endswith("_invoke")


@pytest.mark.parametrize(("network", "board", "toolchain"), CASES)
def test_computed_is_no_less_than_measured_and_nothing_recurs(
    network: str, board: str, toolchain: str, tmp_path: Path
) -> None:
    (tmp_path / "net.tflite").write_bytes(NETWORKS[network]())
    firmware_command(tmp_path / "net.tflite", out=tmp_path / "out", board=board, toolchain=toolchain, vectors=2)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    for build, project in (("sparse", "firmware"), ("dense", "dense")):
        elf = read_elf(tmp_path / "out" / project / "build" / toolchain / "firmware.elf")
        graph = call_graph(elf, may_call)
        assert graph.cycle == ()
        assert {name for name in graph.functions if name.startswith("es_")}, "the kernels are in the graph"
        computed, measured = graph.stack_bytes("reset_handler"), report[build]["stack_bytes"]
        # Frames are not written to the last byte, and printing goes deeper than some networks do.
        assert measured <= computed <= measured + 256
        assert graph.stack_bytes("net_invoke") < computed


def graph_of(source: str, folder: Path) -> CallGraph:
    """Of C with a function `start`, built for a Cortex-M4."""
    (folder / "a.c").write_text(source)
    (folder / "a.ld").write_text("SECTIONS { .text 0x1000 : { *(.text*) } .data 0x2000 : { *(.data*) } }")
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-O1", "-nostdlib", "-ffreestanding", "-Wl,-estart"]
    subprocess.run([*command, "-Ta.ld", "-Wl,--build-id=none", "a.c", "-o", "a.elf"], cwd=folder, check=True)
    return call_graph(read_elf(folder / "a.elf"), lambda caller, other: True)


def test_frames_and_calls_through_pointers_are_counted(gcc: str, tmp_path: Path) -> None:
    graph = graph_of(
        "__attribute__((noinline)) static int deep(int n) { volatile char a[400]; a[0] = (char)n; return a[0]; }\n"
        "int (*volatile pointer)(int) = deep;\n"
        "void start(void) { pointer(1); }\n",
        tmp_path,
    )
    assert 408 <= graph.stack_bytes("start") <= 424


def test_recursion_is_found(gcc: str, tmp_path: Path) -> None:
    graph = graph_of(
        "__attribute__((noinline)) int a(int);\n"
        "__attribute__((noinline)) int b(int n) { volatile int x = a(n - 1); return x + 1; }\n"
        "__attribute__((noinline)) int a(int n) { volatile int x = n ? b(n) : 0; return x + 2; }\n"
        "void start(void) { a(3); }\n",
        tmp_path,
    )
    assert set(graph.cycle) == {"a", "b"}


def test_a_variable_frame_is_refused(gcc: str, tmp_path: Path) -> None:
    source = "int n = 3; void start(void) { volatile char a[n]; a[0] = 1; }"
    with pytest.raises(AssertionError, match="size is in a register"):
        graph_of(source, tmp_path)
