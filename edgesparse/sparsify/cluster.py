"""Weight clustering: the weights of a layer share a few values, which stay few as int8, and zeros stay zero.

Han, Mao and Dally, "Deep compression" (2016). What a layer's values may be is codebook.py's; with training, each weight
keeps a value of its own beside the shared one: gradients are taken at the shared values and change the own ones, from
which the shared values are found again after each step (straight-through, Bengio et al., 2013).

TF-MOT has clustering too, per layer in float: the scales per channel of int8 convolutions would make up to N values per
channel of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import SettingsError
from edgesparse.keras_model.backend import quiet
from edgesparse.keras_model.kernels import Kernel
from edgesparse.keras_model.loaded import iter_layers
from edgesparse.keras_model.normalization import absorb, normalized, unscale
from edgesparse.sparsify.codebook import LEAST_VALUES, Codebook, first_codebook
from edgesparse.sparsify.layerwise import choose_inputs, match_means
from edgesparse.sparsify.plan import SparsityPlan
from edgesparse.sparsify.reference import kernel_layers, record
from edgesparse.training.loop import prepare, train
from edgesparse.training.request import MIN_SAMPLES, Training
from edgesparse.training.shaping import Shaping

__all__ = ["MAX_VALUES", "cluster"]

MAX_VALUES = 256

_EPOCHS_SHARE = 0.5
"""Epochs of training with shared values, of those that the method trained before."""


def cluster(model: Any, plan: SparsityPlan, training: Training, *, trains: bool) -> tuple[str, ...]:
    """Let each prunable kernel of a tf_keras model share at most training.cluster values; return their layers' paths.

    Weights that are zero stay zero; others may become so. With samples, biases and normalizations make up for what the
    layers give on average. trains: whether the method trains; then the model goes on training, and training.teacher
    says what it should give. SettingsError for a number of values out of range.
    """
    if not LEAST_VALUES <= training.cluster <= MAX_VALUES:
        raise SettingsError(
            f"--cluster: expected 0, or {LEAST_VALUES} to {MAX_VALUES} values per layer, got {training.cluster}"
        )
    names = [layer.name for layer in plan.layers if layer.prunable]
    norms = [] if training.dense_per_channel else _absorb(model, names)
    if training.progress is not None:
        training.progress(f"clustering the weights of {len(names)} layers: at most {training.cluster} values each")
    shorter = replace(training, epochs=max(1, round(_EPOCHS_SHARE * training.epochs)))
    if training.x is None or len(training.x) < MIN_SAMPLES:
        _Sharing(model, names, shorter, norms)
        return tuple(names)
    inputs = choose_inputs(model, training.x, training.seed)
    with quiet():
        reference = record(model, kernel_layers(model, None), inputs, training.seed)
    sharing = _Sharing(model, names, shorter, norms)
    match_means(model, inputs, reference, unscaled=norms)
    if trains:
        train(prepare(model, shorter, option="--cluster"), sharing)
    return tuple(names)


def _absorb(model: Any, names: list[str]) -> list[Any]:
    """Dense layers have one scale: that of a normalization behind them would be another for each output. It goes into
    the weights now; the normalizations that have none any more."""
    layers, norms = dict(iter_layers(model)), normalized(model, "Dense")
    chosen = {path: norm for path, norm in norms.items() if path in names}
    for path, norm in chosen.items():
        absorb(layers[path], norm)
    return list(chosen.values())


class _Sharing(Shaping):
    """Kernels have shared values before and after each step, and some normalizations no scale."""

    def __init__(self, model: Any, names: list[str], training: Training, norms: list[Any]) -> None:
        super().__init__(model, set(names))
        self.norms = norms
        self.own = {name: _grouped(kernel, training).copy() for name, kernel in self.kernels.items()}
        self.books = {name: first_codebook(own, training.cluster) for name, own in self.own.items()}
        self.training = training
        self._shared: dict[str, npt.NDArray[np.float64]] = {}
        self._share()

    def after_step(self, _step: int) -> None:
        """See Shaping."""
        for name, kernel in self.kernels.items():
            own = self.own[name]
            own += np.where(own != 0, _grouped(kernel, self.training) - self._shared[name], 0.0)
            self.books[name] = self.books[name].refined(own)
        self._share()

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """See Shaping."""
        state: dict[str, npt.NDArray[Any]] = {}
        for name, book in self.books.items():
            state |= {f"own {name}": self.own[name], f"levels {name}": book.levels, f"scales {name}": book.scales}
        return state

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """See Shaping."""
        for name in self.kernels:
            self.own[name] = state[f"own {name}"]
            self.books[name] = Codebook(state[f"levels {name}"], state[f"scales {name}"])
        self._share()

    def _share(self) -> None:
        for name, kernel in self.kernels.items():
            shared = self.books[name].shared(self.own[name]).astype(np.float32)
            kernel.variable.assign(kernel.from_tflite(shared.reshape(kernel.shape)))
            self._shared[name] = shared.astype(np.float64)
        for norm in self.norms:
            unscale(norm)


def _grouped(kernel: Kernel, training: Training) -> npt.NDArray[np.float64]:
    """The weights [groups, n], a group being what quantization gives one scale."""
    weights = kernel.read().astype(np.float64)
    per_layer = kernel.kind == "Dense" and not training.dense_per_channel
    return weights.reshape(1 if per_layer else len(weights), -1)
