"""Prune a network after training, without labels: layer after layer, on the inputs that the pruned part gives it.

Two runs over the calibration samples. The first, of the network as it is, notes what each layer puts out. In the
second, each layer in turn gets the weights that come closest to its noted outputs, from the inputs that the layers
before it give now: those to be pruned by second_order, the others that have a kernel as they are, only solved anew.
Then its bias takes up the mean that is left, and batch normalization follows the change of mean and variance. So
later layers make up for what earlier ones lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import DataError
from edgesparse.graph import FloatArray
from edgesparse.keras_model.backend import quiet, tensorflow
from edgesparse.keras_model.loaded import input_shape, iter_layers
from edgesparse.sparsify.kernels import Kernel, iter_kernels
from edgesparse.sparsify.layer_inputs import has_rows, input_rows
from edgesparse.sparsify.masks import Masks
from edgesparse.sparsify.observe import Step, linear, run_with
from edgesparse.sparsify.patterns import Pattern, Tiling, pattern_named, zeros_for
from edgesparse.sparsify.plan import LayerPlan, SparsityPlan, reallocate
from edgesparse.sparsify.second_order import LayerProblem, layer_problem, prune_layer

__all__ = ["MIN_SAMPLES", "prune_layerwise"]

MIN_SAMPLES = 16
"""Fewer say too little about what a layer's inputs have in common."""

MAX_SAMPLES = 512
"""As for quantization: more change little."""

_MAX_ROWS = 1 << 15
"""Input rows of a layer, chosen at random: a convolution has one per output position."""
_MAX_ACTIVATION = 1 << 26
"""Elements of the largest layer's output for all samples together."""
_PATH_ROUNDS = 12
"""Points of the curve, sparsity against cost, that the share of each layer is read from."""

Means = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Layer:
    """One layer with a kernel. `plan` is None, or says what to prune. index: its number among these."""

    index: int
    layer: Any
    kernel: Kernel
    plan: LayerPlan | None

    @property
    def pattern(self) -> Pattern | None:
        return pattern_named(self.plan.pattern) if self.plan is not None and self.plan.pattern is not None else None


@dataclass(eq=False)
class _Reference:
    """What the network computes before pruning, per layer path."""

    outputs: dict[str, FloatArray] = field(default_factory=dict)  # [positions, out], before the activation
    positions: dict[str, npt.NDArray[np.intp]] = field(default_factory=dict)
    means: dict[str, Means] = field(default_factory=dict)  # [out], of all outputs
    free_means: set[str] = field(default_factory=set)  # layers whose outputs may be off by a constant per channel
    norms: dict[str, tuple[Means, Means]] = field(default_factory=dict)  # mean and variance of the inputs
    paths: dict[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)  # zeros -> share of output power lost


