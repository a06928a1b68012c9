"""Many lowered networks in one firmware: what host_kernels does on the host, for an emulated core.

Each case is a layer of the firmware, in the arena that the planner gave it; its output is copied behind the others'.
One more layer stands for the copying.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgesparse.boards import Board, templates_folder
from edgesparse.emulate import Emulator
from edgesparse.firmware.render import ARCH, kernel_source, render_board
from edgesparse.lowering.arena import plan_memory
from edgesparse.toolchain import Elf, Toolchain, build
from tests.support.host_kernels import Case, parameters_text


@dataclass(frozen=True, eq=False)
class CaseRun:
    """Output bytes and instructions of each case."""

    outputs: list[bytes]
    instructions: list[int] | None


def build_cases(folder: Path, board: Board, toolchain: Toolchain, cases: list[Case]) -> Elf:
    """One firmware in a new folder."""
    templates = templates_folder()
    shutil.copytree(templates / "project", folder)
    shutil.copytree(templates / ARCH, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("counters"))
    shutil.copytree(templates / "runtime" / "aot", folder / "runtime")
    render_board(board, folder)
    shutil.copytree(templates / "kernels" / "include", folder / "kernels" / "include")
    names = sorted({name for case in cases for call in case.packed.calls for name in (call.function, *call.sources)})
    for name in names:
        shutil.copyfile(kernel_source(name), folder / "kernels" / f"{name}.c")
    core = board.core
    (folder / "config.mk").write_text(
        f"BOARD := {board.name}\nGCC_CORE_FLAGS := {' '.join(core.gcc_flags)}\nZIG_TARGET := {core.zig_target}\n"
        f"ZIG_CPU := {core.zig_cpu}\nQEMU_MACHINE := {board.qemu_machine or ''}\n"
        f"KERNEL_SOURCES := {' '.join(f'kernels/{name}.c' for name in names)}\n"
    )
    _write_model(folder / "model", cases)
    return build(folder, toolchain, core)


def run_cases_on(elf: Elf, board: Board, emulator: Emulator, cases: list[Case]) -> CaseRun:
    """Run a firmware of build_cases."""
    names = [f"case {i}" for i in range(len(cases))]
    trace = emulator.run(elf, board, timeout_s=300, layer_names=[*names, "copying"])
    (output,) = trace.outputs
    outputs, position = [], 0
    for case in cases:
        size = case.graph.tensors[case.graph.outputs[0]].nbytes
        outputs.append(output[position : position + size])
        position += size
    layers = trace.layer_instructions
    return CaseRun(outputs, None if layers is None else [int(count) for count in layers[0][:-1]])


def _write_model(folder: Path, cases: list[Case]) -> None:
    plans = [plan_memory(case.graph, case.packed) for case in cases]
    output_bytes = sum(case.graph.tensors[case.graph.outputs[0]].nbytes for case in cases)
    arena_bytes = max(plan.arena_bytes for plan in plans)
    headers = sorted({call.header for case in cases for call in case.packed.calls})
    tables, bodies, position = [], [], 0
    for number, (case, plan) in enumerate(zip(cases, plans, strict=True)):
        values = ",".join(map(str, np.frombuffer(case.inputs, np.uint8)))
        tables.append(f"static const uint8_t input_{number}[] = {{{values}}};")
        (source,) = case.graph.inputs
        body = [f"model_layer = {len(cases)}u;"]
        body.append(f"__builtin_memcpy(arena + {plan.tensor_offsets[source]}, input_{number}, sizeof input_{number});")
        body.append(f"model_layer = {number}u;")
        for index, call in enumerate(case.packed.calls):
            tables.append(parameters_text(f"c{number}_{index}", call))
            arguments = [f"&c{number}_{index}"]
            for tensor in (*call.inputs, call.output):
                assert case.graph.tensors[tensor].data is None
                arguments.append(f"(void *)(arena + {plan.tensor_offsets[tensor]})")
            if call.takes_scratch:
                arguments.append(f"arena + {plan.scratch_offsets[index]}" if call.scratch_bytes else "0")
            body.append(f"{call.function}({', '.join(arguments)});")
        body.append(f"model_layer = {len(cases)}u;")
        target = case.graph.outputs[0]
        size = case.graph.tensors[target].nbytes
        body.append(f"__builtin_memcpy(output + {position}, arena + {plan.tensor_offsets[target]}, {size});")
        position += size
        tables.append(f"__attribute__((noinline)) static void run_{number}(void) {{ {' '.join(body)} }}")
        bodies.append(f"run_{number}();")
    folder.mkdir()
    lines = ['#include "harness_model.h"', *(f'#include "{header}"' for header in headers)]
    lines += ["volatile uint32_t model_layer = MODEL_LAYERS;"]
    lines += ['static uint8_t arena[MODEL_ARENA_BYTES] __attribute__((section(".bss.arena"), aligned(8)));']
    lines += ["static uint8_t output[MODEL_OUTPUT_BYTES];", "static uint8_t input[MODEL_INPUT_BYTES];", *tables]
    lines += ["uint8_t *model_arena(void) { return arena; }", "void *model_input(void) { return input; }"]
    lines += ["const void *model_output(void) { return output; }"]
    lines += ["void model_invoke(void) {", *bodies, "model_layer = MODEL_LAYERS; }", ""]
    (folder / "model.c").write_text("\n".join(lines))
    (folder / "harness_model.h").write_text(
        "#pragma once\n#include <stdint.h>\n"
        f"#define MODEL_INPUT_BYTES 4u\n#define MODEL_OUTPUT_BYTES {output_bytes}u\n"
        f"#define MODEL_ARENA_BYTES {arena_bytes}u\n#define MODEL_LAYERS {len(cases) + 1}u\n"
        "#define MODEL_WEIGHTS_CRC 0u /* of no bytes: no table is in the section */\n"
        "extern volatile uint32_t model_layer;\nstatic inline void model_prepare(void) {}\n"
        "uint8_t *model_arena(void);\nvoid *model_input(void);\n"
        "const void *model_output(void);\nvoid model_invoke(void);\n"
    )
    (folder / "harness_model.ld").write_text("__model_invoke = model_invoke;\n__model_layer = model_layer;\n")
    (folder / "vectors.h").write_text(
        '#pragma once\n#include "harness_model.h"\n#define VECTORS_COUNT 1u\n'
        "extern const uint8_t vectors_inputs[VECTORS_COUNT][MODEL_INPUT_BYTES];\n"
        "extern const uint32_t vectors_output_crcs[VECTORS_COUNT];\n"
    )
    (folder / "vectors.c").write_text(
        '#include "vectors.h"\nconst uint8_t vectors_inputs[VECTORS_COUNT][MODEL_INPUT_BYTES] '
        '__attribute__((section(".test_vectors"))) = {{0}};\n'
        # Not the output's: the caller compares it, byte for byte.
        'const uint32_t vectors_output_crcs[VECTORS_COUNT] __attribute__((section(".test_vectors"))) = {0};\n'
    )
