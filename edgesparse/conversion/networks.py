"""The two int8 networks of a conversion: the dense one, and the sparse one, proven to have the zeros that it must have.

Nothing here needs a compiler or an emulator: `Target` is the part of a run's setup that decides what the networks are.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesparse.conversion.samples import Samples
from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.firmware.plan import Plan, plan_network
from edgesparse.measure.setup import Target
from edgesparse.network import Network
from edgesparse.result import Channels, Correction, Quantization
from edgesparse.tflite import identifier

if TYPE_CHECKING:
    from edgesparse.keras_model import LoadedModel
    from edgesparse.quantize import Quantized
    from edgesparse.sparsify import Curve, SparsifyResult, SparsityPlan
    from edgesparse.training.checkpoints import Checkpoints

__all__ = ["Dense", "Sparse", "make_dense", "make_sparse", "plan_dense"]


@dataclass(frozen=True, eq=False)
class Dense:
    """The unpruned model in int8, and its plan, all weights dense."""

    network: Network
    plan: Plan
    correction: Correction


@dataclass(frozen=True, eq=False)
class Sparse:
    """The pruned model in int8, with the names of its layers. keras: the tf_keras model that it was made of."""

    network: Network
    quantization: Quantization
    channels: Channels | None
    warnings: tuple[str, ...]
    keras: Any


def make_dense(loaded: LoadedModel, path: Path | None, samples: Samples, target: Target) -> Dense:
    """Quantize the model as it is. UnsupportedError, with the model's path, where an op has no kernel."""
    target.say("quantizing the dense model")
    int8 = _quantize(loaded.model, samples, target)
    network = Network.read(int8.data)
    return Dense(network, plan_dense(network, path, target), int8.correction)


def plan_dense(network: Network, path: Path | None, target: Target) -> Plan:
    """The plan of a dense twin. UnsupportedError, with the model's path, where an op has no kernel."""
    try:
        return plan_network(network.graph, target.board.core, optimize=target.settings.optimize, dense_only=True)
    except UnsupportedError as error:
        where = f"{path}: " if path is not None else ""
        raise UnsupportedError(f"{where}{error}", error.names) from error


def make_sparse(
    loaded: LoadedModel, dense: Dense, samples: Samples, target: Target, checkpoints: Checkpoints | None = None
) -> Sparse:
    """Prune, train where the settings say so, quantize, and prove the zeros.

    ModelError where the int8 model has not the zeros, or more values, than were asked for.
    """
    pruned = _sparsify(loaded, dense.network, samples, target, checkpoints)
    target.say("quantizing the sparse model")
    int8 = _quantize(pruned.model, samples, target, settled=_settled(target))
    return Sparse(
        network=_proven(int8, pruned, target),
        quantization=Quantization(method=target.settings.quantize, **vars(int8.correction), dense=dense.correction),
        channels=pruned.shrunk.channels if pruned.shrunk is not None else None,
        warnings=(*pruned.plan.warnings, *pruned.warnings),
        keras=pruned.model,
    )


def _quantize(model: Any, samples: Samples, target: Target, *, settled: str = "") -> Quantized:
    """The int8 model. settled: why nothing may correct it, "" where samples decide."""
    from edgesparse import quantize

    return quantize.quantize_corrected(
        model,
        samples.calibration,
        dense_per_channel=target.settings.dense_per_channel,
        outputs_of=lambda file, x: Network.read(file).predict(x),
        unjudged=settled or ("--no-correct" if not target.settings.correct else samples.unjudged),
    )


def _sparsify(
    loaded: LoadedModel, dense: Network, samples: Samples, target: Target, checkpoints: Checkpoints | None
) -> SparsifyResult:
    """The pruned model, trained where the settings say so; zeros shared out by what the board gains."""
    from edgesparse import quantize, sparsify
    from edgesparse.keras_model.kernels import iter_kernels
    from edgesparse.training.request import Training

    chosen = target.settings
    plan = sparsify.plan(loaded.model, sparsity=chosen.sparsity, pattern=chosen.pattern, channels=chosen.channels)

    def costs_of(model: Any, planned: SparsityPlan) -> Mapping[str, Curve]:
        graph = dense.graph
        if model is not loaded.model:
            file = quantize.quantize(model, samples.calibration, dense_per_channel=chosen.dense_per_channel)
            graph = Network.read(file).graph
        ops = quantize.match_kernels(graph, iter_kernels(model))
        return sparsify.device_costs(graph, ops, planned, target.board.core, optimize=chosen.optimize)

    target.say("sparsifying")
    training = Training(
        x=samples.training,
        y=samples.training_labels,
        epochs=chosen.epochs,
        labels=chosen.labels,
        distill=chosen.distill,
        schedule=chosen.schedule,
        activity_l1=chosen.activity_l1,
        cluster=chosen.cluster,
        dense_per_channel=chosen.dense_per_channel,
        seed=chosen.seed,
        checkpoints=checkpoints,
        progress=target.say,
    )
    with checkpoints.dropped_on_error() if checkpoints is not None else nullcontext():
        pruned = sparsify.sparsify(loaded, plan, method=chosen.method, training=training, costs=costs_of)
        if chosen.quantize == "qat":
            target.say("training under fake quantization")
            pruned = quantize.train_aware(pruned, loaded.model, training, dense_per_channel=chosen.dense_per_channel)
    return pruned


def _settled(target: Target) -> str:
    """Why nothing may correct the sparse model: its weights are made for int8; "" where they are not."""
    if target.settings.quantize == "qat":
        return "trained for int8"
    return "its weights are clustered for int8" if target.settings.cluster else ""


def _proven(int8: Quantized, pruned: SparsifyResult, target: Target) -> Network:
    """The sparse network with the names of its layers; ModelError unless its zeros and values are as they must be."""
    from edgesparse import quantize

    network = Network.read(int8.data)
    names = quantize.check_zeros(network.graph, int8.model, pruned.masks)
    quantize.check_values(network.graph, names, pruned.clustered, target.settings.cluster)
    wanted = target.settings.sparsity
    if target.settings.pattern != "channel" and network.stats.sparsity + 1e-9 < wanted:
        raise ModelError(
            f"the int8 model has {network.stats.sparsity:.4f} zeros among its prunable weights, expected {wanted} or "
            "more; please report this model"
        )
    return network.named({index: identifier(name) for name, index in names.items()})
