"""Whether a firmware fits a board: from its plan, before anything is compiled, and in words where the linker said no.

What the plan knows is exact but for the code, which is counted at its least: a firmware that is refused here cannot
fit; one that passes may still be refused by the linker.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgesparse.boards import Board, MemoryRegion, board_names, load_board
from edgesparse.errors import DoesNotFitError, SettingsError
from edgesparse.graph import Graph, Tensor
from edgesparse.lowering import PackedModel
from edgesparse.lowering.arena import MemoryPlan

__all__ = [
    "Contents",
    "Part",
    "check_fits",
    "check_inputs",
    "explain_overflow",
    "fits",
    "flash_parts",
    "no_room",
    "ram_parts",
    "room_for",
    "with_room",
]

LEAST_CODE_BYTES = 1500
"""Vectors, start-up and harness, at the least of all cores and compilers."""
LEAST_KERNEL_BYTES = 150
"""Of each kernel source, on average."""
GUARD_BYTES = 64
"""Behind the arena: sections.ld."""
_NAMED_PARTS = 3
_NAMED_BOARDS = 6
_ROOM_STEP = 64 * 1024


@dataclass(frozen=True)
class Part:
    """Bytes that something takes in flash or RAM."""

    what: str
    size: int


@dataclass(frozen=True, eq=False)
class Contents:
    """What a firmware holds. vectors: number of test inputs; weights_in_ram: whether start-up copies them there."""

    graph: Graph
    packed: PackedModel
    memory: MemoryPlan
    vectors: int
    weights_in_ram: bool = False


def flash_parts(contents: Contents) -> tuple[Part, ...]:
    """What the image holds at least."""
    graph, packed, vectors = contents.graph, contents.packed, contents.vectors
    layers: dict[int, int] = defaultdict(int)
    tables = 0
    for call in packed.calls:
        for array in call.arrays:
            if array.role == "weights":
                layers[call.op_index] += array.values.nbytes
            else:
                tables += array.values.nbytes
    kernels = {source for call in packed.calls for source in (call.function, *call.sources)}
    inputs = vectors * graph.tensors[graph.inputs[0]].nbytes
    return (
        *(Part(f"weights of {graph.ops[index].name!r}", size) for index, size in sorted(layers.items())),
        Part("tables", tables),
        Part("code, at least", LEAST_CODE_BYTES + LEAST_KERNEL_BYTES * len(kernels)),
        Part(f"{vectors} test input(s)", inputs),
    )


def ram_parts(contents: Contents, board: Board) -> tuple[Part, ...]:
    """What lies in RAM at least."""
    weights = contents.packed.weight_bytes if contents.weights_in_ram else 0
    return (
        Part("arena", contents.memory.arena_bytes),
        *((Part("weights (--weights sram)", weights),) if weights else ()),
        Part("reserved stack", board.stack_bytes),
        Part("guard behind the arena", GUARD_BYTES),
    )


def fits(contents: Contents, board: Board) -> bool:
    """Whether nothing known before the build speaks against it."""
    return (
        _total(flash_parts(contents)) <= board.flash.length and _total(ram_parts(contents, board)) <= board.ram.length
    )


def check_fits(contents: Contents, board: Board, *, build: str) -> None:
    """DoesNotFitError with the numbers, the largest parts and the boards that have room.

    build: `firmware` or `dense`.
    """
    flash, ram = flash_parts(contents), ram_parts(contents, board)
    problems = [
        f"{_total(parts):,} bytes of {name} of {region.length:,} ({_largest(parts)})"
        for name, parts, region in (("flash", flash, board.flash), ("RAM", ram, board.ram))
        if _total(parts) > region.length
    ]
    if problems:
        raise DoesNotFitError(
            f"the {build} does not fit board {board.name!r}: it needs at least {' and '.join(problems)}; "
            f"{_advice(contents)}"
        )


def check_inputs(tensor: Tensor, vectors: int, board: Board) -> None:
    """DoesNotFitError where the test inputs alone are more than the board's flash: before there are any."""
    size = vectors * tensor.nbytes
    if size > board.flash.length:
        raise DoesNotFitError(
            f"the firmware does not fit board {board.name!r}: {vectors} test input(s) alone take {size:,} bytes of "
            f"flash of {board.flash.length:,}; use fewer (--vectors), or a smaller model"
        )


def explain_overflow(error: DoesNotFitError, contents: Contents, board: Board, *, build: str) -> DoesNotFitError:
    """The linker's refusal with what check_fits would have said."""
    region = board.ram if error.memory == "RAM" else board.flash
    parts = ram_parts(contents, board) if error.memory == "RAM" else flash_parts(contents)
    return DoesNotFitError(
        f"the {build} does not fit board {board.name!r}: linked, it needs {region.length + error.overflow_bytes:,} "
        f"bytes of {error.memory} of {region.length:,} ({_largest(parts)}); "
        f"{_advice(contents)}",
        memory=error.memory,
        overflow_bytes=error.overflow_bytes,
    )


def room_for(contents: Contents, board: Board, *, build: str, grows: bool) -> Board:
    """The board; or one with more memory, for a dense twin that it is too small for.

    build: `firmware` or `dense`. grows: whether what runs it can give the board more memory. DoesNotFitError where the
    sparse build does not fit, SettingsError where the board cannot grow.
    """
    if build != "dense" or fits(contents, board):
        check_fits(contents, board, build=build)
        return board
    if not grows:
        raise SettingsError(f"{no_room(board)}, which only unicorn can; use --emulator unicorn")
    return with_room(board, contents)


def no_room(board: Board) -> str:
    """What a report says of a dense twin that got a larger board."""
    return f"the dense twin does not fit board {board.name!r}: it runs with more memory than the board has"


def with_room(board: Board, contents: Contents) -> Board:
    """The board with as much flash and RAM as this firmware may take: for emulators that map what they are told."""
    flash = _total(flash_parts(contents)) + _ROOM_STEP
    return replace(
        board,
        flash=_grown(board.flash, flash),
        ram=_grown(board.ram, _total(ram_parts(contents, board)) + board.stack_bytes),
    )


def _grown(region: MemoryRegion, size: int) -> MemoryRegion:
    return replace(region, length=max(region.length, -(-size // _ROOM_STEP) * _ROOM_STEP))


def _total(parts: Sequence[Part]) -> int:
    return sum(part.size for part in parts)


def _largest(parts: Sequence[Part]) -> str:
    named = sorted(parts, key=lambda part: -part.size)[:_NAMED_PARTS]
    return f"most of it: {', '.join(f'{part.what} {part.size:,}' for part in named)}"


def _advice(contents: Contents) -> str:
    boards = sorted(map(load_board, board_names()), key=lambda board: (board.emulated, board.flash.length))
    names = [board.name for board in boards if fits(contents, board)]
    if not names:
        flash = ", leave the weights in flash" if contents.weights_in_ram else ""
        return f"no board that edgesparse knows has as much; prune more{flash}, or use a smaller model"
    more = f" and {len(names) - _NAMED_BOARDS} more" if len(names) > _NAMED_BOARDS else ""
    flash = ", leave the weights in flash" if contents.weights_in_ram else ""
    return f"it would fit {', '.join(names[:_NAMED_BOARDS])}{more}; or prune more{flash}"
