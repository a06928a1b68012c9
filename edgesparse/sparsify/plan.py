"""How many zeros each layer gets, so that the whole model has the sparsity that was asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from edgesparse.analysis import MIN_INPUT_CHANNELS, LayerKind, WeightedLayer, not_prunable
from edgesparse.errors import ModelError, SettingsError
from edgesparse.keras_model.kernels import Kernel, iter_kernels
from edgesparse.keras_model.loaded import final_layer
from edgesparse.settings import PATTERN_NAMES, parse_n_of_m
from edgesparse.sparsify.patterns import NOfM, Pattern, pattern_named

__all__ = [
    "CHANNEL",
    "MAX_SPARSITY",
    "PATTERN_NAMES",
    "Curve",
    "LayerPlan",
    "Part",
    "SparsityPlan",
    "max_units",
    "plan",
    "whole_units",
]

MAX_SPARSITY = 0.99
CHANNEL = "channel"
"""The pattern that removes whole channels from the network, and leaves no zeros in the kernels."""
_MIXED = {"auto": ("block1x4", "unstructured"), "block": ("block2x4", "block1x4")}
"""Patterns that stand for the first that fits: `auto` costs less accuracy, `block` more and is faster."""


Curve: TypeAlias = Sequence[tuple[int, float]]
"""(zeros of a layer, value), ascending in the zeros."""


@dataclass(frozen=True)
class LayerPlan:
    """What happens to one kernel.

    name: path of the layer; kind: its class; shape: the kernel's in TFLite's layout; weights: number of weights.
    prunable: whether it counts in the model's sparsity: convolutions with at least 4 input channels and
    dense layers, except a small final one. pattern: name, None when nothing is removed. sparsity: zeros / weights,
    exact. reason: why, for people.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    weights: int
    prunable: bool
    pattern: str | None
    sparsity: float
    reason: str


@dataclass(frozen=True)
class SparsityPlan:
    """The plan of all layers. `sparsity`: zeros / prunable weights; `pattern`, `target` and `channels` as asked for.

    costs: gives, when asked, layer path -> what the device needs for the layer with so many zeros, such as
    instructions; {} where that does not count. channels: share of the MACs that whole channels take with them. Where
    that is not 0, or the pattern is channel, the layers are those before they go; sparsify plans again for the smaller
    model.
    """

    layers: tuple[LayerPlan, ...]
    pattern: str
    target: float
    sparsity: float
    prunable_weights: int
    warnings: tuple[str, ...]
    costs: Callable[[], Mapping[str, Curve]] = dict
    channels: float = 0.0

    @property
    def shrinks(self) -> bool:
        """Whether whole channels go."""
        return self.channels > 0 or (self.pattern == CHANNEL and self.target > 0)


@dataclass(frozen=True)
class _Choice:
    kernel: Kernel
    prunable: bool
    pattern: Pattern | None
    reason: str

    @property
    def units(self) -> int:
        if isinstance(self.pattern, NOfM):
            return self.kernel.weights // self.pattern.m
        return self.kernel.weights // self.pattern.unit if self.pattern else 0

    @property
    def max_units(self) -> int:
        """At most MAX_SPARSITY of the layer, and at least one unit stays; every group of N:M."""
        if isinstance(self.pattern, NOfM):
            return self.units
        return max_units(self.units)


def plan(model: Any, *, sparsity: float, pattern: str, channels: float = 0.0) -> SparsityPlan:
    """Give every prunable layer of a tf_keras model the same sparsity, in a pattern that it can take.

    sparsity: zeros / prunable weights of the model, 0 to 0.99 (for nm=N:M 1 - N / M); reached, and exceeded by less
    than one unit of the pattern. Layers that the pattern does not fit stay dense, count all the same, and are named
    in `warnings`; the others make up for them. With the pattern channel no kernel gets zeros. channels: share of the
    MACs, 0 to 0.99, that whole channels take with them before. SettingsError for a share or pattern out of range, or
    when the sparsity cannot be reached (the message says which can); ModelError when no layer is prunable.
    """
    for option, share in (("sparsity", sparsity), ("channels", channels)):
        if not 0.0 <= share <= MAX_SPARSITY:
            raise SettingsError(f"--{option}: expected 0 to {MAX_SPARSITY}, got {share:g}")
    n_of_m = parse_n_of_m(pattern)
    if pattern not in PATTERN_NAMES[:-1] and n_of_m is None:
        raise SettingsError(f"--pattern: {pattern!r} is not known; choose one of: {', '.join(PATTERN_NAMES)}")
    if n_of_m is not None and abs(sparsity - (1 - n_of_m[0] / n_of_m[1])) > 1e-6:
        raise SettingsError(f"--sparsity {sparsity:g} and --pattern {pattern} disagree; leave --sparsity out")
    choices = [_choose(kernel, prunable, why, pattern) for kernel, prunable, why in _prunable(model)]
    prunable = sum(choice.kernel.weights for choice in choices if choice.prunable)
    if prunable == 0 and sparsity > 0:
        raise ModelError(
            f"model {model.name!r}: no layer can be pruned; needed: a convolution with at least {MIN_INPUT_CHANNELS}"
            " input channels or a dense layer"
        )
    units = [0] * len(choices) if pattern == CHANNEL else _distribute(choices, prunable, sparsity)
    layers = tuple(_layer_plan(choice, count) for choice, count in zip(choices, units, strict=True))
    zeros = sum(count * choice.pattern.unit for choice, count in zip(choices, units, strict=True) if choice.pattern)
    warnings = tuple(
        f"layer {choice.kernel.name!r} stays dense: {choice.reason}; the other layers are pruned more to make up for it"
        for choice in choices
        if choice.prunable and choice.pattern is None and pattern != CHANNEL
    )
    reached = zeros / prunable if prunable else 0.0
    if sparsity == 0 or channels > 0:
        warnings = ()  # of layers that get no zeros, or that will be others
    return SparsityPlan(layers, pattern, sparsity, reached, prunable, warnings, channels=channels)


