"""Pruning in one go, without training: by second-order information where there are samples, else by magnitude."""

from __future__ import annotations

from typing import Any

from edgesparse.sparsify.layerwise import prune_layerwise
from edgesparse.sparsify.masks import masks_for
from edgesparse.sparsify.plan import SparsityPlan
from edgesparse.training.masks import Masks, apply_masks
from edgesparse.training.request import Training

__all__ = ["magnitude", "oneshot"]


def oneshot(model: Any, plan: SparsityPlan, training: Training) -> Masks:
    """Prune in place and let the weights that stay make up for it, on the samples; labels are not used.

    Without samples there is nothing to measure, and the weights of least magnitude go. DataError for too few samples.
    """
    if training.x is None:
        return magnitude(model, plan, training)
    return prune_layerwise(model, plan, training.x, seed=training.seed, progress=training.progress)


def magnitude(model: Any, plan: SparsityPlan, _training: Training) -> Masks:
    """Zero the weights of least magnitude in place, as the plan says, and change nothing else: the baseline."""
    masks = masks_for(model, plan)
    apply_masks(model, masks)
    return masks
