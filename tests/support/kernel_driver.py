"""Many kernel calls through one program: a driver that takes structs, tables and inputs as a stream of bytes.

`host_kernels.run_cases` compiles the tables of its cases, which takes most of the time of a case; here a program is
compiled once, with every kernel, under ASan and UBSan. Every tensor, table and scratch buffer is a block of its own of
exactly the planned size; or tensors and scratch lie in one arena as planned, where outputs may be over inputs.
"""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgesparse.boards import templates_folder
from edgesparse.graph import Graph
from edgesparse.lowering.arena import plan_memory
from edgesparse.lowering.call import Array, FieldValue, KernelCall
from edgesparse.lowering.model import PackedModel
from edgesparse.variants import VARIANTS
from tests.support.host_kernels import SANITIZERS

__all__ = ["Driver", "DriverCase", "kernel_functions"]

_NULL = 0xFFFFFFFF
_GUARD = b"\xa5"

_HEAD = """
static FILE *in;

static void take(void *to, size_t size) {
    if (size != 0 && fread(to, 1, size, in) != size) { exit(4); }
}
static uint32_t number(void) { uint32_t n; take(&n, 4); return n; }
static int64_t value(void) { int64_t n; take(&n, 8); return n; }
static double real(void) { double n; take(&n, 8); return n; }

/* Blocks of the case at hand; each is freed at its end. */
static void *blocks[4096];
static uint32_t block_count;
static void *block(uint32_t size) {
    void *at = malloc(size);
    if (!at || block_count == 4096) { exit(5); }
    memset(at, 0xA5, size);
    blocks[block_count++] = at;
    return at;
}
static const void *table(void) {
    uint32_t size = number();
    if (size == 0xFFFFFFFFu) { return NULL; }
    void *at = block(size);
    take(at, size);
    return at;
}
#define NUMBER(to) do { int64_t n = value(); (to) = n; if ((to) != n) { exit(6); } } while (0)
"""

_MAIN = """
int main(int argc, char **argv) {
    if (argc != 3) { return 2; }
    in = fopen(argv[1], "rb");
    FILE *out = fopen(argv[2], "wb");
    if (!in || !out) { return 3; }
    for (uint32_t cases = number(); cases != 0; cases--) {
        fprintf(stderr, "case %u\\n", number());
        block_count = 0;
        uint32_t arena_bytes = number(), buffers = number();
        char *arena = arena_bytes == 0xFFFFFFFFu ? NULL : block(arena_bytes);
        void **at = block(buffers * sizeof *at);
        uint32_t *sizes = block(buffers * sizeof *sizes);
        for (uint32_t i = 0; i < buffers; i++) {
            sizes[i] = number();
            uint32_t offset = number();
            at[i] = arena && offset != 0xFFFFFFFFu ? arena + offset : block(sizes[i]);
        }
        for (uint32_t filled = number(); filled != 0; filled--) {
            uint32_t i = number();
            take(at[i], sizes[i]);
        }
        for (uint32_t calls = number(); calls != 0; calls--) { call(at); }
        uint32_t output = number();
        fwrite(at[output], 1, sizes[output], out);
        while (block_count != 0) { free(blocks[--block_count]); }
    }
    fclose(in);
    return fclose(out);
}
"""


@dataclass(frozen=True, eq=False)
class DriverCase:
    """A lowered network, the raw bytes of its input, and whether buffers lie in one arena."""

    number: int
    graph: Graph
    packed: PackedModel
    inputs: bytes
    in_arena: bool = False

    @property
    def output(self) -> int:
        """The tensor with the network's output."""
        return self.packed.aliases.get(self.graph.outputs[0], self.graph.outputs[0])


def kernel_functions() -> list[str]:
    """All kernels there are, by the names of their files."""
    folder = templates_folder() / "kernels"
    return sorted(path.stem for variant in VARIANTS for path in (folder / variant).glob("es_*.c"))


