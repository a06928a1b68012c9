"""Run lowered networks on the host: one C program for many cases, under ASan and UBSan.

Every tensor and every scratch buffer is a block of its own of exactly the planned size, so that a kernel that
leaves its buffer is caught.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgesparse.boards import CORES, templates_folder
from edgesparse.firmware.render import kernel_source
from edgesparse.graph import Graph
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.model import PackedModel
from tests.support.c_style import WARNINGS

DSP = CORES["cortex-m4"]
PORTABLE = replace(DSP, name="portable", kernels=("portable",))
CORES_UNDER_TEST = {"portable": PORTABLE, "dsp": DSP}
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@dataclass(frozen=True, eq=False)
class Case:
    """A network and one input (raw bytes of each graph input, joined)."""

    graph: Graph
    packed: PackedModel
    inputs: bytes


def run_cases(
    folder: Path, cases: list[Case], *, compiler: str = "gcc", flags: tuple[str, ...] = SANITIZERS
) -> list[dict[int, NDArray[np.uint8]]]:
    """For each case: the bytes of every tensor that a kernel wrote, by tensor index."""
    kernels = templates_folder() / "kernels"
    names = sorted({n for case in cases for call in case.packed.calls for n in (call.function, *call.sources)})
    sources = map(kernel_source, names)
    (folder / "cases.c").write_text(_program(cases))
    program = folder / "cases"
    command = [compiler, "-std=c11", "-O1", *WARNINGS, "-fno-strict-aliasing", *flags]
    command += [f"-I{kernels / 'include'}", str(folder / "cases.c"), *map(str, sources), "-o", str(program)]
    subprocess.run(command, check=True)
    (folder / "inputs.bin").write_bytes(b"".join(case.inputs for case in cases))
    done = subprocess.run([program, folder / "inputs.bin", folder / "outputs.bin"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]
    data = np.frombuffer((folder / "outputs.bin").read_bytes(), np.uint8)
    results = []
    position = 0
    for case in cases:
        result = {}
        for tensor in _written(case):
            size = case.graph.tensors[tensor].nbytes
            result[tensor] = data[position : position + size]
            position += size
        results.append(result)
    assert position == len(data)
    return results


def _written(case: Case) -> list[int]:
    return list(dict.fromkeys(call.output for call in case.packed.calls))


def _program(cases: list[Case]) -> str:
    headers = sorted({call.header for case in cases for call in case.packed.calls})
    text = ["#include <stdio.h>", "#include <stdlib.h>", *(f'#include "{header}"' for header in headers)]
    bodies = []
    for number, case in enumerate(cases):
        for position, call in enumerate(case.packed.calls):
            text.append(parameters_text(f"c{number}_{position}", call))
        bodies.append(_run(number, case))
    text += bodies
    text += ["int main(int argc, char **argv) {", "if (argc != 3) { return 2; }"]
    text += ['FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");', "if (!in || !out) { return 3; }"]
    text += [f"run_{number}(in, out);" for number in range(len(cases))]
    text += ["fclose(in); fclose(out); return 0; }", ""]
    return "\n".join(text)


def parameters_text(name: str, call: KernelCall) -> str:
    lines = []
    fields = []
    for field, value in call.fields:
        if isinstance(value, Array):
            numbers = ",".join(map(str, value.values.tolist())) or "0"
            lines.append(
                f"static const {value.ctype} {name}_{value.suffix}[] __attribute__((aligned(4))) = {{{numbers}}};"
            )
            text = f"{name}_{value.suffix}"
        elif value is None:
            text = "0"
        elif isinstance(value, float):
            text = f"{np.float32(value):.9e}f"
        elif isinstance(value, int):
            text = "(-2147483647 - 1)" if value == -(2**31) else str(value)
        else:
            text = value
        fields.append(f".{field} = {text}")
    return "\n".join([*lines, f"static const {call.struct} {name} = {{{', '.join(fields)}}};"])


def _run(number: int, case: Case) -> str:
    aliases = case.packed.aliases
    names: dict[int, str] = {}
    lines = [f"static void run_{number}(FILE *in, FILE *out) {{"]

    def buffer(tensor: int) -> str:
        tensor = aliases.get(tensor, tensor)
        if tensor not in names:
            names[tensor] = f"t{tensor}"
            lines.append(f"void *t{tensor} = malloc({case.graph.tensors[tensor].nbytes});")
        return names[tensor]

    for tensor in case.graph.inputs:
        size = case.graph.tensors[tensor].nbytes
        name = buffer(tensor)
        lines.append(f"if (fread({name}, 1, {size}, in) != {size}) {{ exit(4); }}")
    for position, call in enumerate(case.packed.calls):
        arguments = [f"&c{number}_{position}", *(buffer(tensor) for tensor in call.inputs), buffer(call.output)]
        if call.takes_scratch:
            lines.append(f"void *s{position} = malloc({call.scratch_bytes});")
            arguments.append(f"s{position}")
        lines.append(f"{call.function}({', '.join(arguments)});")
        if call.takes_scratch:
            lines.append(f"free(s{position});")
    sizes = {names[tensor]: case.graph.tensors[tensor].nbytes for tensor in _written(case)}
    lines += [f"fwrite({name}, 1, {size}, out);" for name, size in sizes.items()]
    lines += [f"free({name});" for name in names.values()]
    return "\n".join([*lines, "}"])