def _prunable(model: Any) -> list[tuple[Kernel, bool, str]]:
    """Every kernel with whether it counts as prunable, and why not."""
    kernels = list(iter_kernels(model))
    last = getattr(final_layer(model), "kernel", None)
    layers = [WeightedLayer(_kind(k), k.weights, k.shape[-1], final=k.variable is last) for k in kernels]
    return [(kernel, not why, why) for kernel, why in zip(kernels, not_prunable(layers), strict=True)]


def _kind(kernel: Kernel) -> LayerKind:
    if kernel.depthwise:
        return "depthwise"
    return "dense" if kernel.kind == "Dense" else "conv"


def _choose(kernel: Kernel, prunable: bool, why: str, pattern: str) -> _Choice:
    if not prunable:
        return _Choice(kernel, False, None, why)
    if pattern == CHANNEL:
        return _Choice(kernel, True, None, "whole channels go")
    names: tuple[str, ...] = _MIXED.get(pattern, (pattern,))
    if pattern == "block" and kernel.kind != "Dense":
        names = names[1:]  # no kernel gains by pairs of filters, and they cost accuracy
    reasons: list[str] = []
    for name in names:
        candidate = pattern_named(name)
        misfit = candidate.fits(kernel.shape)
        if misfit is None:
            reason = f"{name}: {'; '.join(reasons)}" if reasons else f"{name} fits"
            return _Choice(kernel, True, candidate, reason)
        reasons.append(misfit)
    return _Choice(kernel, True, None, "; ".join(reasons))


def _distribute(choices: list[_Choice], prunable: int, sparsity: float) -> list[int]:
    """Units to remove per layer: the same share of each, up to its cap, `sparsity` of all prunable weights together."""
    needed = math.ceil(round(sparsity * prunable, 6))
    reachable = sum(choice.max_units * choice.pattern.unit for choice in choices if choice.pattern)
    if reachable < needed:
        dense = [repr(choice.kernel.name) for choice in choices if choice.prunable and choice.pattern is None]
        because = f" since {', '.join(dense)} must stay dense" if dense else ""
        best = math.floor(reachable / prunable * 1000) / 1000
        raise SettingsError(
            f"--sparsity {sparsity:g} cannot be reached{because}: at most {best:g} with this pattern; ask for"
            " less, or use --pattern unstructured"
        )
    share = _common_share(choices, needed)
    exact = [min(share * choice.units, float(choice.max_units)) for choice in choices]
    parts = [
        Part(choice.pattern.unit if choice.pattern else 1, choice.max_units if choice.pattern else 0)
        for choice in choices
    ]
    return whole_units(parts, exact, needed)


@dataclass(frozen=True)
class Part:
    """What a layer can give: at most `most` units of `unit` weights."""

    unit: int
    most: int


def whole_units(parts: Sequence[Part], exact: Sequence[float], needed: int) -> list[int]:
    """Whole units per layer near `exact`, together at least `needed` weights and less than a unit more."""
    units = [min(math.floor(round(value, 6)), part.most) for value, part in zip(exact, parts, strict=True)]
    missing = needed - sum(count * part.unit for count, part in zip(units, parts, strict=True))
    # Rounding down left less than a unit per layer: hand these out, largest remainder first.
    order = sorted(range(len(parts)), key=lambda i: (units[i] - exact[i], i))
    while missing > 0:
        for i in order:
            if missing > 0 and units[i] < parts[i].most:
                units[i] += 1
                missing -= parts[i].unit
    return units


def max_units(units: int) -> int:
    """Units of a layer that may go: at most MAX_SPARSITY of a layer, and at least one unit stays."""
    return max(0, min(units - 1, math.ceil(round(MAX_SPARSITY * units, 6))))


def _common_share(choices: list[_Choice], needed: int) -> float:
    """The share s with sum(min(s * units, max_units) * unit) == needed, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        zeros = sum(
            min(middle * choice.units, choice.max_units) * choice.pattern.unit for choice in choices if choice.pattern
        )
        low, high = (middle, high) if zeros < needed else (low, middle)
    return high


def _layer_plan(choice: _Choice, units: int) -> LayerPlan:
    kernel = choice.kernel
    pattern = choice.pattern
    zeros = units * pattern.unit if pattern else 0
    return LayerPlan(
        name=kernel.name,
        kind=kernel.kind,
        shape=kernel.shape,
        weights=kernel.weights,
        prunable=choice.prunable,
        pattern=pattern.name if pattern and zeros else None,
        sparsity=zeros / kernel.weights,
        reason=choice.reason,
    )
