"""One-shot magnitude pruning: no data, no training."""

from __future__ import annotations

from typing import Any

from edgesparse.sparsify.data import Training
from edgesparse.sparsify.masks import Masks, apply_masks, masks_for
from edgesparse.sparsify.plan import SparsityPlan

__all__ = ["oneshot"]


def oneshot(model: Any, plan: SparsityPlan, training: Training) -> Masks:
    """Zero the weights of least magnitude in place, as the plan says. Uses nothing of `training`."""
    masks = masks_for(model, plan)
    apply_masks(model, masks)
    return masks