@dataclass
class Driver:
    """Compiled in `folder` when it meets a kernel or a field for the first time."""

    folder: Path
    compiler: str = "gcc"
    _kinds: dict[str, dict[str, str]] = field(default_factory=dict)
    _functions: dict[str, tuple[str, str, int, bool]] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _compiled: str = ""

    def run(self, cases: list[DriverCase]) -> list[bytes]:
        """The output of each case. AssertionError, with the case's number and what was reported, where one stops."""
        for case in cases:
            for call in case.packed.calls:
                self._learn(call)
        self._compile()
        stream = [struct.pack("<I", len(cases))]
        for case in cases:
            self._write(stream, case)
        source, target = self.folder / "cases.bin", self.folder / "outputs.bin"
        source.write_bytes(b"".join(stream))
        with (self.folder / "log").open("w+b") as log:
            code = subprocess.run([self.folder / "driver", source, target], stderr=log, check=False).returncode
            log.seek(0)
            said = log.read().decode(errors="replace")
        assert code == 0, f"exit code {code}: {said[said.rfind('case ') :][:4000]}"
        data = target.read_bytes()
        results, position = [], 0
        for case in cases:
            size = case.graph.tensors[case.output].nbytes
            results.append(data[position : position + size])
            position += size
        assert position == len(data)
        return results

    def _learn(self, call: KernelCall) -> None:
        self._functions.setdefault(call.function, (call.header, call.struct, len(call.inputs), call.takes_scratch))
        kinds = self._kinds.setdefault(call.struct, {})
        for name, content in call.fields:
            kind = _kind(content)
            if kind == "function":
                self._names.add(str(content))
            if kind != "null" or name not in kinds:
                kinds[name] = kind if kinds.get(name) != "function" else "function"

    def _compile(self) -> None:
        text = self._text()
        if text == self._compiled:
            return
        kernels = templates_folder() / "kernels"
        (self.folder / "driver.c").write_text(text)
        command = [self.compiler, "-std=c11", "-O1", "-fno-strict-aliasing", *SANITIZERS, f"-I{kernels / 'include'}"]
        command += [str(self.folder / "driver.c"), *map(str, sorted(kernels.glob("*/es_*.c")))]
        subprocess.run([*command, "-o", str(self.folder / "driver")], check=True)
        self._compiled = text

    def _text(self) -> str:
        headers = sorted({header for header, *_ in self._functions.values()})
        lines = ["#include <stdio.h>", "#include <stdlib.h>", "#include <string.h>"]
        lines += [*(f'#include "{header}"' for header in headers), _HEAD]
        for name, kinds in sorted(self._kinds.items()):
            lines += [f"static void load_{name}({name} *p) {{", "memset(p, 0, sizeof *p);"]
            lines += [self._load(field_name, kind) for field_name, kind in kinds.items()]
            lines.append("}")
        lines += ["static void call(void **at) {", "switch (number()) {"]
        for number, (function, (_, name, inputs, scratch)) in enumerate(sorted(self._functions.items())):
            arguments = ", ".join(["&p", *(f"a[{index}]" for index in range(inputs + 1 + scratch))])
            lines += [f"case {number}: {{ {name} p; void *a[4]; load_{name}(&p);"]
            lines += [f"for (int i = 0; i < {inputs + 1 + scratch}; i++) {{ a[i] = at[number()]; }}"]
            lines += [f"{function}({arguments}); break; }}"]
        lines += ["default: exit(7); } }", _MAIN]
        return "\n".join(lines)

    def _load(self, name: str, kind: str) -> str:
        if kind == "number":
            return f"NUMBER(p->{name});"
        if kind == "real":
            return f"p->{name} = (float)real();"
        if kind == "list":
            return f"for (size_t i = 0; i < sizeof p->{name} / sizeof p->{name}[0]; i++) {{ NUMBER(p->{name}[i]); }}"
        if kind == "function":
            choices = " ".join(f"case {i}: p->{name} = {n}; break;" for i, n in enumerate(sorted(self._names)))
            return f"switch (number()) {{ {choices} default: break; }}"
        return f"p->{name} = table();"

    def _write(self, stream: list[bytes], case: DriverCase) -> None:
        graph, packed = case.graph, case.packed
        memory = plan_memory(graph, packed) if case.in_arena else None
        buffers: dict[tuple[str, int], int] = {}
        entries: list[tuple[int, int]] = []

        def buffer(kind: str, index: int, size: int) -> int:
            if (kind, index) not in buffers:
                buffers[kind, index] = len(entries)
                offsets = {} if memory is None else memory.tensor_offsets if kind == "t" else memory.scratch_offsets
                entries.append((size, offsets.get(index, _NULL)))
            return buffers[kind, index]

        def tensor(index: int) -> int:
            index = packed.aliases.get(index, index)
            return buffer("t", index, graph.tensors[index].nbytes)

        filled = [(tensor(graph.inputs[0]), case.inputs)]
        functions, names = sorted(self._functions), sorted(self._names)
        body: list[bytes] = []
        for number, call in enumerate(packed.calls):
            body.append(struct.pack("<I", functions.index(call.function)))
            given = dict(call.fields)
            for name, kind in self._kinds[call.struct].items():
                body.append(_bytes_of(kind, given[name], names))
            for index in call.inputs:
                data = graph.tensors[index].data
                if data is not None and ("t", index) not in buffers:
                    filled.append((tensor(index), data.tobytes()))
            arguments = [*map(tensor, call.inputs), tensor(call.output)]
            if call.takes_scratch:
                arguments.append(buffer("s", number, call.scratch_bytes))
            body.append(struct.pack(f"<{len(arguments)}I", *arguments))
        output = tensor(case.output)
        arena = _NULL if memory is None else memory.arena_bytes
        stream.append(struct.pack("<3I", case.number, arena, len(entries)))
        stream += [struct.pack("<2I", *entry) for entry in entries]
        stream.append(struct.pack("<I", len(filled)))
        for place, data in filled:
            stream += [struct.pack("<I", place), data]
        stream += [struct.pack("<I", len(packed.calls)), *body, struct.pack("<I", output)]


def _kind(content: FieldValue) -> str:
    if content is None:
        return "null"
    if isinstance(content, Array):
        return "table"
    if isinstance(content, str):
        return "list" if content.startswith("{") else "function"
    return "real" if isinstance(content, float) else "number"


def _bytes_of(kind: str, content: FieldValue, names: list[str]) -> bytes:
    if kind == "function":
        return struct.pack("<I", names.index(content) if isinstance(content, str) else _NULL)
    if kind == "list":
        assert isinstance(content, str)
        numbers = [int(text) for text in content.strip("{}").split(",")]
        return struct.pack(f"<{len(numbers)}q", *numbers)
    if kind in ("table", "null"):
        if content is None:
            return struct.pack("<I", _NULL)
        assert isinstance(content, Array)
        data = np.ascontiguousarray(content.values).tobytes()
        return struct.pack("<I", len(data)) + data if data else struct.pack("<I", _NULL)
    assert isinstance(content, (int, float, np.number))
    return struct.pack("<d", content) if kind == "real" else struct.pack("<q", int(content))
