"""The ways to make a model sparse, behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from edgesparse.errors import SettingsError
from edgesparse.keras_model.check_data import check_data
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.keras_model.loaded import LoadedModel
from edgesparse.keras_model.validate import free_batch
from edgesparse.settings import TRAINING_METHOD_NAMES
from edgesparse.sparsify.channels.shrink import Shrunk, shrink
from edgesparse.sparsify.cluster import cluster
from edgesparse.sparsify.finetune import finetune
from edgesparse.sparsify.gradual import gradual
from edgesparse.sparsify.group_lasso import group_lasso, penalise_channels
from edgesparse.sparsify.l1 import l1
from edgesparse.sparsify.oneshot import magnitude, oneshot
from edgesparse.sparsify.plan import CHANNEL, Curve, SparsityPlan
from edgesparse.sparsify.plan import plan as plan_for
from edgesparse.sparsify.targeted_dropout import targeted_dropout
from edgesparse.training.masks import Masks
from edgesparse.training.request import Training

__all__ = ["METHODS", "Sparsifier", "SparsifyResult", "sparsify"]


class Sparsifier(Protocol):
    """A way to make a model sparse."""

    def __call__(self, model: Any, plan: SparsityPlan, training: Training, /) -> Masks:
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

    plan: as carried out; a method may share the zeros out over the layers in another way than it was given. shrunk:
    what went before in whole channels, None for nothing; model, masks and plan are then those of the smaller model, and
    prunable kernels that lost channels have a mask even where all of what is left stays. clustered: layers whose
    weights share training.cluster values at most; they have a mask too.
    """

    model: Any
    masks: Masks
    plan: SparsityPlan
    warnings: tuple[str, ...] = ()
    shrunk: Shrunk | None = None
    clustered: tuple[str, ...] = ()


def sparsify(
    loaded: LoadedModel,
    plan: SparsityPlan,
    *,
    method: str,
    training: Training | None = None,
    costs: Callable[[Any, SparsityPlan], Mapping[str, Curve]] | None = None,
) -> SparsifyResult:
    """Make a sparse copy of the model as the plan says, and a smaller one where whole channels go.

    The given model is not changed.

    method: a key of METHODS, SettingsError otherwise. training: data, epochs and seed for the methods that train.
    costs: (tf_keras model, its plan) -> SparsityPlan.costs, asked for when a method shares zeros out.
    """
    if method not in METHODS:
        raise SettingsError(f"--method: {method!r} is not known; choose one of: {', '.join(METHODS)}")
    training = training or Training()
    warnings: tuple[str, ...] = ()
    if training.x is not None:
        check_data(loaded.model, training.x, training.y)
    elif method == "oneshot" and (plan.sparsity > 0 or plan.shrinks):
        warnings = ("pruned by magnitude, for want of samples; --data FILE lets the weights that stay make up for it",)
    model, shrunk = loaded.model, None
    if plan.shrinks:
        if method == "group-lasso":
            loaded, training = _penalised(loaded, plan, training)
        shrunk = _shrink(loaded, plan, method, training)
        training = replace(training, teacher=model)
        model = shrunk.loaded.model
        plan = plan_for(model, sparsity=plan.target, pattern=plan.pattern)
        warnings += (*shrunk.warnings, *plan.warnings)
    if costs is not None:
        plan = replace(plan, costs=partial(costs, model, plan))
    copy = free_batch(model, always=True)
    masks = METHODS[method](copy, plan, training)
    plan = _carried_out(plan, masks)
    clustered: tuple[str, ...] = ()
    if training.cluster:
        taught = training if training.teacher is not None else replace(training, teacher=model)
        if method == "magnitude":
            taught = replace(taught, x=None, y=None, stream=None)
        clustered = cluster(copy, plan, taught, trains=method in TRAINING_METHOD_NAMES)
    named = {layer.name for layer in shrunk.layers} if shrunk is not None else set()
    masks = _whole_masks(copy, plan, named | set(clustered)) | masks
    return SparsifyResult(copy, masks, plan, warnings, shrunk, clustered)


def _penalised(loaded: LoadedModel, plan: SparsityPlan, training: Training) -> tuple[LoadedModel, Training]:
    """The model, trained half of the epochs so that channels become zero; and the training that is left."""
    copy = free_batch(loaded.model, always=True)
    first = max(1, training.epochs // 2)
    gone = max(plan.channels, plan.target if plan.pattern == CHANNEL else 0.0)
    # A kernel loses both inputs and outputs.
    penalise_channels(copy, 1.0 - (1.0 - gone) ** 0.5, replace(training, epochs=first))
    return replace(loaded, model=copy), replace(training, epochs=max(1, training.epochs - first))


def _shrink(loaded: LoadedModel, plan: SparsityPlan, method: str, training: Training) -> Shrunk:
    return shrink(
        loaded,
        macs=plan.channels,
        weights=plan.target if plan.pattern == CHANNEL else 0.0,
        prunable=[layer.name for layer in plan.layers if layer.prunable],
        x=None if method == "magnitude" else training.x,
        seed=training.seed,
        progress=training.progress,
    )


def _whole_masks(model: Any, plan: SparsityPlan, names: set[str]) -> Masks:
    """Masks that keep everything, for prunable kernels among `names`: so that they are looked for in the int8 model."""
    named = names & {layer.name for layer in plan.layers if layer.prunable}
    return {
        kernel.name: np.ones(tuple(kernel.variable.shape), np.bool_)
        for kernel in iter_kernels(model)
        if kernel.name in named
    }


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
