"""Make a network smaller: whole channels go until a share of its MACs or of its weights is gone.

With samples, what goes follows from what the layers that read a channel lose by it, and what stays is solved anew to
make up for it, layer after layer (see channel_costs, layerwise). Without, by magnitude, and nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgesparse.graph import FloatArray
from edgesparse.keras_model.backend import quiet
from edgesparse.keras_model.channel_graph import OUTPUT_REASON, ChannelGraph, channel_graph
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.keras_model.loaded import LoadedModel
from edgesparse.result import ChannelCount, Channels
from edgesparse.sparsify.channels.choose import CHANNEL_MULTIPLE, Goal, choose_channels
from edgesparse.sparsify.channels.costs import magnitude_costs, reconstruction_costs
from edgesparse.sparsify.channels.remove import channels_kept, remove_channels
from edgesparse.sparsify.channels.work import macs_of, weights_of
from edgesparse.sparsify.layerwise import choose_inputs, solve_anew
from edgesparse.sparsify.reference import kernel_layers, record

__all__ = ["Before", "Shrunk", "shrink"]

BoolArray = npt.NDArray[np.bool_]

Before = tuple[int, int]
"""A whole number before and after."""

_TOLERANCE = 0.02
"""More than is asked for by this is worth a warning."""


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A smaller model, and what it lost: each a number before and after.

    prunable: weights of the layers that count in the model's sparsity, before. layers: those that lost outputs.
    """

    loaded: LoadedModel
    macs: Before
    parameters: Before
    prunable: Before
    layers: tuple[ChannelCount, ...]
    warnings: tuple[str, ...]

    @property
    def channels(self) -> Channels:
        """As a report has it: shares that are gone, numbers before and after."""
        return Channels(
            removed_macs=_share(self.macs),
            removed_prunable=_share(self.prunable),
            macs_before=self.macs[0],
            macs_after=self.macs[1],
            parameters_before=self.parameters[0],
            parameters_after=self.parameters[1],
            prunable_before=self.prunable[0],
            prunable_after=self.prunable[1],
            layers=self.layers,
        )


def shrink(
    loaded: LoadedModel,
    *,
    macs: float,
    weights: float,
    prunable: Collection[str],
    x: FloatArray | None,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> Shrunk:
    """A smaller copy of a model; the given one is not changed.

    macs: share of its multiply-accumulates that goes, 0 for any. weights: the same of the weights of the kernels named
    in `prunable`. x: samples [n, *input], at least layerwise.MIN_SAMPLES; None to go by magnitude. SettingsError where
    a share is out of reach, ModelError where nothing can be removed, DataError for too few samples.
    """
    model = loaded.model
    say = progress or (lambda _: None)
    graph = channel_graph(model)
    all_macs, all_weights = macs_of(model, graph), weights_of(model, graph, prunable)
    goals = [Goal("--channels", all_macs, macs), Goal("--pattern channel --sparsity", all_weights, weights)]
    goals = [goal for goal in goals if goal.share > 0]
    if x is None:
        keep = choose_channels(graph, magnitude_costs(model, graph), goals)
        smaller = remove_channels(model, keep)
    else:
        inputs = choose_inputs(model, x, seed)
        layers = kernel_layers(model, None)
        say("removing channels: measuring what each layer loses")
        with quiet():
            reference = record(model, layers, inputs, seed)
            costs = reconstruction_costs(model, graph, layers, inputs, reference)
        keep = choose_channels(graph, costs, goals)
        smaller = remove_channels(model, keep)
        say("removing channels: solving the others anew")
        stays = channels_kept(graph, keep)
        left = reference.with_channels({path: stays[outputs] for path, outputs in graph.outputs.items()})
        solve_anew(smaller, inputs, left)
    stays = channels_kept(graph, keep)
    everything = np.ones(graph.count, np.bool_)
    counts = {path: (len(outputs), int(np.count_nonzero(stays[outputs]))) for path, outputs in graph.outputs.items()}
    return Shrunk(
        loaded=replace(loaded, model=smaller),
        macs=(all_macs.amount(everything), all_macs.amount(stays)),
        parameters=(int(model.count_params()), int(smaller.count_params())),
        prunable=(all_weights.amount(everything), all_weights.amount(stays)),
        layers=tuple(
            ChannelCount(kernel.name, *counts[kernel.name])
            for kernel in iter_kernels(model)
            if counts[kernel.name][0] > counts[kernel.name][1]
        ),
        warnings=(*_overshoot(goals, stays), *_whole(graph)),
    )


def _share(work: Before) -> float:
    return round(1.0 - work[1] / work[0], 6) if work[0] else 0.0


def _overshoot(goals: Sequence[Goal], stays: BoolArray) -> list[str]:
    found = []
    for goal in goals:
        share = 1.0 - goal.work.amount(stays) / goal.work.amount(np.ones_like(stays))
        if share > goal.share + _TOLERANCE:
            found.append(
                f"{goal.option} {goal.share:g}: {share:.3f} is gone, since channels go in steps of {CHANNEL_MULTIPLE}"
            )
    return found


def _whole(graph: ChannelGraph) -> list[str]:
    """What stays whole for another reason than being the model's output, one line per reason."""
    layers: dict[str, list[str]] = {}
    for path, reason in graph.whole.items():
        if reason != OUTPUT_REASON:
            layers.setdefault(reason, []).append(repr(path))
    return [f"layer {', '.join(paths)} keeps all channels: {reason}" for reason, paths in layers.items()]
