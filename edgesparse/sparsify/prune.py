"""The whole of sparsification in one call: a model and samples in, a sparse model out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgesparse.data import Dataset, open_data
from edgesparse.graph import FloatArray
from edgesparse.keras_model.check_data import Labels
from edgesparse.keras_model.load import from_object, load
from edgesparse.keras_model.loaded import LoadedModel
from edgesparse.progress import Progress, silent
from edgesparse.sparsify.methods import SparsifyResult, sparsify
from edgesparse.sparsify.plan import Curve, SparsityPlan, plan
from edgesparse.training.checkpoints import Checkpoints
from edgesparse.training.request import Training
from edgesparse.training.survey import dataset_for

__all__ = ["prune"]


def prune(
    model: Any,
    data: str | FloatArray | tuple[FloatArray, Labels] | Dataset | None = None,
    *,
    sparsity: float = 0.75,
    pattern: str = "auto",
    channels: float = 0.0,
    method: str = "oneshot",
    checkpoint: str | Path | None = None,
    costs: Callable[[Any, SparsityPlan], Mapping[str, Curve]] | None = None,
    progress: Callable[[str], None] | None = None,
    **training: Any,
) -> SparsifyResult:
    """Make a sparse copy of a Keras model; `.model` of the result is a tf_keras model, `.masks` say which weights stay.

    model: a path, or a model of Keras 2 or 3, which is not changed. data: samples [n, *input] float32, (samples,
    labels), or what open_data reads, a folder of shards too; None where the method needs none. sparsity, pattern,
    channels, method: as in edgesparse.settings.Settings. checkpoint: a folder for the state of training, so that the
    same call goes on after an interrupt; it goes in the end (`checkpoints`, of Training, is for those who remove it
    themselves). costs: see `sparsify`. training: fields of Training, such as epochs and seed. ModelError, DataError and
    SettingsError as load, check_data and plan raise them. Same arguments, same weights.
    """
    loaded = _loaded(model)
    dataset = _dataset(loaded.model, data, seed=training.get("seed", 0), say=progress or silent)
    if checkpoint is not None:
        training["checkpoints"] = Checkpoints(Path(checkpoint))
    planned = plan(loaded.model, sparsity=sparsity, pattern=pattern, channels=channels)
    if dataset is not None:
        training |= {"x": dataset.x, "y": dataset.y, "stream": dataset.stream}
    given = Training(progress=progress, **training)
    if given.checkpoints is None:
        return sparsify(loaded, planned, method=method, training=given, costs=costs)
    with given.checkpoints.dropped_on_error():
        result = sparsify(loaded, planned, method=method, training=given, costs=costs)
    if checkpoint is not None:
        given.checkpoints.discard()
    return result


def _loaded(model: Any) -> LoadedModel:
    if isinstance(model, LoadedModel):
        return model
    return load(Path(model)) if isinstance(model, str | Path) else from_object(model)


def _dataset(model: Any, data: Any, *, seed: int, say: Progress) -> Dataset | None:
    if data is None or isinstance(data, Dataset):
        return data
    if isinstance(data, str | Path):
        return dataset_for(model, open_data(str(data), say), seed=seed, say=say)
    x, y = data if isinstance(data, tuple) else (data, None)
    return Dataset(x, y)
