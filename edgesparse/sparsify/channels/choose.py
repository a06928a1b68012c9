"""Which channels stay, so that a share of the work is gone and as little as possible is lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError, SettingsError
from edgesparse.keras_model.channel_graph import OUTPUT_REASON, ChannelGraph, ChannelGroup
from edgesparse.sparsify.channels.costs import GroupCosts
from edgesparse.sparsify.channels.work import Work

__all__ = ["CHANNEL_MULTIPLE", "Goal", "choose_channels", "reachable", "steps_of"]

BoolArray = npt.NDArray[np.bool_]

CHANNEL_MULTIPLE = 4
"""Channels stay in fours: the kernels read four int8 values at a time, and blocks of weights are four wide."""


@dataclass(frozen=True, eq=False)
class Goal:
    """At least `share` of `work` is to go. option: the user's, for messages."""

    option: str
    work: Work
    share: float


def steps_of(count: int, multiple: int) -> list[int]:
    """The numbers of channels, of `count`, that may stay: all, and the smaller multiples; descending."""
    return [count, *range((count - 1) // multiple * multiple, 0, -multiple)]


def reachable(graph: ChannelGraph, work: Work, multiple: int = CHANNEL_MULTIPLE) -> float:
    """The largest share of the work that can go."""
    stays = np.ones(graph.count, np.bool_)
    whole = work.amount(stays)
    for group in graph.groups:
        stays[group.channels[steps_of(len(group.channels), multiple)[-1] :]] = False
    return 1.0 - work.amount(stays) / whole if whole else 0.0


def choose_channels(
    graph: ChannelGraph, costs: Mapping[str, GroupCosts], goals: Sequence[Goal], *, multiple: int = CHANNEL_MULTIPLE
) -> dict[str, BoolArray]:
    """Group name -> which of its channels stay, as remove_channels takes it; the goals are reached in their order.

    Step by step, the group goes down that loses least per work that it saves (a greedy knapsack). Every group keeps a
    multiple of `multiple` channels, at least one multiple, or all. SettingsError where a goal is out of reach.
    """
    for goal in goals:
        most = reachable(graph, goal.work, multiple)
        if most <= 0.0 < goal.share:
            raise ModelError(f"{goal.option}: no channel can be removed: {_why_whole(graph, multiple)}")
        if most < goal.share:
            raise SettingsError(
                f"{goal.option} {goal.share:g} cannot be reached: at most {math.floor(most * 1000) / 1000:g}, since"
                f" {multiple} channels of each group stay{_but(graph)}; ask for less"
            )
    state = _State(graph, costs, multiple)
    for index, goal in enumerate(goals):
        state.reach(goal)
        state.give_back(goals[: index + 1])
    return {group.name: state.keep(group) for group in graph.groups if state.kept[group.name] < len(group.channels)}


class _State:
    """How many channels each group keeps, while they go."""

    def __init__(self, graph: ChannelGraph, costs: Mapping[str, GroupCosts], multiple: int) -> None:
        self.graph, self.costs = graph, costs
        self.steps = {group.name: steps_of(len(group.channels), multiple) for group in graph.groups}
        self.kept = {group.name: len(group.channels) for group in graph.groups}
        self.stays = np.ones(graph.count, np.bool_)

    def keep(self, group: ChannelGroup) -> BoolArray:
        return self._with(group, self.kept[group.name])[group.channels]

    def reach(self, goal: Goal) -> None:
        """Go down until the goal is reached."""
        now = goal.work.amount(self.stays)
        aim = _aim(goal, self.graph)
        while now > aim:
            best: tuple[float, ChannelGroup, int, int] | None = None
            for group in self.graph.groups:
                kept = self.kept[group.name]
                below = self.steps[group.name].index(kept) + 1
                if below == len(self.steps[group.name]):
                    continue
                fewer = self.steps[group.name][below]
                left = goal.work.amount(self._with(group, fewer))
                # What goes beyond the goal is not asked for, and counts for nothing.
                gain = now - max(left, aim)
                if gain > 0:
                    price = (self._loss(group, fewer) - self._loss(group, kept)) / gain
                    if best is None or price < best[0]:
                        best = price, group, fewer, left
            if best is None:
                return
            _, group, fewer, now = best
            self._set(group, fewer)

    def give_back(self, goals: Sequence[Goal]) -> None:
        """Take back the steps that the goals do not need, the dearest first."""
        while True:
            spare = []
            for group in self.graph.groups:
                above = self.steps[group.name].index(self.kept[group.name]) - 1
                if above >= 0:
                    more = self.steps[group.name][above]
                    stays = self._with(group, more)
                    if all(goal.work.amount(stays) <= _aim(goal, self.graph) for goal in goals):
                        saved = self._loss(group, self.kept[group.name]) - self._loss(group, more)
                        spare.append((saved, group, more))
            if not spare:
                return
            _, group, more = max(spare, key=lambda entry: entry[0])
            self._set(group, more)

    def _loss(self, group: ChannelGroup, kept: int) -> float:
        return float(self.costs[group.name].losses[len(group.channels) - kept])

    def _with(self, group: ChannelGroup, kept: int) -> BoolArray:
        stays = self.stays.copy()
        stays[group.channels] = True
        stays[group.channels[self.costs[group.name].order[: len(group.channels) - kept]]] = False
        return stays

    def _set(self, group: ChannelGroup, kept: int) -> None:
        self.stays = self._with(group, kept)
        self.kept[group.name] = kept


def _aim(goal: Goal, graph: ChannelGraph) -> float:
    """The most work that may be left."""
    whole = goal.work.amount(np.ones(graph.count, np.bool_))
    return round((1.0 - goal.share) * whole, 6)


def _why_whole(graph: ChannelGraph, multiple: int) -> str:
    small = [f"{group.name!r} has {len(group.channels)}, of which {multiple} stay" for group in graph.groups]
    reasons = [f"{path!r} stays whole, since {reason}" for path, reason in graph.whole.items()]
    return "; ".join([*small, *reasons]) or "no layer makes channels"


def _but(graph: ChannelGraph) -> str:
    reasons = {path: reason for path, reason in graph.whole.items() if reason != OUTPUT_REASON}
    return f", and {', '.join(map(repr, reasons))} stay whole" if reasons else ""
