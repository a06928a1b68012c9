"""What a run of the firmware yields, and the parser of the lines that its harness prints.

The lines (firmware_templates/project/harness.h):

    es begin protocol=1 vectors=N layers=N input=BYTES output=BYTES arena=BYTES counter=NAME
    es vector I ticks=N output=HEX            one per vector, in order
    es memory arena_used=BYTES stack_used=BYTES
    es selftest pass|fail weights_crc=0xHEX expected=0xHEX
    es end

or instead of what is left:

    es fault cfsr=0xHEX address=0xHEX pc=0xHEX sp=0xHEX layer=N
    es overrun vector=I
    es unstable
    es refused layer=N op=NAME got=N expected=N WHAT

and before the first vector, from a runtime that manages the arena itself:

    es arena bytes=BYTES needed=BYTES
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgesparse.errors import CrashError, RefusedError
from edgesparse.tflite.schema import BUILTIN_OPERATORS
from edgesparse.toolchain.elf import Elf

__all__ = ["Console", "Fault", "Selftest", "Trace", "describe_fault", "describe_layer", "layers_of", "parse_console"]

_COUNT = "([0-9]{1,10})"
"""A number of at most 32 bits, as all are that the harness prints but ticks."""
BEGIN = re.compile(
    rf"es begin protocol=1 vectors={_COUNT} layers={_COUNT} input={_COUNT} output={_COUNT} arena={_COUNT} counter=(\S+)"
)
VECTOR = re.compile(rf"es vector {_COUNT} ticks=([0-9]{{1,20}}) output=((?:[0-9a-f]{{2}})*)")
MEMORY = re.compile(rf"es memory arena_used={_COUNT} stack_used={_COUNT}")
SELFTEST = re.compile(r"es selftest (pass|fail) weights_crc=0x([0-9a-f]{8}) expected=0x([0-9a-f]{8})")
FAULT = re.compile(
    r"es fault cfsr=0x([0-9a-f]{8}) address=0x([0-9a-f]{8}) pc=0x([0-9a-f]{8}) sp=0x([0-9a-f]{8})"
    rf" layer={_COUNT}"
)
REFUSED = re.compile(rf"es refused layer={_COUNT} op=(\S+) got={_COUNT} expected={_COUNT} (.+)")
ARENA = re.compile(rf"es arena bytes={_COUNT} needed={_COUNT}")
NO_OP = "-"  # the model as a whole
UNREGISTERED = "operator without a registration"  # where `op` does not say which, `got` does
ARENA_TOO_SMALL = "bytes of arena"  # how WHAT starts then; `got` is what there is
OVERRUN = re.compile(rf"es overrun vector={_COUNT}")

# Bits of the Configurable Fault Status Register (Armv7-M, Armv8-M), the most telling first.
CFSR_BITS = (
    (20, "stack overflow"),  # STKOF, Armv8-M
    (12, "stack overflow"),  # STKERR
    (4, "stack overflow"),  # MSTKERR
    (16, "undefined instruction"),
    (17, "invalid state"),
    (19, "no coprocessor"),
    (24, "unaligned access"),
    (25, "division by zero"),
    (8, "instruction fetch from a bad address"),
    (0, "instruction fetch from a bad address"),
    (9, "access to a bad address"),
    (10, "access to a bad address"),
    (1, "access to a bad address"),
)
LOST_STACK = "stack pointer outside of the stack"
CFSR_ADDRESS_VALID = 1 << 15 | 1 << 7  # BFARVALID, MMARVALID


@dataclass(frozen=True, eq=False)
class Trace:
    """A run over all vectors.

    `instructions`: per vector, from entering to leaving model_invoke; exact in unicorn, within 40 in QEMU.
    `layer_instructions` and `layer_cycles`: [vectors, layers] int64, or None where the emulator cannot tell.
    `cycles`: estimates of the timing model that `cycle_model` names, or None for the reason in `cycle_model`.
    """

    emulator: str
    outputs: tuple[bytes, ...]
    instructions: tuple[int, ...]
    layer_instructions: npt.NDArray[np.int64] | None
    cycles: tuple[int, ...] | None
    layer_cycles: npt.NDArray[np.int64] | None
    cycle_model: str
    stack_bytes: int
    arena_bytes: int
    arena_needed_bytes: int | None = None
    """What the runtime would need, where it manages the arena itself and has another size."""
    selftest: Selftest | None = None
    """None from a project that was written before there was one."""


@dataclass(frozen=True)
class Selftest:
    """What the firmware says of itself. `outputs_ok`: all were those expected when it was made."""

    weights_crc: int
    outputs_ok: bool


@dataclass(frozen=True)
class Console:
    """The harness's lines as data; byte counts as the firmware has them. `ticks` are of `counter`."""

    vectors: int
    layers: int
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    counter: str
    ticks: tuple[int, ...]
    outputs: tuple[bytes, ...]
    arena_used_bytes: int
    stack_used_bytes: int
    arena_needed_bytes: int | None
    selftest: Selftest | None


