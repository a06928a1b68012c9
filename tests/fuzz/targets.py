"""What is fuzzed: parsers of what comes from outside, each a function of bytes with files to begin with."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

from edgesparse.analysis import analyse
from edgesparse.data import load_data
from edgesparse.emulate.trace import layers_of, parse_console
from edgesparse.errors import CrashError, EdgesparseError, InputError
from edgesparse.firmware.describe import describe
from edgesparse.graph import Graph
from edgesparse.lowering import lower
from edgesparse.lowering.arena import plan_memory
from edgesparse.lowering.gate import check
from edgesparse.lowering.lower import LOWERINGS
from edgesparse.record import to_json
from edgesparse.report.assemble import sparsity_of
from edgesparse.report.show.html import render_html
from edgesparse.report.show.terminal import summary
from edgesparse.report.stored import read_report_at
from edgesparse.tflite import read_graph, slim
from edgesparse.tflm.custom_ops import encode_call
from edgesparse.tflm.decode.plan import plan_decodes
from tests.device.test_trace import ELF, GOOD
from tests.fuzz import fields
from tests.kernels.networks import NETWORKS
from tests.support import mutants
from tests.support.host_kernels import CORES_UNDER_TEST
from tests.support.reports import SAMPLE
from tests.support.small_networks import conv_network, depthwise_network, float_network, unsupported_network

__all__ = ["TARGETS", "Target"]

Mutator = Callable[[bytes, random.Random], bytes]

_CORES = tuple(CORES_UNDER_TEST.values())
_SMALL_SEED_BYTES = 2048
_LARGE_SEEDS = ("ad01_int8.tflite", "kws_ref_model.tflite", "pretrainedResnet_quant.tflite")
_LOWERED_VALUES = 1 << 16
"""Values of all tensors of a network up to which it is lowered in one of 3 cases, larger ones in one of 400."""
_TABLED = frozenset({"ADD", "MAXIMUM", "MINIMUM", "MUL", "PRELU", "SUB"})
"""With a constant, lowering them takes twenty times as long as most others: it is done in one of 32 cases."""
_PACKED_SHARE = 0.03
_MOST_KEPT = 2000


@dataclass(frozen=True)
class Target:
    """run: what is done with a file; it returns, or raises one of `errors`. small: files for coverage-guided fuzzing,
    which are all of a few kilobytes. large: more files for structural mutation. mutate: one structural mutation.
    """

    run: Callable[[bytes], None]
    small: Callable[[], list[bytes]]
    mutate: Mutator
    errors: tuple[type[EdgesparseError], ...] = (InputError,)
    large: Callable[[], list[bytes]] = list


# ------------------------------------------------------------------------------------------ .tflite


def read_and_plan(data: bytes) -> None:
    """What the pipeline does with a file up to the C code, on both runtimes."""
    graph = read_graph(data)
    number = zlib.crc32(data)
    for layer in analyse(graph).layers:
        sparsity_of(layer)
    if number % 16 == 0:
        slim(data, keep_metadata=number % 32 == 0)
    for op in graph.ops:
        if op.kind in LOWERINGS:
            check(graph, op, LOWERINGS[op.kind])
    if number % _share(graph) == 0:
        _lower(graph, number)


def _share(graph: Graph) -> int:
    """One of how many such networks is lowered."""
    if sum(tensor.elements for tensor in graph.tensors) > _LOWERED_VALUES:
        return 400
    tabled = any(
        op.kind in _TABLED and any(index >= 0 and graph.tensors[index].data is not None for index in op.inputs)
        for op in graph.ops
    )
    return 32 if tabled else 3


def _lower(graph: Graph, number: int) -> None:
    packed = lower(
        graph,
        _CORES[(number >> 16) % len(_CORES)],
        dense_only=(number >> 17) % 8 == 0,
        optimize="flash" if (number >> 20) % 4 == 0 else "latency",
    )
    memory = plan_memory(graph, packed)
    ends = [graph.tensors[index] for index in (graph.inputs[0], graph.outputs[0])]
    if (number >> 22) % 8 == 0 and sum(tensor.nbytes for tensor in ends) <= _LOWERED_VALUES:
        vectors, expected = (np.zeros((1, *tensor.shape), tensor.dtype) for tensor in ends)
        describe(graph, packed, memory, vectors, expected, name="net", tool="", source_sha256="")
    for call in packed.calls:
        if call.struct in ("es_conv_2d", "es_fully_connected"):
            encode_call(call)


def decode(data: bytes) -> None:
    """What makes model.tflm.tflite, up to the interpreter that proves it."""
    plan_decodes(slim(data), read_graph(data), max_arena=2048)


def small_networks() -> list[bytes]:
    """Networks of one op of every kind, and small whole ones."""
    found = [float_network(), unsupported_network()]
    for make in NETWORKS.values():
        models = [make(np.random.default_rng(seed))[0] for seed in range(4)]
        found += [model for model in models if len(model) <= _SMALL_SEED_BYTES] or [min(models, key=len)]
    return found


def _large_networks() -> list[bytes]:
    """The real models, if they are there, and networks of several layers."""
    folder = Path(os.environ.get("EDGESPARSE_TEST_MODELS", "/nonexistent"))
    real = [(folder / name).read_bytes() for name in _LARGE_SEEDS if (folder / name).is_file()]
    return [conv_network(), depthwise_network(), *real]


class _Fields:
    """A field changed in place; now and then the tree, packed again. Places of files that come again are kept."""

    def __init__(self) -> None:
        self._found: dict[bytes, list[fields.Place]] = {}

    def __call__(self, data: bytes, rng: random.Random) -> bytes:
        if len(data) <= _SMALL_SEED_BYTES and rng.random() < _PACKED_SHARE:
            with contextlib.suppress(Exception):  # what was given is a mutant already, of any kind
                return mutants.mutant(data, np.random.default_rng(rng.getrandbits(32)))
        if data not in self._found:
            if len(self._found) == _MOST_KEPT:
                self._found.clear()
            self._found[data] = fields.places(data)
        return fields.mutant(data, self._found[data], rng)


# ------------------------------------------------------------------------------------------ text


def console(data: bytes) -> None:
    """What a harness printed, as the emulators and probes read it."""
    text = data.decode("utf-8", errors="replace")
    layers_of(text)
    parse_console(text, ELF, layer_names=("conv", "dense"))


def _consoles() -> list[bytes]:
    lines = [
        *GOOD,
        "es arena bytes=16 needed=16",
        "es selftest pass weights_crc=0x00000001 expected=0x00000001",
        "es fault cfsr=0x00010000 address=0x00000000 pc=0x00000104 sp=0x20000100 layer=1",
        "es overrun vector=1",
        "es refused layer=1 op=ADD got=1 expected=2 more words",
        "es unstable",
    ]
    return ["\n".join([*GOOD[:4], *extra, "es end"]).encode() for extra in ([], *([line] for line in lines))]


class _Words:
    """Mutations of text: pieces are replaced, left out, repeated, or put elsewhere."""

    def __init__(self, words: tuple[bytes, ...]) -> None:
        self._words = words

    def __call__(self, data: bytes, rng: random.Random) -> bytes:
        changed = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(changed) + 1)
            to = min(len(changed), at + rng.choice((0, 0, 1, 2, 4, 8, 32)))
            way = rng.randrange(3)
            if way == 0:
                changed[at:to] = rng.choice(self._words)
            elif way == 1:
                changed[at:to] = bytes(rng.randrange(256) for _ in range(rng.randint(0, 3)))
            else:
                other = rng.randrange(len(changed) + 1)
                changed[other:other] = changed[at:to]
        return bytes(changed)


_CONSOLE_WORDS = (
    b"9" * 40, b"\xd9\xa3", b"=", b" ", b"\n", b"es end", b"es refused layer=", b"es overrun vector=", b"\0", b"f",
    b"\r\n", b"\x0c", b"\x1b[2J", b"\xff", b"-1", b"0x", b"es begin protocol=1", b"9" * 5000, b"ticks=", b"\xc2\x85",
)  # fmt: skip
_JSON_WORDS = (
    b"null", b"true", b"-1", b"1e999", b"NaN", b"{}", b"[]", b'""', b'"x"', b"9" * 400, b"0.5", b"[[", b"{", b"}", b",",
    b'{"unavailable": 3}', b'{"unavailable": "x"}', b"18446744073709551616", b"\\ud800", b"-0.0", b"\xff", b"\0",
)  # fmt: skip


def report(data: bytes) -> None:
    """report.json, and what is shown of it."""
    found = read_report_at(_file(data, ".json"))
    Console(file=io.StringIO(), width=100).print(*summary(found))
    render_html(found)


def _reports() -> list[bytes]:
    return [json.dumps(to_json(SAMPLE), indent=1).encode()]


# ------------------------------------------------------------------------------------------ arrays


def archive(data: bytes) -> None:
    """Samples in a .npz."""
    load_data(str(_file(data, ".npz")))


def array(data: bytes) -> None:
    """Samples in a .npy."""
    load_data(str(_file(data, ".npy")))


def _archives() -> list[bytes]:
    x, y = np.arange(12, dtype=np.float32).reshape(3, 4), np.arange(3)
    found = []
    for save, arrays in (
        (np.savez, {"x": x, "y": y}),
        (np.savez_compressed, {"x": x, "y": y, "x_test": x, "y_test": y}),
        (np.savez, {"x": x.astype(">f2"), "other": np.array(["text"])}),
    ):
        file = io.BytesIO()
        save(file, **arrays)
        found.append(file.getvalue())
    return found


def _arrays() -> list[bytes]:
    found = []
    for value in (np.ones((2, 3), np.float32), np.asfortranarray(np.ones((2, 3))), np.ones((1, 2, 2, 1), np.int8)):
        file = io.BytesIO()
        np.save(file, value)
        found.append(file.getvalue())
    return found


_HEADER_WORDS = (
    b"'descr': '<f8'", b"'descr': '|O'", b"'descr': '|V8'", b"(-1,)", b"(4294967296, 4294967296)", b"(1e9,)", b"True",
    b"'shape': ()", b"9" * 400, b"((((", b"\x93NUMPY\x03\x00", b"\x93NUMPY\x01\x00\xff\xff", b"lambda: 0", b"\0", b"{",
    b"'<U1000000000'", b"'<M8[ns]'", b"[('x', '<f4')]", b"None", b"PK\x01\x02", b"PK\x05\x06", b"\xff\xff\xff\xff",
)  # fmt: skip


class _Members:
    """A member of an archive changed and stored again, so that its checksum is right; or the archive's own bytes."""

    def __init__(self) -> None:
        self._words = _Words(_HEADER_WORDS)

    def __call__(self, data: bytes, rng: random.Random) -> bytes:
        if rng.random() < 0.5:
            return self._words(data, rng)
        file = io.BytesIO()
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
                for name in old.namelist():
                    content = old.read(name)
                    new.writestr(name, self._words(content, rng) if rng.random() < 0.5 else content)
        except Exception:  # what was given is a mutant already, of any kind
            return self._words(data, rng)
        return file.getvalue()


@cache
def _folder() -> TemporaryDirectory[str]:
    """One for all files: making one takes longer than most files do."""
    return TemporaryDirectory(prefix="edgesparse-fuzz-")


def _file(data: bytes, suffix: str) -> Path:
    """The bytes as a file, which the next one replaces."""
    path = Path(_folder().name) / f"file{suffix}"
    path.write_bytes(data)
    return path


TARGETS = {
    "reader": Target(read_and_plan, small_networks, _Fields(), large=_large_networks),
    "decode": Target(decode, small_networks, _Fields(), large=lambda: [conv_network(), depthwise_network()]),
    "console": Target(console, _consoles, _Words(_CONSOLE_WORDS), errors=(CrashError,)),
    "report": Target(report, _reports, _Words(_JSON_WORDS)),
    "npz": Target(archive, _archives, _Members()),
    "npy": Target(array, _arrays, _Words(_HEADER_WORDS)),
}
