"""Group lasso: blocks, or whole filters and neurons, become exactly zero while the network learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from edgesparse.keras_model.channel_graph import channel_graph
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.sparsify.layerwise import share
from edgesparse.sparsify.patterns import pattern_named
from edgesparse.sparsify.plan import SparsityPlan
from edgesparse.sparsify.proximal import Penalty, Proximal, due_share, set_strengths, speed_of, strengths_of
from edgesparse.sparsify.weight_groups import GroupPart, WeightGroups, pattern_units
from edgesparse.training.loop import Course, prepare, train
from edgesparse.training.masks import Masks
from edgesparse.training.request import Training
from edgesparse.training.shaping import Shaping

__all__ = ["group_lasso", "penalise_channels"]


def group_lasso(model: Any, plan: SparsityPlan, training: Training) -> Masks:
    """Train with a penalty on the blocks that the plan may remove, then prune to it; errors as in train."""
    course = prepare(model, training, option="--method group-lasso")
    plan = share(course, plan)
    patterns = {layer.name: layer.pattern for layer in plan.layers if layer.pattern is not None}
    groups = {
        kernel.name: pattern_units(kernel, pattern_named(patterns[kernel.name]).tiling)
        for kernel in iter_kernels(model)
        if kernel.name in patterns
    }
    shaping = Proximal(course, plan, groups)
    train(course, shaping)
    return shaping.masks


def penalise_channels(model: Any, share: float, training: Training) -> None:
    """Train with a penalty on whole channels until `share` of each group are zero, in place; nothing is removed.

    A channel is what makes it: the filter or neuron with its bias, and its scale and offset in normalizations. Which
    channels are tied and can go, channel_graph says. Errors as in train.
    """
    course = prepare(model, training, option="--method group-lasso")
    train(course, _Channels(course, share))


class _Channels(Shaping):
    def __init__(self, course: Course, share: float) -> None:
        super().__init__(course.model, {kernel.name for kernel in iter_kernels(course.model)})
        graph = channel_graph(course.model)
        trained = {id(variable) for variable in course.model.trainable_variables}
        self.penalties = []
        for group in graph.groups:
            parts = tuple(
                GroupPart(axis.variable, axis.axis, index)
                for axis, index in graph.members(group)
                if axis.role != "in" and id(axis.variable) in trained and _is_plain(axis.variable, axis.role)
            )
            self.penalties.append(Penalty(WeightGroups(parts, len(group.channels)), share))
        self.course = course

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"strengths": strengths_of(self.penalties)}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        set_strengths(self.penalties, state["strengths"])

    def after_step(self, step: int) -> None:
        for penalty in self.penalties:
            penalty.apply(self.course.rate(step), due_share(step, self.course.steps), speed_of(self.course.steps))


def _is_plain(variable: Any, role: str) -> bool:
    """Whether it belongs to the channel alone: kernels and vectors do, depthwise kernels are a layer of their own."""
    return role == "out" or len(variable.shape) == 1
