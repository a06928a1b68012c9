"""Methods that shape kernels first, and prune them while they are trained further."""

from __future__ import annotations

from typing import Any

from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.sparsify.masks import masks_for
from edgesparse.sparsify.plan import LayerPlan, SparsityPlan
from edgesparse.training.shaping import FixedMasks

__all__ = ["Settling"]


class Settling(FixedMasks):
    """Shapes kernels in the first part of the steps, prunes them to the plan by magnitude, and holds these masks."""

    SHARE = 0.7
    """Part of the steps that shapes. The rest lets the weights that stay make up for what is gone."""

    def __init__(self, model: Any, plan: SparsityPlan, steps: int) -> None:
        """steps: of the whole training."""
        super().__init__(model, {})
        self.model, self.plan = model, plan
        self.layers: dict[str, LayerPlan] = {layer.name: layer for layer in plan.layers if layer.pattern is not None}
        self.kernels = {kernel.name: kernel for kernel in iter_kernels(model) if kernel.name in self.layers}
        self.settles = max(1, int(self.SHARE * steps))

    def after_step(self, step: int) -> None:
        """See Shaping."""
        if step + 1 < self.settles:
            self.shape(step)
        elif step + 1 == self.settles:
            self.settle()
            self.hold(masks_for(self.model, self.plan))
        else:
            super().after_step(step)

    def shape(self, step: int) -> None:
        """Change the kernels after a step of the first part."""

    def settle(self) -> None:
        """Called before the masks are taken."""