def prune_layerwise(
    model: Any,
    plan: SparsityPlan,
    x: FloatArray,
    *,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> Masks:
    """Prune a tf_keras model in place to the plan's total, and return which weights stay.

    x: calibration inputs [n, *input], at least MIN_SAMPLES, DataError otherwise. The total is the plan's; what each
    layer gives to it follows from how much of its outputs it loses. Same arguments, same weights.
    """
    if len(x) < MIN_SAMPLES:
        raise DataError(
            f"--data: second-order pruning needs at least {MIN_SAMPLES} samples, got {len(x)}; give more, or use"
            " --method magnitude"
        )
    layers = _layers(model, plan)
    if all(layer.pattern is None for layer in layers.values()):
        return {}
    inputs = tensorflow().constant(_choose(model, x, seed), dtype="float32")
    say = progress or (lambda _: None)
    with quiet():
        say("second-order pruning: reading the network")
        reference = _observe(model, layers, inputs, seed)
        shares = reallocate(plan, reference.paths)
        layers = _layers(model, shares)
        return _prune(model, layers, inputs, reference, say)


def _layers(model: Any, plan: SparsityPlan) -> dict[str, _Layer]:
    planned = {layer.name: layer for layer in plan.layers if layer.pattern is not None}
    owners = dict(iter_layers(model))
    return {
        kernel.name: _Layer(index, owners[kernel.name], kernel, planned.get(kernel.name))
        for index, kernel in enumerate(iter_kernels(model))
    }


def _choose(model: Any, x: FloatArray, seed: int) -> FloatArray:
    """Samples in their order, as many as MAX_SAMPLES and memory allow."""
    largest = math.prod(input_shape(model))
    for _, layer in iter_layers(model):
        if getattr(layer, "_inbound_nodes", None):
            outputs = layer.get_output_at(0)
            for tensor in outputs if isinstance(outputs, list | tuple) else [outputs]:
                largest = max(largest, math.prod(int(size or 1) for size in tensor.shape[1:]))
    count = max(MIN_SAMPLES, min(MAX_SAMPLES, _MAX_ACTIVATION // largest))
    if len(x) <= count:
        return x
    return x[np.sort(np.random.default_rng(seed).choice(len(x), size=count, replace=False))]


def _observe(model: Any, layers: dict[str, _Layer], inputs: Any, seed: int) -> _Reference:
    """Run the network as it is."""
    reference = _Reference()
    made: dict[int, tuple[str, Any]] = {}  # outputs by identity; the tensor is held so that its id stays its own
    steps: dict[str, tuple[Any, Step]] = {}

    def kernel_step(path: str, entry: _Layer) -> Step:
        def step(x: Any, compute: Callable[[Any], Any]) -> Any:
            with linear(entry.layer) as activate:
                y = compute(x)
            result = activate(y)
            if path in reference.means:  # used a second time
                return result
            flat = y.numpy().reshape(-1, y.shape[-1])
            reference.means[path] = flat.mean(axis=0, dtype=np.float64)
            positions = _positions(len(flat), seed + entry.index)
            reference.positions[path], reference.outputs[path] = positions, flat[positions]
            if entry.layer.use_bias:
                reference.free_means.add(path)
            made[id(result)] = (path, result)
            return result

        return step

    def norm_step(path: str) -> Step:
        def step(x: Any, compute: Callable[[Any], Any]) -> Any:
            if id(x) in made:
                reference.free_means.add(made[id(x)][0])
            reference.norms.setdefault(path, _moments(x))
            return compute(x)

        return step

    for path, entry in layers.items():
        steps[path] = (entry.layer, kernel_step(path, entry))
    for path, layer in _norms(model).items():
        steps[path] = (layer, norm_step(path))
    run_with(model, inputs, steps)
    made.clear()

    # The curves need to know first whether a normalization follows, so they come in a run of their own.
    def path_step(path: str, entry: _Layer) -> Step:
        def step(x: Any, compute: Callable[[Any], Any]) -> Any:
            pattern = entry.pattern
            if pattern is not None and path not in reference.paths and has_rows(entry.layer):
                reference.paths[path] = _curve(entry, pattern, x, reference)
            return compute(x)

        return step

    run_with(
        model, inputs, {path: (entry.layer, path_step(path, entry)) for path, entry in layers.items() if entry.plan}
    )
    return reference


def _curve(entry: _Layer, pattern: Pattern, x: Any, reference: _Reference) -> tuple[tuple[int, float], ...]:
    """(zeros, share of the output's power that is lost) up to nearly all weights."""
    problem, _, _ = _problem(entry, x, reference)
    outputs = reference.outputs[entry.kernel.name].astype(np.float64)
    power = float(np.sum(np.mean((outputs - outputs.mean(axis=0)) ** 2, axis=0)))
    weights = _flat(entry)
    unit = pattern.tiling.rows * pattern.tiling.columns
    most = (weights.size // unit - 1) * unit if pattern.tiling.group == 1 else zeros_for(weights.size, 1.0, unit)
    found = prune_layer(problem, pattern.tiling, most, absent=weights == 0, rounds=_PATH_ROUNDS)
    return tuple((zeros, cost / max(power, 1e-30)) for zeros, cost in found.path)


def _prune(
    model: Any, layers: dict[str, _Layer], inputs: Any, reference: _Reference, say: Callable[[str], None]
) -> Masks:
    """Run the network again and change each layer when its turn comes."""
    masks: Masks = {}
    seen: set[str] = set()

    def kernel_step(path: str, entry: _Layer) -> Step:
        def step(x: Any, compute: Callable[[Any], Any]) -> Any:
            with linear(entry.layer) as activate:
                if path not in seen:
                    seen.add(path)
                    if entry.pattern is not None:
                        say(f"second-order pruning: {path}")
                    _change(entry, x, compute, reference, masks)
                return activate(compute(x))

        return step

    def norm_step(path: str, layer: Any) -> Step:
        def step(x: Any, compute: Callable[[Any], Any]) -> Any:
            if path not in seen:
                seen.add(path)
                _follow(layer, reference.norms[path], _moments(x))
            return compute(x)

        return step

    steps = {path: (entry.layer, kernel_step(path, entry)) for path, entry in layers.items()}
    steps |= {path: (layer, norm_step(path, layer)) for path, layer in _norms(model).items() if path in reference.norms}
    run_with(model, inputs, steps)
    return masks


def _change(
    entry: _Layer, x: Any, compute: Callable[[Any], Any], reference: _Reference, masks: Masks
) -> None:
    """Give one layer its new weights and bias."""
    kernel, pattern = entry.kernel, entry.pattern
    if has_rows(entry.layer):
        before = _sampled(compute(x), reference.positions[kernel.name])
        if pattern is None and np.array_equal(before, reference.outputs[kernel.name]):
            return  # nothing was pruned before it
        problem, _, _ = _problem(entry, x, reference)
        weights = _flat(entry)
        zeros = zeros_for(weights.size, entry.plan.sparsity, pattern.unit) if pattern and entry.plan else 0
        tiling = pattern.tiling if pattern is not None else Tiling()
        result = prune_layer(problem, tiling, zeros, absent=weights == 0)
        shape = kernel.shape
        kernel.variable.assign(kernel.from_tflite(result.weights.astype(np.float32).reshape(shape)))
        if pattern is not None:
            masks[kernel.name] = kernel.from_tflite(result.keep.reshape(shape))
    elif pattern is not None and entry.plan is not None:
        masks[kernel.name] = kernel.from_tflite(pattern.mask(kernel.read(), entry.plan.sparsity))
        kernel.variable.assign(np.where(masks[kernel.name], kernel.variable.numpy(), np.float32(0)))
    if entry.layer.use_bias:
        outputs = compute(x).numpy()
        missing = reference.means[kernel.name] - outputs.reshape(-1, outputs.shape[-1]).mean(axis=0, dtype=np.float64)
        entry.layer.bias.assign_add(missing.astype(np.float32))


def _problem(entry: _Layer, x: Any, reference: _Reference) -> tuple[LayerProblem, Means, Means]:
    """The layer's quadratic for inputs x and the noted outputs, with the means of both."""
    path = entry.kernel.name
    rows = input_rows(entry.layer, x, reference.positions[path])
    outputs = reference.outputs[path].astype(np.float64)
    if entry.layer.use_bias:
        outputs -= entry.layer.bias.numpy().astype(np.float64)
    inputs_mean, outputs_mean = rows.mean(axis=0), outputs.mean(axis=0)
    if path in reference.free_means:
        rows -= inputs_mean
        outputs -= outputs_mean
    return layer_problem(_flat(entry), rows, outputs), inputs_mean, outputs_mean


def _flat(entry: _Layer) -> npt.NDArray[np.float64]:
    """Weights [out, kh * kw * in]."""
    weights = entry.kernel.read()
    return weights.reshape(len(weights), -1).astype(np.float64)


def _sampled(outputs: Any, positions: npt.NDArray[np.intp]) -> FloatArray:
    result: FloatArray = outputs.numpy().reshape(-1, outputs.shape[-1])[positions]
    return result


def _positions(count: int, seed: int) -> npt.NDArray[np.intp]:
    if count <= _MAX_ROWS:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, size=_MAX_ROWS, replace=False))


def _norms(model: Any) -> dict[str, Any]:
    """Batch normalizations over the last axis."""
    return {
        path: layer
        for path, layer in iter_layers(model)
        if type(layer).__name__ == "BatchNormalization" and list(layer.axis) == [layer.input_spec.ndim - 1]
    }


def _moments(x: Any) -> tuple[Means, Means]:
    values = x.numpy().reshape(-1, x.shape[-1])
    return values.mean(axis=0, dtype=np.float64), values.var(axis=0, dtype=np.float64)


def _follow(norm: Any, before: tuple[Means, Means], after: tuple[Means, Means]) -> None:
    """Move a normalization's statistics as its inputs' moved.

    The change is applied to what training found over far more samples, instead of replacing it.
    """
    epsilon = float(norm.epsilon)
    ratio = (after[1] + epsilon) / (before[1] + epsilon)
    mean = norm.moving_mean.numpy().astype(np.float64) + after[0] - before[0]
    variance = (norm.moving_variance.numpy().astype(np.float64) + epsilon) * ratio - epsilon
    norm.moving_mean.assign(mean.astype(np.float32))
    norm.moving_variance.assign(np.maximum(variance, 0.0).astype(np.float32))
