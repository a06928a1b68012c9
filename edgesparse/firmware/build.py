"""Build: one firmware, decided before any C is written. Made once; stored beside the projects for all that follow.

    DIR/plan/firmware.json, firmware.npz    the sparse build: settings and plan, and the arrays that they name
    DIR/plan/dense.json, dense.npz          its dense twin

The model itself is not repeated: it lies in DIR, and its hash is compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import edgesparse
from edgesparse.arrays import DAMAGED
from edgesparse.boards import Board, load_board
from edgesparse.errors import InputError
from edgesparse.files import open_file, read_file
from edgesparse.firmware.plan import Plan
from edgesparse.firmware.room import Contents
from edgesparse.limits import MAX_PLAN_TEXT_BYTES
from edgesparse.lowering import PackedModel
from edgesparse.lowering.arena import MemoryPlan
from edgesparse.network import Network
from edgesparse.oracle import OracleRun
from edgesparse.record import AnyArray, from_json, to_json

__all__ = ["BUILD_VERSION", "Build", "Twins", "read_twins", "write_build"]

BUILD_VERSION = 1
"""Of what is stored. A folder of another version is refused: its firmware may not be what its plan says."""

_FOLDER = "plan"
_MODELS = {"firmware": Path("model.int8.tflite"), "dense": Path("dense", "model.int8.tflite")}


@dataclass(frozen=True, eq=False)
class Build:
    """One firmware. `name` is that of its project's folder: firmware, or dense for the dense twin.

    model_name: what its C names begin with. board: what it is built for, which for a dense twin may have more memory
    than the real one. runtime, weights: as in Settings. inputs: the test vectors [n, ...] in the model's input dtype;
    reference: what they must give.
    """

    name: str
    model_name: str
    network: Network
    board: Board
    runtime: str
    weights: str
    plan: Plan
    inputs: AnyArray
    reference: OracleRun

    @property
    def packed(self) -> PackedModel:
        """The kernel calls."""
        return self.plan.packed

    @property
    def memory(self) -> MemoryPlan:
        """The arena."""
        return self.plan.memory

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the ops, in their order."""
        return tuple(op.name for op in self.network.graph.ops)

    @property
    def sha256(self) -> str:
        """Of the int8 model."""
        return hashlib.sha256(self.network.data).hexdigest()

    @property
    def contents(self) -> Contents:
        """What lies in the board's memories."""
        return Contents(
            self.network.graph, self.packed, self.memory, len(self.inputs), weights_in_ram=self.weights == "sram"
        )


@dataclass(frozen=True)
class Twins:
    """The sparse firmware and its dense twin."""

    sparse: Build
    dense: Build

    def __iter__(self) -> Iterator[Build]:
        return iter((self.sparse, self.dense))


@dataclass(frozen=True, eq=False)
class _Stored:
    """A Build as it is stored."""

    version: int
    edgesparse: str
    model_name: str
    board: str
    flash_bytes: int
    ram_bytes: int
    runtime: str
    weights: str
    model_sha256: str
    ops: tuple[str, ...]
    plan: Plan
    inputs: AnyArray
    reference: OracleRun


def write_build(build: Build, folder: Path) -> None:
    """Store a build in an output folder, its model too. The same build gives the same bytes."""
    model = folder / _MODELS[build.name]
    model.parent.mkdir(exist_ok=True)
    model.write_bytes(build.network.data)
    stored = _Stored(
        version=BUILD_VERSION,
        edgesparse=edgesparse.__version__,
        model_name=build.model_name,
        board=build.board.name,
        flash_bytes=build.board.flash.length,
        ram_bytes=build.board.ram.length,
        runtime=build.runtime,
        weights=build.weights,
        model_sha256=build.sha256,
        ops=build.layer_names,
        plan=build.plan,
        inputs=build.inputs,
        reference=build.reference,
    )
    arrays: dict[str, AnyArray] = {}
    text = json.dumps(to_json(stored, arrays), indent=1, allow_nan=False) + "\n"
    target = folder / _FOLDER
    target.mkdir(exist_ok=True)
    (target / f"{build.name}.json").write_text(text, encoding="utf-8")
    np.savez_compressed(target / f"{build.name}.npz", **arrays)


def read_twins(folder: Path) -> Twins:
    """The builds of an output folder; InputError where they are missing, damaged or of another version."""
    return Twins(_read(folder, "firmware"), _read(folder, "dense"))


def _read(folder: Path, name: str) -> Build:
    path, network = folder / _FOLDER / f"{name}.json", Network.load(folder / _MODELS[name])
    try:
        value = json.loads(read_file(path, MAX_PLAN_TEXT_BYTES))
        version = value.get("version") if isinstance(value, dict) else None
        if version != BUILD_VERSION:
            raise InputError(f"is of version {version}, this edgesparse reads {BUILD_VERSION}")
        with open_file(path.with_suffix(".npz")) as file, np.load(file, allow_pickle=False) as arrays:
            stored = from_json(_Stored, value, arrays)
        if len(stored.ops) != len(network.graph.ops):
            raise InputError(f"is of a model with {len(stored.ops)} ops, not {len(network.graph.ops)}")
        board = load_board(stored.board)
        build = Build(
            name=name,
            model_name=stored.model_name,
            network=network.named(dict(enumerate(stored.ops))),
            board=replace(
                board,
                flash=replace(board.flash, length=stored.flash_bytes),
                ram=replace(board.ram, length=stored.ram_bytes),
            ),
            runtime=stored.runtime,
            weights=stored.weights,
            plan=stored.plan,
            inputs=stored.inputs,
            reference=stored.reference,
        )
        if build.sha256 != stored.model_sha256:
            raise InputError(f"is of another model than {folder / _MODELS[name]}")
    except FileNotFoundError as error:
        raise InputError(f"{error.filename}: no such file; run edgesparse convert again") from error
    except (*DAMAGED, RecursionError, InputError) as error:
        raise InputError(f"{path}: {error}; run edgesparse convert again") from error
    return build
