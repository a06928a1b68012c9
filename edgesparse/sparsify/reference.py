"""What a network computes before pruning: the outputs that its layers should keep, and what each would lose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import DataError
from edgesparse.graph import FloatArray
from edgesparse.keras_model.kernels import Kernel, iter_kernels
from edgesparse.keras_model.loaded import iter_layers
from edgesparse.keras_model.normalization import Moments, moments, normalizations
from edgesparse.keras_model.observe import Step, linear, run_with
from edgesparse.sparsify.layer_inputs import has_rows, input_rows
from edgesparse.sparsify.patterns import Pattern, pattern_named
from edgesparse.sparsify.plan import LayerPlan, SparsityPlan
from edgesparse.sparsify.second_order import LayerProblem, layer_problem, prune_layer

__all__ = ["KernelLayer", "Reference", "cost_curves", "kernel_layers", "problem_of", "record"]

_MAX_ROWS = 1 << 15
"""Input rows of a layer that count, chosen at random: a convolution has one per output position."""


@dataclass(frozen=True, eq=False)
class KernelLayer:
    """A layer with a kernel, the part of the plan that prunes it (None: stays), and its number among these layers."""

    index: int
    layer: Any
    kernel: Kernel
    plan: LayerPlan | None

    @property
    def pattern(self) -> Pattern | None:
        """What it is pruned in, None where it is not."""
        return pattern_named(self.plan.pattern) if self.plan is not None and self.plan.pattern is not None else None

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """[out, kh * kw * in]."""
        weights = self.kernel.read()
        return weights.reshape(len(weights), -1).astype(np.float64)


@dataclass(eq=False)
class Reference:
    """Per layer path, from the calibration samples and the network as it is.

    outputs: [positions, out] before the activation, at some positions of the flattened outputs. means: [out], of all
    outputs. free_means: layers whose outputs may be off by a constant per channel, since a bias or a normalization
    takes it up. moments: of the inputs of batch normalizations.
    """

    outputs: dict[str, FloatArray] = field(default_factory=dict)
    positions: dict[str, npt.NDArray[np.intp]] = field(default_factory=dict)
    means: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    free_means: set[str] = field(default_factory=set)
    moments: dict[str, Moments] = field(default_factory=dict)

    def with_channels(self, stay: Mapping[str, npt.NDArray[np.bool_]]) -> Reference:
        """The same of a network that lost channels. stay: layer path -> which of its outputs it still has [out]."""
        return Reference(
            {path: outputs[:, stay[path]] for path, outputs in self.outputs.items()},
            self.positions,
            {path: means[stay[path]] for path, means in self.means.items()},
            self.free_means,
            {path: Moments(found.mean[stay[path]], found.variance[stay[path]]) for path, found in self.moments.items()},
        )


def kernel_layers(model: Any, plan: SparsityPlan | None) -> dict[str, KernelLayer]:
    """The layers of a tf_keras model that have a kernel, by path, in the order of the model. No plan: all stay."""
    planned = {layer.name: layer for layer in plan.layers if layer.pattern is not None} if plan is not None else {}
    owners = dict(iter_layers(model))
    return {
        kernel.name: KernelLayer(index, owners[kernel.name], kernel, planned.get(kernel.name))
        for index, kernel in enumerate(iter_kernels(model))
    }


def record(model: Any, layers: dict[str, KernelLayer], inputs: Any, seed: int) -> Reference:
    """Run the network on inputs [n, *input] and note what its layers put out. Of several uses of a layer, the first."""
    reference = Reference()
    made: dict[int, tuple[str, Any]] = {}  # outputs by identity; holding the tensor keeps its id its own

    def kernel_step(path: str, entry: KernelLayer) -> Step:
        def step(x: Any, compute: Callable[[Any], Any]) -> Any:
            with linear(entry.layer) as activate:
                outputs = compute(x)
            result = activate(outputs)
            if path in reference.means:
                return result
            flat = outputs.numpy().reshape(-1, outputs.shape[-1])
            reference.means[path] = flat.mean(axis=0, dtype=np.float64)
            reference.positions[path] = _positions(len(flat), seed + entry.index)
            reference.outputs[path] = flat[reference.positions[path]]
            if entry.layer.use_bias:
                reference.free_means.add(path)
            made[id(result)] = (path, result)
            return result

        return step

    def norm_step(path: str) -> Step:
        def step(x: Any, compute: Callable[[Any], Any]) -> Any:
            if id(x) in made:
                reference.free_means.add(made[id(x)][0])
            if path not in reference.moments:
                reference.moments[path] = moments(x.numpy())
            return compute(x)

        return step

    steps = {path: (entry.layer, kernel_step(path, entry)) for path, entry in layers.items()}
    steps |= {path: (layer, norm_step(path)) for path, layer in normalizations(model).items()}
    run_with(model, inputs, steps)
    return reference


def cost_curves(
    model: Any, layers: dict[str, KernelLayer], inputs: Any, reference: Reference
) -> dict[str, tuple[tuple[int, float], ...]]:
    """Per layer that the plan prunes: (zeros, share of its outputs' variance that it loses), up to nearly all zeros.

    Each layer for itself, with the inputs that it has in the unpruned network. Layers that are no product of input rows
    and a kernel have no curve.
    """
    curves: dict[str, tuple[tuple[int, float], ...]] = {}

    def path_step(path: str, entry: KernelLayer, pattern: Pattern) -> Step:
        def step(x: Any, compute: Callable[[Any], Any]) -> Any:
            if path not in curves:
                curves[path] = _curve(entry, pattern, x, reference)
            return compute(x)

        return step

    steps = {
        path: (entry.layer, path_step(path, entry, entry.pattern))
        for path, entry in layers.items()
        if entry.pattern is not None and entry.pattern.tiling.group == 1 and has_rows(entry.layer)
    }
    run_with(model, inputs, steps)
    return curves


def problem_of(entry: KernelLayer, x: Any, reference: Reference) -> LayerProblem:
    """The quadratic of a layer that has_rows: inputs x [n, ...], the noted outputs as its aim.

    DataError where inputs or outputs are not finite.
    """
    path = entry.kernel.name
    rows = input_rows(entry.layer, x, reference.positions[path])
    outputs = reference.outputs[path].astype(np.float64)
    if entry.layer.use_bias:
        outputs -= entry.layer.bias.numpy().astype(np.float64)
    if not (np.isfinite(rows).all() and np.isfinite(outputs).all()):
        raise DataError(f"layer {path!r}: the samples of --data make its values overflow; check the scale of x")
    if path in reference.free_means:
        rows -= rows.mean(axis=0)
        outputs -= outputs.mean(axis=0)
    return layer_problem(entry.weights, rows, outputs)


def _curve(entry: KernelLayer, pattern: Pattern, x: Any, reference: Reference) -> tuple[tuple[int, float], ...]:
    outputs = reference.outputs[entry.kernel.name].astype(np.float64)
    variance = float(np.sum(outputs.var(axis=0)))
    weights = entry.weights
    most = (weights.size // pattern.unit - 1) * pattern.unit
    found = prune_layer(problem_of(entry, x, reference), pattern.tiling, most, absent=weights == 0)
    return tuple((zeros, cost / max(variance, 1e-30)) for zeros, cost in found.path)


def _positions(count: int, seed: int) -> npt.NDArray[np.intp]:
    if count <= _MAX_ROWS:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, size=_MAX_ROWS, replace=False))
