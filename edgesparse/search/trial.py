"""One trial, where it runs: a model pruned and quantized by some settings, judged, its cost estimated from the plan.

No compiler and no emulator: those are asked about the few that are worth it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import edgesparse
from edgesparse.boards import load_board
from edgesparse.conversion.judging import make_judge
from edgesparse.conversion.networks import Dense, Sparse, make_dense, make_sparse
from edgesparse.conversion.samples import Samples, choose_samples
from edgesparse.data import Dataset
from edgesparse.errors import EdgesparseError
from edgesparse.files import read_file
from edgesparse.firmware.plan import Plan, plan_network
from edgesparse.firmware.room import Contents, flash_parts
from edgesparse.graph import FloatArray
from edgesparse.limits import MAX_MODEL_BYTES
from edgesparse.measure.setup import Target
from edgesparse.network import Network
from edgesparse.oracle import MODULES, interpreters
from edgesparse.progress import silent
from edgesparse.report.judge import Estimate, Judge, Loss
from edgesparse.result import Channels, Quantization
from edgesparse.settings import Settings
from edgesparse.system.scratch import working_folder

if TYPE_CHECKING:
    from edgesparse.keras_model import LoadedModel

__all__ = ["Failed", "Judged", "Made", "Problem", "Work", "read_problem", "try_settings", "work_of"]


@dataclass(frozen=True, eq=False)
class Problem:
    """What all trials share: the model's files by name, the samples, the settings that are not searched.

    name: of the model's file or folder. key: of all that, and of the version.
    """

    name: str
    files: Mapping[str, bytes]
    data: Dataset
    base: Settings
    unsafe: bool

    @cached_property
    def key(self) -> str:
        """Of what a trial depends on beside its own settings, as SHA-256."""
        digest = hashlib.sha256(f"{edgesparse.__version__}\0{self.base!r}\0{self.unsafe}".encode())
        for name, content in sorted(self.files.items()):
            digest.update(f"\0{name}\0{len(content)}\0".encode())
            digest.update(content)
        data = self.data
        for array in (data.x, data.y, data.x_test, data.y_test, data.anomaly_test):
            digest.update(f"\0{None if array is None else (array.dtype, array.shape)}".encode())
            if array is not None:
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Work:
    """What the plan says that a network costs: estimated instructions; bytes that it takes of flash at the least, of
    which packed weights; bytes of the arena."""

    instructions: int
    flash_bytes: int
    weight_bytes: int
    arena_bytes: int


@dataclass(frozen=True, eq=False)
class Made:
    """The sparse int8 network of a trial: what firmware is written of. names: of its layers, by op."""

    data: bytes
    names: Mapping[int, str]
    quantization: Quantization
    channels: Channels | None
    warnings: tuple[str, ...]

    @property
    def network(self) -> Network:
        """Read, and with its names."""
        return Network.read(self.data).named(self.names)


@dataclass(frozen=True, eq=False)
class Judged:
    """A trial that went through. validation, loss: on the validation samples, the loss against the dense int8 model."""

    validation: Estimate
    loss: Loss
    sparsity: float
    work: Work
    made: Made


@dataclass(frozen=True)
class Failed:
    """One that the model, the samples or the board do not take, in words."""

    reason: str


@dataclass(frozen=True, eq=False)
class Prepared:
    """A problem, loaded: what its trials need again and again."""

    key: str
    loaded: LoadedModel
    samples: Samples
    judge: Judge
    dense: Dense
    dense_outputs: FloatArray


_prepared: Prepared | None = None
"""Of the last problem that this process has worked on."""


def read_problem(path: Path, data: Dataset, base: Settings, *, unsafe: bool) -> Problem:
    """With the content of the model's file, or of all files of its folder."""
    paths = [path] if path.is_file() else sorted(part for part in path.rglob("*") if part.is_file())
    files = {str(part.relative_to(path.parent)): read_file(part, MAX_MODEL_BYTES) for part in paths}
    return Problem(path.name, files, data, base, unsafe)


def try_settings(problem: Problem, settings: Settings) -> Judged | Failed:
    """Prune, train and quantize as the settings say, and judge on the validation samples."""
    try:
        with interpreters(*MODULES):
            return _judged(prepare(problem), problem, settings)
    except EdgesparseError as error:
        return Failed(str(error))


def prepare(problem: Problem) -> Prepared:
    """Load the model and make its dense int8 network, once per process and problem."""
    global _prepared
    if _prepared is None or _prepared.key != problem.key:
        _prepared = _prepare(problem)
    return _prepared


def _prepare(problem: Problem) -> Prepared:
    from edgesparse import keras_model

    target = _target(problem.base)
    with working_folder() as folder:
        for name, content in problem.files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        loaded = keras_model.load(folder / problem.name, unsafe=problem.unsafe)
        samples = choose_samples(loaded.model, problem.data, problem.base)
        judge = make_judge(loaded, problem.data, problem.base.seed)
        dense = make_dense(loaded, Path(problem.name), samples, target)
    outputs = dense.network.predict(problem.data.evaluation[0])
    return Prepared(problem.key, loaded, samples, judge, dense, outputs)


def _judged(prepared: Prepared, problem: Problem, settings: Settings) -> Judged:
    target = _target(settings)
    sparse = make_sparse(prepared.loaded, prepared.dense, prepared.samples, target)
    plan = plan_network(sparse.network.graph, target.board.core, optimize=settings.optimize)
    validation, _ = prepared.judge.halves()
    outputs = sparse.network.predict(problem.data.evaluation[0])
    return Judged(
        validation=prepared.judge.estimate(outputs, validation),
        loss=prepared.judge.loss(outputs, prepared.dense_outputs, validation),
        sparsity=sparse.network.stats.sparsity,
        work=work_of(sparse.network, plan, settings.vectors),
        made=_made(sparse),
    )


def work_of(network: Network, plan: Plan, vectors: int) -> Work:
    """Of a plan. vectors: how many test inputs the image holds."""
    contents = Contents(network.graph, plan.packed, plan.memory, vectors)
    return Work(
        instructions=sum(call.estimated_instructions for call in plan.packed.calls),
        flash_bytes=sum(part.size for part in flash_parts(contents)),
        weight_bytes=plan.packed.weight_bytes,
        arena_bytes=plan.memory.arena_bytes,
    )


def _made(sparse: Sparse) -> Made:
    return Made(
        data=sparse.network.data,
        names={index: op.name for index, op in enumerate(sparse.network.graph.ops)},
        quantization=sparse.quantization,
        channels=sparse.channels,
        warnings=sparse.warnings,
    )


def _target(settings: Settings) -> Target:
    return Target(settings, load_board(settings.board), silent)
