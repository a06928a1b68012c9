"""`edgesparse convert`: a Keras model to sparse int8 firmware, built and measured. The whole flow, in its order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesparse.budgets import check_budgets
from edgesparse.commands.firmware import firmware, refuse_for_tflite
from edgesparse.commands.folder import Converted, output_target, plan_twin, sha256_of, write_folder
from edgesparse.commands.samples import NO_LABELS, Samples, choose_samples
from edgesparse.data import Dataset, open_data
from edgesparse.errors import ModelError
from edgesparse.measure.setup import Setup, choose_settings, set_up
from edgesparse.missing import Missing
from edgesparse.network import Network
from edgesparse.oracle import MODULES, interpreters
from edgesparse.output import check_replaceable, claim
from edgesparse.progress import Progress
from edgesparse.report.fidelity import compare_outputs, score
from edgesparse.report.report import Report
from edgesparse.result import Accuracy, Fidelity, Quantization, Source
from edgesparse.shards import Shards
from edgesparse.tflite import identifier

if TYPE_CHECKING:
    from edgesparse.keras_model import LoadedModel
    from edgesparse.quantize import Quantized
    from edgesparse.sparsify import Curve, SparsifyResult, SparsityPlan
    from edgesparse.training.checkpoints import Checkpoints

__all__ = ["convert"]


def convert(
    model: Any,
    *,
    out: str | Path | None = None,
    force: bool = False,
    unsafe: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> Report:
    """Sparsify, quantize, pack, build and measure a Keras model.

    model: path of a .h5, .keras, SavedModel or int8 .tflite, or a Keras model object.
    out: the output folder, `./<stem>.edgesparse` by default. `force` replaces a folder that edgesparse did not write.
    unsafe: run code from the model file, such as Lambda layers (SECURITY.md).
    settings: fields of edgesparse.settings.Settings.
    """
    path = Path(model) if isinstance(model, str | Path) else None
    if path is not None and path.suffix == ".tflite":
        refuse_for_tflite(settings)
        return firmware(path, out=out, force=force, progress=progress, **settings)
    setup, data, target = _begin(path, out, settings, progress, force=force)
    from edgesparse import keras_model
    from edgesparse.training.checkpoints import Checkpoints, checkpoint_folder

    checkpoints = Checkpoints(checkpoint_folder(target))
    with claim(target, force=force, say=setup.say) as place, interpreters(*MODULES):
        setup.say("loading the model")
        loaded = keras_model.load(path, unsafe=unsafe) if path is not None else keras_model.from_object(model)
        samples = choose_samples(loaded.model, data, setup.settings, setup.say)
        plan = _plan(loaded, setup)
        setup.say("quantizing the dense model")
        int8_dense = _quantize(loaded.model, samples, setup)
        dense = Network.read(int8_dense.data)
        dense_plan = plan_twin(dense, path, setup)
        pruned = _sparsify(loaded, plan, dense, samples, setup, checkpoints)
        setup.say("quantizing the sparse model")
        int8_sparse = _quantize(pruned.model, samples, setup, settled=_settled(setup))
        sparse, dense = _named_alike(_proven(int8_sparse, pruned, setup), dense)
        sparse, dense = (net.slimmed(keep_metadata=setup.settings.keep_metadata) for net in (sparse, dense))
        setup.say("comparing with the float model")
        accuracy, fidelity = _judge(loaded, dense, sparse, samples)
        converted = Converted(
            source=_source(path, loaded, unsafe=unsafe),
            sparse=sparse,
            dense=dense,
            dense_plan=dense_plan,
            vectors=samples.vectors,
            phone=_float_file(pruned, setup) or sparse,
            phone_vectors=samples.phone_vectors,
            samples=samples.real,
            accuracy=accuracy,
            fidelity=fidelity,
            quantization=_quantization(int8_sparse, int8_dense, setup),
            channels=pruned.shrunk.channels if pruned.shrunk is not None else None,
            warnings=(*samples.warnings, *pruned.plan.warnings, *pruned.warnings),
        )
        report = write_folder(place, converted, setup)
        checkpoints.discard()
    return report


def _begin(
    path: Path | None, out: str | Path | None, settings: Mapping[str, Any], progress: Progress | None, *, force: bool
) -> tuple[Setup, Dataset | Shards | None, Path]:
    """All that can be refused before TensorFlow is loaded: settings, tools, data, budgets, the output folder."""
    setup = set_up(choose_settings(settings), progress)
    data = open_data(setup.settings.data, setup.say) if setup.settings.data else None
    check_budgets(setup.settings.budget, accuracy="" if _may_have_labels(data) else NO_LABELS)
    if path is not None and not path.exists():
        raise ModelError(f"{path}: no such file or folder")
    target = output_target(path, out)
    check_replaceable(target, force=force)
    return setup, data, target


def _may_have_labels(data: Dataset | Shards | None) -> bool:
    if isinstance(data, Shards):
        return data.labelled is not False
    return data is not None and data.evaluation[1] is not None


def _quantize(model: Any, samples: Samples, setup: Setup, *, settled: str = "") -> Quantized:
    """The int8 model. settled: why nothing may correct it, "" where samples decide."""
    from edgesparse import quantize

    return quantize.quantize_corrected(
        model,
        samples.calibration,
        dense_per_channel=setup.settings.dense_per_channel,
        outputs_of=lambda file, x: Network.read(file).predict(x),
        unjudged=settled or ("--no-correct" if not setup.settings.correct else samples.unjudged),
    )


def _plan(loaded: LoadedModel, setup: Setup) -> SparsityPlan:
    from edgesparse import sparsify

    chosen = setup.settings
    return sparsify.plan(loaded.model, sparsity=chosen.sparsity, pattern=chosen.pattern, channels=chosen.channels)


def _sparsify(
    loaded: LoadedModel, plan: SparsityPlan, dense: Network, samples: Samples, setup: Setup, checkpoints: Checkpoints
) -> SparsifyResult:
    """The pruned model, trained where the settings say so; zeros shared out by what the board gains."""
    from edgesparse import quantize, sparsify
    from edgesparse.keras_model.kernels import iter_kernels
    from edgesparse.training.request import Training

    chosen = setup.settings

    def costs_of(model: Any, planned: SparsityPlan) -> Mapping[str, Curve]:
        graph = dense.graph
        if model is not loaded.model:
            file = quantize.quantize(model, samples.calibration, dense_per_channel=chosen.dense_per_channel)
            graph = Network.read(file).graph
        ops = quantize.match_kernels(graph, iter_kernels(model))
        return sparsify.device_costs(graph, ops, planned, setup.board.core, optimize=chosen.optimize)

    setup.say("sparsifying")
    training = Training(
        x=samples.training,
        y=samples.training_labels,
        stream=samples.stream,
        epochs=chosen.epochs,
        labels=chosen.labels,
        distill=chosen.distill,
        schedule=chosen.schedule,
        activity_l1=chosen.activity_l1,
        cluster=chosen.cluster,
        dense_per_channel=chosen.dense_per_channel,
        seed=chosen.seed,
        checkpoints=checkpoints,
        progress=setup.say,
    )
    with checkpoints.dropped_on_error():
        pruned = sparsify.sparsify(loaded, plan, method=chosen.method, training=training, costs=costs_of)
        if chosen.quantize == "qat":
            setup.say("training under fake quantization")
            pruned = quantize.train_aware(pruned, loaded.model, training, dense_per_channel=chosen.dense_per_channel)
    return pruned


def _settled(setup: Setup) -> str:
    """Why nothing may correct the sparse model: its weights are made for int8; "" where they are not."""
    if setup.settings.quantize == "qat":
        return "trained for int8"
    return "its weights are clustered for int8" if setup.settings.cluster else ""


def _proven(int8: Quantized, pruned: SparsifyResult, setup: Setup) -> Network:
    """The sparse network with the names of its layers; ModelError unless its zeros and values are as they must be."""
    from edgesparse import quantize

    network = Network.read(int8.data)
    names = quantize.check_zeros(network.graph, int8.model, pruned.masks)
    quantize.check_values(network.graph, names, pruned.clustered, setup.settings.cluster)
    wanted = setup.settings.sparsity
    if setup.settings.pattern != "channel" and network.stats.sparsity + 1e-9 < wanted:
        raise ModelError(
            f"the int8 model has {network.stats.sparsity:.4f} zeros among its prunable weights, expected {wanted} or "
            "more; please report this model"
        )
    return network.named({index: identifier(name) for name, index in names.items()})


def _named_alike(sparse: Network, dense: Network) -> tuple[Network, Network]:
    """Both, the dense one with the sparse one's names where it is the same op for op."""
    if len(sparse.graph.ops) != len(dense.graph.ops):
        return sparse, dense
    return sparse, dense.named({index: op.name for index, op in enumerate(sparse.graph.ops)})


