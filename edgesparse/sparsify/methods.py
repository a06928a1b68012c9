"""The ways to make a model sparse, behind one interface."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from edgesparse.errors import SettingsError
from edgesparse.keras_model.loaded import LoadedModel
from edgesparse.keras_model.validate import free_batch
from edgesparse.sparsify.data import Training, check_data
from edgesparse.sparsify.finetune import finetune
from edgesparse.sparsify.gradual import gradual
from edgesparse.sparsify.group_lasso import group_lasso
from edgesparse.sparsify.l1 import l1
from edgesparse.sparsify.masks import Masks
from edgesparse.sparsify.oneshot import magnitude, oneshot
from edgesparse.sparsify.plan import SparsityPlan
from edgesparse.sparsify.targeted_dropout import targeted_dropout

__all__ = ["METHODS", "Sparsifier", "SparsifyResult", "sparsify"]


class Sparsifier(Protocol):
    """A way to make a model sparse."""

    def __call__(self, model: Any, plan: SparsityPlan, training: Training) -> Masks:
        """Change the tf_keras model in place; return which weights stay.

        Every weight that a mask removes is exactly 0.0 afterwards. DataError when the data that it needs is missing.
        """


METHODS: dict[str, Sparsifier] = {
    "oneshot": oneshot,
    "magnitude": magnitude,
    "finetune": finetune,
    "gradual": gradual,
    "l1": l1,
    "group-lasso": group_lasso,
    "targeted-dropout": targeted_dropout,
}


@dataclass(frozen=True, eq=False)
class SparsifyResult:
    """The pruned tf_keras model and its masks (layer path -> which weights stay, in the kernel's own layout).

    plan: as carried out; a method may share the zeros out over the layers in another way than it was given.
    """

    model: Any
    masks: Masks
    plan: SparsityPlan
    warnings: tuple[str, ...] = ()


def sparsify(
    loaded: LoadedModel, plan: SparsityPlan, *, method: str, training: Training | None = None
) -> SparsifyResult:
    """Make a sparse copy of the model as the plan says; the given model is not changed.

    method: a key of METHODS, SettingsError otherwise. training: data, epochs and seed for the methods that train.
    """
    if method not in METHODS:
        raise SettingsError(f"--method: {method!r} is not known; choose one of: {', '.join(METHODS)}")
    training = training or Training()
    warnings: tuple[str, ...] = ()
    if training.x is not None:
        check_data(loaded.model, training.x, training.y)
    elif method == "oneshot" and plan.sparsity > 0:
        warnings = ("pruned by magnitude, for want of samples; --data FILE lets the weights that stay make up for it",)
    copy = free_batch(loaded.model, always=True)
    masks = METHODS[method](copy, plan, training)
    return SparsifyResult(copy, masks, _carried_out(plan, masks), warnings)


def _carried_out(plan: SparsityPlan, masks: Masks) -> SparsityPlan:
    zeros = {name: int(np.count_nonzero(~mask)) for name, mask in masks.items()}
    layers = tuple(
        replace(
            layer,
            sparsity=zeros.get(layer.name, 0) / layer.weights,
            pattern=layer.pattern if zeros.get(layer.name) else None,
        )
        for layer in plan.layers
    )
    total = sum(zeros.values())
    return replace(plan, layers=layers, sparsity=total / plan.prunable_weights if plan.prunable_weights else 0.0)
