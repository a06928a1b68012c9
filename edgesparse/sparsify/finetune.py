"""Second-order pruning, then training of the weights that stay. What has been removed stays removed."""

from __future__ import annotations

from typing import Any

from edgesparse.sparsify.layerwise import prune_layerwise
from edgesparse.sparsify.plan import SparsityPlan
from edgesparse.training.loop import prepare, train
from edgesparse.training.masks import Masks
from edgesparse.training.request import Training
from edgesparse.training.shaping import FixedMasks

__all__ = ["finetune"]


def finetune(model: Any, plan: SparsityPlan, training: Training) -> Masks:
    """Prune to the plan and train, in place; errors as in train."""
    course = prepare(model, training, option="--method finetune")  # before pruning: it notes what the model gives
    masks = prune_layerwise(model, plan, course.x, seed=training.seed, progress=training.progress)
    train(course, FixedMasks(model, masks))
    return masks