def _float_file(pruned: SparsifyResult, setup: Setup) -> Network | None:
    """model.float32.tflite, for phones whose sparse kernels want it."""
    if setup.settings.mobile_dtype != "float32":
        return None
    from edgesparse import quantize

    return Network.read(quantize.float_tflite(pruned.model)).slimmed(keep_metadata=setup.settings.keep_metadata)


def _judge(
    loaded: LoadedModel, dense: Network, sparse: Network, samples: Samples
) -> tuple[Accuracy | Missing, Fidelity]:
    """Both int8 networks beside the labels, where there are any, and beside the float model."""
    from edgesparse import keras_model

    labels = samples.labels
    outputs = keras_model.predict(loaded.model, samples.judged)
    int8, sparse_int8 = (network.predict(samples.judged) for network in (dense, sparse))
    whole = labels is not None and labels.dtype.kind == "i"
    classes = whole or keras_model.final_activation(loaded.model) == "softmax"
    fidelity = Fidelity(
        samples=len(samples.judged),
        int8_vs_float=compare_outputs(int8, outputs, classes=classes),
        sparse_vs_float=compare_outputs(sparse_int8, outputs, classes=classes),
    )
    if labels is None:
        return Missing(NO_LABELS), fidelity
    accuracy = Accuracy(
        metric="top1" if whole else "mse",
        samples=len(labels),
        float=score(outputs, labels),
        int8=score(int8, labels),
        sparse_int8=score(sparse_int8, labels),
    )
    return accuracy, fidelity


def _quantization(sparse: Quantized, dense: Quantized, setup: Setup) -> Quantization:
    return Quantization(method=setup.settings.quantize, **vars(sparse.correction), dense=dense.correction)


def _source(path: Path | None, loaded: LoadedModel, *, unsafe: bool) -> Source:
    from edgesparse import keras_model

    return Source(
        path=str(path) if path is not None else loaded.name,
        sha256=sha256_of(path) if path is not None else keras_model.fingerprint(loaded.model),
        format=loaded.format,
        keras_version=loaded.keras_version,
        unsafe=unsafe,
    )
