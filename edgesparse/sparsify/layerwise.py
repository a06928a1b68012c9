"""Prune a network after training, without labels: layer after layer, on the inputs that the pruned part gives it.

The network runs on the calibration samples as it is, and what its layers put out is noted. Then it runs again, and
each layer in turn gets the weights that come closest to its noted outputs, from the inputs that the layers before it
give now: those to be pruned by second_order, the others that have a kernel as they are, only solved anew. Then its
bias takes up the mean that is left, and batch normalization follows the change of mean and variance. So later layers
make up for what earlier ones lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgesparse.errors import DataError
from edgesparse.graph import FloatArray
from edgesparse.keras_model.backend import quiet, tensorflow
from edgesparse.keras_model.loaded import input_shape, iter_layers
from edgesparse.keras_model.normalization import follow, moments, normalizations, unscale
from edgesparse.keras_model.observe import Step, linear, run_with
from edgesparse.sparsify.allocation import reallocate
from edgesparse.sparsify.layer_inputs import has_rows
from edgesparse.sparsify.patterns import Tiling, zeros_for
from edgesparse.sparsify.plan import SparsityPlan
from edgesparse.sparsify.reference import KernelLayer, Reference, cost_curves, kernel_layers, problem_of, record
from edgesparse.sparsify.second_order import prune_layer
from edgesparse.training.loop import Course
from edgesparse.training.masks import Masks
from edgesparse.training.request import MIN_SAMPLES

__all__ = ["choose_inputs", "match_means", "prune_layerwise", "share", "share_out", "solve_anew"]

MAX_SAMPLES = 512
"""As for quantization: more change little."""

_MAX_ACTIVATION = 1 << 26
"""Elements of the largest layer's output, for all samples together."""


def prune_layerwise(
    model: Any, plan: SparsityPlan, x: FloatArray, *, seed: int, progress: Callable[[str], None] | None = None
) -> Masks:
    """Prune a tf_keras model in place to the plan's total, and return which weights stay.

    x: calibration inputs [n, *input], at least MIN_SAMPLES, DataError otherwise. What each layer gives to the total
    follows from what it loses by it. Layers with groups, which are no plain product, are pruned by magnitude. Weights
    that are zero stay zero. Same arguments, same weights.
    """
    _check_count(x)
    layers = kernel_layers(model, plan)
    if all(entry.pattern is None for entry in layers.values()):
        return {}
    inputs = choose_inputs(model, x, seed)
    say = progress or _silent
    with quiet():
        reference = record(model, layers, inputs, seed)
        say("second-order pruning: measuring what each layer loses")
        shares = reallocate(plan, cost_curves(model, layers, inputs, reference))
        return _prune(model, kernel_layers(model, shares), inputs, reference, say)


def share(course: Course, plan: SparsityPlan) -> SparsityPlan:
    """The plan of a training with its zeros shared out over the layers by what each loses; see share_out."""
    training = course.training
    return share_out(course.model, plan, course.x, seed=training.seed, progress=training.progress)


def share_out(
    model: Any, plan: SparsityPlan, x: FloatArray, *, seed: int, progress: Callable[[str], None] | None = None
) -> SparsityPlan:
    """The plan with its zeros shared out as prune_layerwise does it; the model is not changed. At least MIN_SAMPLES."""
    layers = kernel_layers(model, plan)
    if all(entry.pattern is None for entry in layers.values()):
        return plan
    inputs = tensorflow().constant(_choose(model, x, seed), dtype="float32")
    (progress or _silent)("measuring what each layer loses")
    with quiet():
        return reallocate(plan, cost_curves(model, layers, inputs, record(model, layers, inputs, seed)))


def solve_anew(model: Any, inputs: Any, reference: Reference, *, progress: Callable[[str], None] | None = None) -> None:
    """Change the weights, biases and normalizations of a tf_keras model in place so that its layers give what is noted.

    Nothing is pruned. inputs: by choose_inputs. reference: of these inputs, for every layer with a kernel and every
    normalization that the model has, and with its channels.
    """
    with quiet():
        _prune(model, kernel_layers(model, None), inputs, reference, progress or _silent)


def match_means(model: Any, inputs: Any, reference: Reference, *, unscaled: Sequence[Any] = ()) -> None:
    """Change biases and normalizations of a tf_keras model in place so that its layers give what is noted, on average.

    Weights stay as they are. inputs, reference: as for solve_anew. unscaled: normalizations that keep scales of 1.
    """

    def change(entry: KernelLayer, x: Any, compute: Callable[[Any], Any]) -> None:
        if entry.layer.use_bias:
            _match_mean(entry, x, compute, reference)

    with quiet():
        _run(model, kernel_layers(model, None), inputs, reference, change, unscaled)


def choose_inputs(model: Any, x: FloatArray, seed: int) -> Any:
    """Samples in their order, as many as MAX_SAMPLES and memory allow, as a tensor; DataError for too few."""
    _check_count(x)
    return tensorflow().constant(_choose(model, x, seed), dtype="float32")


