"""`edgesparse sparsify`: Keras in, sparse Keras out, for those who train or deploy elsewhere."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edgesparse.boards import Core, load_board
from edgesparse.data import Dataset, open_data
from edgesparse.errors import ModelError, OutputError
from edgesparse.missing import Missing
from edgesparse.network import Network
from edgesparse.output import lock
from edgesparse.progress import Progress, silent
from edgesparse.report.fidelity import compare_outputs, score
from edgesparse.report.inspection import (
    FloatAccuracy,
    FloatFidelity,
    Sparsification,
    SparsifiedLayer,
    SparsifiedModel,
)
from edgesparse.settings import Settings
from edgesparse.system import supervise
from edgesparse.system.scratch import working_folder

if TYPE_CHECKING:
    from edgesparse.sparsify import Curve, SparsifyResult, SparsityPlan

__all__ = ["SUFFIXES", "sparsify"]

SUFFIXES = (".h5", ".keras")
"""Of the files that are written, in the format of Keras 2."""

_COST_SAMPLES = 8
_SETTINGS = "sparsity pattern channels method epochs labels distill schedule activity_l1 cluster data seed".split()
_NO_LABELS = "no labels; give --data FILE with x and y"


def sparsify(
    model: str | Path,
    *,
    out: str | Path | None = None,
    force: bool = False,
    unsafe: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> Sparsification:
    """Write a sparse copy of a Keras model; what was done, with the accuracy of both where there are labels.

    out: `./<stem>.sparse.h5` by default; OutputError where it exists, unless `force`. The file
    appears whole or not at all. Training that was interrupted goes on when the same call is made again.
    The same from Python without a file: edgesparse.sparsify.prune.
    """
    progress = progress or silent
    path = Path(model)
    chosen = Settings().updated(settings)
    core = load_board(chosen.board).core
    given = open_data(chosen.data, progress) if chosen.data else None
    if not path.exists():
        raise ModelError(f"{path}: no such file or folder")
    target = Path(out) if out is not None else Path(f"{path.absolute().stem}.sparse.h5")
    _check_target(target, force=force)
    from edgesparse import keras_model
    from edgesparse.keras_model.check_data import check_data
    from edgesparse.sparsify import prune
    from edgesparse.training.checkpoints import Checkpoints, checkpoint_folder
    from edgesparse.training.survey import dataset_for

    with lock(target):
        supervise.note(target)
        progress("loading the model")
        loaded = keras_model.load(path, unsafe=unsafe)
        data = dataset_for(loaded.model, given, seed=chosen.seed, say=progress) if given is not None else None
        if data is not None and data.x_test is not None:
            check_data(loaded.model, data.x_test, data.y_test)
        checkpoints = Checkpoints(checkpoint_folder(target))
        result = prune(
            loaded,
            data,
            sparsity=chosen.sparsity,
            pattern=chosen.pattern,
            channels=chosen.channels,
            method=chosen.method,
            checkpoints=checkpoints,
            costs=lambda model, planned: _device_costs(model, planned, core, chosen.optimize, progress),
            progress=progress,
            epochs=chosen.epochs,
            labels=chosen.labels,
            distill=chosen.distill,
            schedule=chosen.schedule,
            activity_l1=chosen.activity_l1,
            cluster=chosen.cluster,
            seed=chosen.seed,
        )
        _save(result.model, target)
        checkpoints.discard()
        return _found(path, target, chosen, loaded.model, result, data)


def _found(
    source: Path, target: Path, chosen: Settings, dense: Any, result: SparsifyResult, data: Dataset | None
) -> Sparsification:
    """What was done, and how it compares where there are samples. dense: the model before."""
    accuracy: FloatAccuracy | Missing = Missing(_NO_LABELS)
    fidelity: FloatFidelity | Missing = Missing("no samples; give --data FILE")
    notes = data.notes if data is not None else ()
    if data is not None:
        accuracy, fidelity = _judged(dense, result.model, data)
    return Sparsification(
        path=str(target),
        source=str(source),
        settings={name: getattr(chosen, name) for name in _SETTINGS},
        model=SparsifiedModel(
            parameters=int(result.model.count_params()),
            prunable=result.plan.prunable_weights,
            sparsity=round(result.plan.sparsity, 4),
            channels=None if result.shrunk is None else result.shrunk.channels,
        ),
        accuracy=accuracy,
        fidelity=fidelity,
        layers=tuple(SparsifiedLayer(**vars(layer)) for layer in result.plan.layers),
        warnings=tuple(dict.fromkeys((*result.plan.warnings, *result.warnings, *notes))),
    )


def _device_costs(
    model: Any, planned: SparsityPlan, core: Core, optimize: str, progress: Callable[[str], None]
) -> Mapping[str, Curve]:
    """SparsityPlan.costs of a tf_keras model: of its int8 form, whose ranges do not matter here.

    {} for a model that has none, or that our kernels cannot run: it goes elsewhere.
    """
    from edgesparse import keras_model, quantize
    from edgesparse.keras_model.kernels import iter_kernels
    from edgesparse.sparsify import device_costs

    samples = quantize.synthetic_inputs(keras_model.input_shape(model), n=_COST_SAMPLES, seed=0)
    try:
        graph = Network.read(quantize.quantize(model, samples, dense_per_channel=False)).graph
        ops = quantize.match_kernels(graph, iter_kernels(model))
        return device_costs(graph, ops, planned, core, optimize=optimize)
    except ModelError as error:
        progress(f"zeros are shared out without regard to a board: {error}")
        return {}


def _judged(dense: Any, sparse: Any, data: Dataset) -> tuple[FloatAccuracy | Missing, FloatFidelity]:
    """Of the float models, on the samples for evaluation."""
    from edgesparse import keras_model

    x, y = data.evaluation
    outputs, sparse_outputs = (keras_model.predict(model, x) for model in (dense, sparse))
    classes = keras_model.final_activation(dense) == "softmax" or (y is not None and y.dtype.kind == "i")
    fidelity = FloatFidelity(len(x), compare_outputs(sparse_outputs, outputs, classes=classes))
    if y is None:
        return Missing(_NO_LABELS), fidelity
    metric: Literal["top1", "mse"] = "top1" if np.issubdtype(y.dtype, np.integer) else "mse"
    return FloatAccuracy(metric, len(y), score(outputs, y), score(sparse_outputs, y)), fidelity


def _check_target(target: Path, *, force: bool) -> None:
    if target.suffix not in SUFFIXES:
        raise OutputError(f"{target}: expected a name that ends with {' or '.join(SUFFIXES)}")
    if target.is_dir() or (target.exists() and not force):
        what = "is a folder" if target.is_dir() else "exists"
        raise OutputError(f"{target}: {what}; choose another file with --out, or give --force")
    parent = target.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"{parent}: cannot write there; choose another --out")


def _save(model: Any, target: Path) -> None:
    try:
        with working_folder(target.absolute().parent) as folder:
            staging = folder / target.name
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "You are saving your model as an HDF5 file")
                model.save(staging)
            staging.replace(target)
    except OSError as error:
        raise OutputError(f"{target}: cannot write the model: {error.strerror or error}") from error
