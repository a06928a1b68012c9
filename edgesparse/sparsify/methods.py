"""The ways to make a model sparse, behind one interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from edgesparse.errors import SettingsError
from edgesparse.keras_model.loaded import LoadedModel
from edgesparse.keras_model.validate import free_batch
from edgesparse.sparsify.data import Training, check_data
from edgesparse.sparsify.finetune import finetune
from edgesparse.sparsify.masks import Masks
from edgesparse.sparsify.oneshot import oneshot
from edgesparse.sparsify.plan import SparsityPlan

__all__ = ["METHODS", "Sparsifier", "SparsifyResult", "sparsify"]


class Sparsifier(Protocol):
    """A way to make a model sparse."""

    def __call__(self, model: Any, plan: SparsityPlan, training: Training) -> Masks:
        """Change the tf_keras model in place; return which weights stay.

        Every weight that a mask removes is exactly 0.0 afterwards. DataError when the data that it needs is missing.
        """


METHODS: dict[str, Sparsifier] = {"oneshot": oneshot, "finetune": finetune}


@dataclass(frozen=True, eq=False)
class SparsifyResult:
    """The pruned tf_keras model and its masks (layer path -> which weights stay, in the kernel's own layout)."""

    model: Any
    masks: Masks


def sparsify(
    loaded: LoadedModel, plan: SparsityPlan, *, method: str, training: Training | None = None
) -> SparsifyResult:
    """Make a sparse copy of the model as the plan says; the given model is not changed.

    method: a key of METHODS, SettingsError otherwise. training: data, epochs and seed for the methods that train.
    """
    if method not in METHODS:
        raise SettingsError(f"--method: {method!r} is not known; choose one of: {', '.join(METHODS)}")
    training = training or Training()
    if training.x is not None:
        check_data(loaded.model, training.x, training.y)
    copy = free_batch(loaded.model, always=True)
    masks = METHODS[method](copy, plan, training)
    return SparsifyResult(copy, masks)