@dataclass(frozen=True)
class Fault:
    """Why and where the core stopped. `address` is None where the core does not know it; `pc` 0 likewise.

    `caller`: the link register where `pc` may lie in no function.
    """

    kind: str
    pc: int
    address: int | None
    layer: int | None
    caller: int | None = None


def parse_console(text: str, elf: Elf, *, layer_names: Sequence[str] = (), overrun_layer: int | None = None) -> Console:
    """Parse all that the harness printed; CrashError for a fault, an overrun, or anything unexpected."""
    lines = [line for line in text.splitlines() if line.strip()]
    for line in lines:
        _raise_if_failed(line, elf, layer_names, overrun_layer)

    verdicts = [match for match in map(SELFTEST.fullmatch, lines) if match]
    lines = [line for line in lines if not SELFTEST.fullmatch(line)]
    needed = {int(match[2]) for match in map(ARENA.fullmatch, lines) if match}
    lines = [line for line in lines if not ARENA.fullmatch(line)]
    begin = _match(BEGIN, lines, 0)
    vectors, layers, input_bytes, output_bytes, arena_bytes = (int(group) for group in begin.groups()[:5])
    ticks, outputs = [], []
    for index in range(vectors):
        match = _match(VECTOR, lines, 1 + index)
        output = bytes.fromhex(match[3])
        if int(match[1]) != index or len(output) != output_bytes:
            raise CrashError(
                f"the harness printed vector {match[1]} with {len(output)} output bytes, "
                f"expected vector {index} with {output_bytes}"
            )
        ticks.append(int(match[2]))
        outputs.append(output)
    memory = _match(MEMORY, lines, 1 + vectors)
    _match(re.compile("es end"), lines, 2 + vectors)
    if len(lines) != 3 + vectors:
        raise CrashError(f"the harness printed more than its protocol: {_shorten(lines[3 + vectors])}")
    selftest = _selftest(verdicts[-1], elf) if verdicts else None
    return Console(
        vectors=vectors,
        layers=layers,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        arena_bytes=arena_bytes,
        counter=begin[6],
        ticks=tuple(ticks),
        outputs=tuple(outputs),
        arena_used_bytes=int(memory[1]),
        stack_used_bytes=int(memory[2]),
        arena_needed_bytes=max(needed, default=None),
        selftest=selftest,
    )


def layers_of(text: str) -> int | None:
    """Number of layers, from what the harness printed so far."""
    match = BEGIN.search(text)
    return int(match[2]) if match else None


def describe_layer(layer: int | None, layers: int | None, names: Sequence[str]) -> str:
    """`layer 1 'conv'`; `outside of the model` for an index that is no layer's."""
    if layer is None:
        return "in an unknown layer (the unicorn emulator can tell)"
    if layer < len(names):
        return f"in layer {layer} {names[layer]!r}"
    if names or (layers is not None and layer >= layers):
        return "outside of the model"
    return f"in layer {layer}"


def describe_fault(fault: Fault, elf: Elf, *, layers: int | None, layer_names: Sequence[str]) -> str:
    """One line about a fault."""
    where = describe_layer(fault.layer, layers, layer_names)
    address = f" {fault.address:#010x}" if fault.address is not None else ""
    place = f" at pc={fault.pc:#010x} ({elf.describe(fault.pc)})" if fault.pc else ""
    if fault.caller is not None:
        place += f", last call from {elf.describe(fault.caller)}"
    return (
        f"firmware fault {where}: {fault.kind}{address}{place}; "
        f"this is a bug in edgesparse, please report it with {elf.path}"
    )