def _check_count(x: FloatArray) -> None:
    if len(x) < MIN_SAMPLES:
        raise DataError(
            f"--data: second-order pruning needs at least {MIN_SAMPLES} samples, got {len(x)}; give more, or use"
            " --method magnitude"
        )


def _choose(model: Any, x: FloatArray, seed: int) -> FloatArray:
    largest = math.prod(input_shape(model))
    for _, layer in iter_layers(model):
        if layer._inbound_nodes:  # a layer in a wrapper has none
            outputs = layer.get_output_at(0)
            for tensor in outputs if isinstance(outputs, list | tuple) else [outputs]:
                largest = max(largest, math.prod(int(size or 1) for size in tensor.shape[1:]))
    count = max(MIN_SAMPLES, min(MAX_SAMPLES, _MAX_ACTIVATION // largest))
    if len(x) <= count:
        return x
    return x[np.sort(np.random.default_rng(seed).choice(len(x), size=count, replace=False))]


def _prune(
    model: Any, layers: dict[str, KernelLayer], inputs: Any, reference: Reference, say: Callable[[str], None]
) -> Masks:
    """Run the network again, and give each layer its new weights when its turn comes."""
    masks: Masks = {}

    def change(entry: KernelLayer, x: Any, compute: Callable[[Any], Any]) -> None:
        if entry.pattern is not None:
            say(f"second-order pruning: {entry.kernel.name}")
        _change(entry, x, compute, reference, masks)

    _run(model, layers, inputs, reference, change)
    return masks


def _run(
    model: Any,
    layers: dict[str, KernelLayer],
    inputs: Any,
    reference: Reference,
    change: Callable[[KernelLayer, Any, Callable[[Any], Any]], None],
    unscaled: Sequence[Any] = (),
) -> None:
    """Run the network, and change each layer when its turn comes, for its inputs; of several uses of it, at the first.

    Normalizations follow.
    """
    seen: set[str] = set()

    def kernel_step(path: str, entry: KernelLayer) -> Step:
        def step(x: Any, compute: Callable[[Any], Any]) -> Any:
            with linear(entry.layer) as activate:
                if path not in seen:
                    seen.add(path)
                    change(entry, x, compute)
                outputs = compute(x)
            return activate(outputs)

        return step

    def norm_step(path: str, layer: Any) -> Step:
        def step(x: Any, compute: Callable[[Any], Any]) -> Any:
            if path not in seen:
                seen.add(path)
                follow(layer, reference.moments[path], moments(x.numpy()))
                if any(layer is norm for norm in unscaled):
                    unscale(layer)
            return compute(x)

        return step

    steps = {path: (entry.layer, kernel_step(path, entry)) for path, entry in layers.items()}
    steps |= {path: (layer, norm_step(path, layer)) for path, layer in normalizations(model).items()}
    run_with(model, inputs, steps)


def _change(entry: KernelLayer, x: Any, compute: Callable[[Any], Any], reference: Reference, masks: Masks) -> None:
    """Give one layer its new weights and bias, for inputs x."""
    kernel, pattern, path = entry.kernel, entry.pattern, entry.kernel.name
    if pattern is None:
        outputs = compute(x).numpy()
        if np.array_equal(outputs.reshape(-1, outputs.shape[-1])[reference.positions[path]], reference.outputs[path]):
            return  # nothing was pruned before it
    sparsity = entry.plan.sparsity if entry.plan is not None else 0.0
    if has_rows(entry.layer):
        weights = entry.weights
        zeros = zeros_for(weights.size, sparsity, pattern.unit) if pattern is not None else 0
        tiling = pattern.tiling if pattern is not None else Tiling()
        result = prune_layer(problem_of(entry, x, reference), tiling, zeros, absent=weights == 0)
        kernel.variable.assign(kernel.from_tflite(result.weights.astype(np.float32).reshape(kernel.shape)))
        if pattern is not None:
            masks[path] = kernel.from_tflite(result.keep.reshape(kernel.shape))
    elif pattern is not None:
        masks[path] = kernel.from_tflite(pattern.mask(kernel.read(), sparsity))
        kernel.variable.assign(np.where(masks[path], kernel.variable.numpy(), np.float32(0)))
    if entry.layer.use_bias:
        _match_mean(entry, x, compute, reference)


def _match_mean(entry: KernelLayer, x: Any, compute: Callable[[Any], Any], reference: Reference) -> None:
    """Let the layer's bias take up the mean that its outputs are off."""
    outputs = compute(x).numpy()
    means = outputs.reshape(-1, outputs.shape[-1]).mean(axis=0, dtype=np.float64)
    entry.layer.bias.assign_add((reference.means[entry.kernel.name] - means).astype(np.float32))


def _silent(_: str) -> None: ...
