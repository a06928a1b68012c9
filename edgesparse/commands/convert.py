"""`edgesparse convert`: a Keras model to sparse int8 firmware, built and measured. The whole flow, in its order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesparse.budgets import check_budgets
from edgesparse.commands.firmware import firmware, refuse_for_tflite
from edgesparse.commands.folder import Converted, output_target, sha256_of, write_folder
from edgesparse.conversion.networks import Dense, Sparse, make_dense, make_sparse
from edgesparse.conversion.samples import NO_LABELS, Samples, choose_samples
from edgesparse.data import Dataset, load_data
from edgesparse.errors import ModelError
from edgesparse.measure.setup import Setup, choose_settings, set_up
from edgesparse.missing import Missing
from edgesparse.network import Network
from edgesparse.oracle import MODULES, interpreters
from edgesparse.output import check_replaceable, claim
from edgesparse.progress import Progress
from edgesparse.report.fidelity import compare_outputs, score
from edgesparse.report.report import Report
from edgesparse.result import Accuracy, Fidelity, Source

if TYPE_CHECKING:
    from edgesparse.keras_model import LoadedModel

__all__ = ["convert", "judged", "source_of"]


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
        samples = choose_samples(loaded.model, data, setup.settings)
        unpruned = make_dense(loaded, path, samples, setup)
        pruned = make_sparse(loaded, unpruned, samples, setup, checkpoints)
        converted = judged(loaded, source_of(path, loaded, unsafe=unsafe), unpruned, pruned, samples, setup)
        report = write_folder(place, converted, setup)
        checkpoints.discard()
    return report


def _begin(
    path: Path | None, out: str | Path | None, settings: Mapping[str, Any], progress: Progress | None, *, force: bool
) -> tuple[Setup, Dataset | None, Path]:
    """All that can be refused before TensorFlow is loaded: settings, tools, data, budgets, the output folder."""
    setup = set_up(choose_settings(settings), progress)
    data = load_data(setup.settings.data, setup.say) if setup.settings.data else None
    has_labels = data is not None and data.evaluation[1] is not None
    check_budgets(setup.settings.budget, accuracy="" if has_labels else NO_LABELS)
    if path is not None and not path.exists():
        raise ModelError(f"{path}: no such file or folder")
    target = output_target(path, out)
    check_replaceable(target, force=force)
    return setup, data, target


def judged(
    loaded: LoadedModel, source: Source, unpruned: Dense, pruned: Sparse, samples: Samples, setup: Setup
) -> Converted:
    """What goes into the output folder: both networks, slimmed, beside the float model."""
    sparse, dense = _named_alike(pruned.network, unpruned.network)
    sparse, dense = (net.slimmed(keep_metadata=setup.settings.keep_metadata) for net in (sparse, dense))
    setup.say("comparing with the float model")
    accuracy, fidelity = _judge(loaded, dense, sparse, samples)
    return Converted(
        source=source,
        sparse=sparse,
        dense=dense,
        dense_plan=unpruned.plan,
        vectors=samples.vectors,
        phone=_float_file(pruned.keras, setup) or sparse,
        phone_vectors=samples.phone_vectors,
        samples=samples.real,
        accuracy=accuracy,
        fidelity=fidelity,
        quantization=pruned.quantization,
        channels=pruned.channels,
        warnings=(*samples.warnings, *pruned.warnings),
    )


def _named_alike(sparse: Network, dense: Network) -> tuple[Network, Network]:
    """Both, the dense one with the sparse one's names where it is the same op for op."""
    if len(sparse.graph.ops) != len(dense.graph.ops):
        return sparse, dense
    return sparse, dense.named({index: op.name for index, op in enumerate(sparse.graph.ops)})


def _float_file(model: Any, setup: Setup) -> Network | None:
    """model.float32.tflite of a tf_keras model, for phones whose sparse kernels want it."""
    if setup.settings.mobile_dtype != "float32":
        return None
    from edgesparse import quantize

    return Network.read(quantize.float_tflite(model)).slimmed(keep_metadata=setup.settings.keep_metadata)


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


def source_of(path: Path | None, loaded: LoadedModel, *, unsafe: bool) -> Source:
    """Of the report."""
    from edgesparse import keras_model

    return Source(
        path=str(path) if path is not None else loaded.name,
        sha256=sha256_of(path) if path is not None else keras_model.fingerprint(loaded.model),
        format=loaded.format,
        keras_version=loaded.keras_version,
        unsafe=unsafe,
    )