def _raise_if_failed(line: str, elf: Elf, layer_names: Sequence[str], overrun_layer: int | None) -> None:
    match = FAULT.fullmatch(line)
    if match is not None:
        cfsr, address, pc, sp = (int(group, 16) for group in match.groups()[:4])
        fault = Fault(
            kind=_kind(cfsr, sp, elf),
            pc=pc,
            address=address if cfsr & CFSR_ADDRESS_VALID else None,
            layer=int(match[5]),
        )
        raise CrashError(describe_fault(fault, elf, layers=None, layer_names=layer_names))
    match = REFUSED.fullmatch(line)
    if match is not None:
        raise _refused(match, layer_names)
    match = OVERRUN.fullmatch(line)
    if match is not None:
        raise CrashError(
            f"the firmware wrote behind its arena of {elf.arena_bytes} bytes in vector {match[1]}, "
            f"{describe_layer(overrun_layer, None, layer_names)}; "
            f"this is a bug in edgesparse, please report it with {elf.path}"
        )
    if line == "es unstable":
        raise CrashError(
            "the firmware gave two outputs for one input, so it reads memory that it did not write; "
            f"this is a bug in edgesparse, please report it with {elf.path}"
        )


def _refused(match: re.Match[str], layer_names: Sequence[str]) -> RefusedError:
    layer, op, got, expected, what = int(match[1]), match[2], int(match[3]), int(match[4]), match[5]
    if what.startswith(UNREGISTERED):
        op = op if op != NO_OP else BUILTIN_OPERATORS[got] if got < len(BUILTIN_OPERATORS) else f"BUILTIN_{got}"
        return RefusedError(
            f"the resolver has no registration for {op}; add it in tflm_ops.cc", op=op, got=0, arena=False
        )
    where = f" {describe_layer(layer, None, layer_names)}" if layer < len(layer_names) else ""
    text = f"the firmware's runtime does not take the model{where}{'' if op == NO_OP else f', op {op}'}: {what}: "
    if what.startswith(ARENA_TOO_SMALL):
        advice = f"got {got:,}; give it more (make TFLM_ARENA_BYTES={2 * got})"
        return RefusedError(text + advice, op="", got=got, arena=True)
    return RefusedError(f"{text}got {got:,}, expected {expected:,}", op="" if op == NO_OP else op, got=got, arena=False)


def _selftest(match: re.Match[str], elf: Elf) -> Selftest:
    """CrashError where the weights are not those that were generated."""
    crc, expected = int(match[2], 16), int(match[3], 16)
    if crc != expected:
        raise CrashError(
            f"weights CRC mismatch: the weights of {elf.path} have CRC-32 {crc:#010x} on the device, expected "
            f"{expected:#010x}; the image is damaged: build and program it again"
        )
    return Selftest(weights_crc=crc, outputs_ok=match[1] == "pass")


def _kind(cfsr: int, sp: int, elf: Elf) -> str:
    bottom, top = (elf.symbols.get(name) for name in ("__stack_bottom", "__stack_top"))
    if bottom is not None and sp < bottom.address:
        return "stack overflow"
    if top is not None and sp > top.address:
        return LOST_STACK
    return next((kind for bit, kind in CFSR_BITS if cfsr >> bit & 1), "hard fault")


def _match(pattern: re.Pattern[str], lines: Sequence[str], index: int) -> re.Match[str]:
    if index >= len(lines):
        last = f"after {_shorten(lines[-1])}" if lines else "before its first line"
        raise CrashError(f"the firmware stopped {last}; expected a line like {pattern.pattern!r}")
    match = pattern.fullmatch(lines[index])
    if match is None:
        raise CrashError(f"the harness printed {_shorten(lines[index])}; expected a line like {pattern.pattern!r}")
    return match


def _shorten(line: str) -> str:
    return repr(line if len(line) <= 80 else line[:77] + "...")
