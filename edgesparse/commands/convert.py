"""`edgesparse convert`: a Keras model to sparse int8 firmware, built and measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesparse import emulate as emulators
from edgesparse.analysis import ModelStats
from edgesparse.budgets import check_budgets
from edgesparse.commands.folder import (
    check_kernels,
    output_target,
    pick_samples,
    refuse_for_tflite,
    settings_for_board,
    sha256_of,
    silent,
    write_report,
)
from edgesparse.data import Dataset, load_data
from edgesparse.errors import ModelError
from edgesparse.measure.runtimes import find_toolchain
from edgesparse.measure.twins import Progress, deploy
from edgesparse.missing import unavailable
from edgesparse.mobile import phone_model
from edgesparse.network import Network
from edgesparse.output import (
    check_replaceable,
    output_folder,
)
from edgesparse.report.fidelity import compare_outputs, score
from edgesparse.settings import Settings
from edgesparse.tflite import identifier
from edgesparse.training.checkpoints import checkpoint_folder

__all__ = ["convert"]

_CALIBRATION_SAMPLES = 100
_FIDELITY_SAMPLES = 200


def convert(
    model: Any,
    *,
    out: str | Path | None = None,
    force: bool = False,
    unsafe: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Sparsify, quantize, pack, build and measure a Keras model; returns the object of report.json.

    model: path of a .h5, .keras, SavedModel or int8 .tflite, or a Keras model object.
    out: the output folder, `./<stem>.edgesparse` by default. `force` replaces a folder that edgesparse did not write.
    unsafe: load Lambda layers, which execute code from the file.
    settings: fields of edgesparse.settings.Settings.
    """
    say = progress or silent
    if isinstance(model, str | Path) and Path(model).suffix == ".tflite":
        refuse_for_tflite(settings)
        from edgesparse.commands.firmware import firmware

        return firmware(model, out=out, force=force, progress=progress, **settings)
    chosen, board = settings_for_board(settings)
    tools = find_toolchain(chosen, board)
    emulators.choose_memory_profile(chosen.memory_profile, board)
    emulators.require(chosen.emulator, board)
    data = load_data(chosen.data) if chosen.data else None
    no_labels = "no labels; give --data FILE with x and y"
    check_budgets(chosen.budget, accuracy="" if data is not None and data.evaluation[1] is not None else no_labels)
    path = Path(model) if isinstance(model, str | Path) else None
    if path is not None and not path.exists():
        raise ModelError(f"{path}: no such file or folder")
    target = output_target(path, out)
    check_replaceable(target, force=force)

    say("loading the model")
    from edgesparse import keras_model, quantize, sparsify
    from edgesparse.keras_model.check_data import check_data
    from edgesparse.keras_model.kernels import iter_kernels
    from edgesparse.training.checkpoints import Checkpoints
    from edgesparse.training.request import Training

    loaded = keras_model.load(path, unsafe=unsafe) if path is not None else keras_model.from_object(model)
    if data is not None:
        for x, y in ((data.x, data.y), (data.x_test, data.y_test)):
            if x is not None:
                check_data(loaded.model, x, y)
    warnings = _data_warnings(data)
    plan = sparsify.plan(loaded.model, sparsity=chosen.sparsity, pattern=chosen.pattern, channels=chosen.channels)
    shape = keras_model.input_shape(loaded.model)
    samples = data.x if data is not None else quantize.synthetic_inputs(shape, n=_CALIBRATION_SAMPLES, seed=chosen.seed)
    calibration = pick_samples(samples, _CALIBRATION_SAMPLES, chosen.seed)

    def int8(model: Any, *, settled: str = "") -> quantize.Quantized:
        return quantize.quantize_corrected(
            model,
            calibration,
            dense_per_channel=chosen.dense_per_channel,
            outputs_of=lambda file, x: Network.read(file).predict(x),
            unjudged=settled or _plain_reason(chosen, data),
        )

    def costs_of(model: Any, planned: sparsify.SparsityPlan) -> Mapping[str, sparsify.Curve]:
        graph = dense.graph
        if model is not loaded.model:
            file = quantize.quantize(model, calibration, dense_per_channel=chosen.dense_per_channel)
            graph = Network.read(file).graph
        ops = quantize.match_kernels(graph, iter_kernels(model))
        return sparsify.device_costs(graph, ops, planned, board.core, optimize=chosen.optimize)

    say("quantizing the dense model")
    int8_dense = int8(loaded.model)
    dense = Network.read(int8_dense.data)
    check_kernels(dense.graph, board, chosen, path)
    say("sparsifying")
    checkpoints = Checkpoints(checkpoint_folder(target))
    training = Training(
        x=None if data is None else data.x,
        y=None if data is None else data.y,
        epochs=chosen.epochs,
        labels=chosen.labels,
        distill=chosen.distill,
        schedule=chosen.schedule,
        activity_l1=chosen.activity_l1,
        cluster=chosen.cluster,
        dense_per_channel=chosen.dense_per_channel,
        seed=chosen.seed,
        checkpoints=checkpoints,
        progress=say,
    )
    with checkpoints.dropped_on_error():
        pruned = sparsify.sparsify(loaded, plan, method=chosen.method, training=training, costs=costs_of)
        if chosen.quantize == "qat":
            say("training under fake quantization")
            pruned = quantize.train_aware(pruned, loaded.model, training, dense_per_channel=chosen.dense_per_channel)
    say("quantizing the sparse model")
    int8_sparse = int8(pruned.model, settled=_settled(chosen))
    sparse = Network.read(int8_sparse.data)
    names = quantize.check_zeros(sparse.graph, int8_sparse.model, pruned.masks)
    quantize.check_values(sparse.graph, names, pruned.clustered, chosen.cluster)
    sparse = sparse.named({index: identifier(name) for name, index in names.items()})
    if len(sparse.graph.ops) == len(dense.graph.ops):
        dense = dense.named({index: op.name for index, op in enumerate(sparse.graph.ops)})
    sparse, dense = (network.slimmed(keep_metadata=chosen.keep_metadata) for network in (sparse, dense))
    say("encoding for phones")
    in_float = None
    if chosen.mobile_dtype == "float32":
        in_float = Network.read(quantize.float_tflite(pruned.model)).slimmed(keep_metadata=chosen.keep_metadata)
    mobile = in_float or sparse
    phone = phone_model(
        mobile.data,
        mobile.quantized(pick_samples(samples, chosen.vectors, chosen.seed)),
        optimize=chosen.mobile_optimize,
        names=[op.name for op in mobile.graph.ops],
    )
    warnings += [*plan.warnings, *pruned.warnings, *phone.warnings, *_sparsity_warnings(sparse.stats, chosen)]
    shrunk = {"channels": pruned.shrunk.as_json()} if pruned.shrunk is not None else {}

    say("comparing with the float model")
    inputs, labels = data.evaluation if data is not None else (samples, None)
    judged = inputs if labels is not None else pick_samples(inputs, _FIDELITY_SAMPLES, chosen.seed)
    float_outputs = keras_model.predict(loaded.model, judged)
    int8_outputs, sparse_outputs = dense.predict(judged), sparse.predict(judged)
    classes = keras_model.final_activation(loaded.model) == "softmax" or (
        labels is not None and labels.dtype.kind == "i"
    )
    fidelity = {
        "samples": len(judged),
        "int8_vs_float": compare_outputs(int8_outputs, float_outputs, classes=classes),
        "sparse_vs_float": compare_outputs(sparse_outputs, float_outputs, classes=classes),
    }
    accuracy: dict[str, Any] = unavailable(no_labels)
    if labels is not None:
        accuracy = {
            "metric": "top1" if labels.dtype.kind == "i" else "mse",
            "samples": len(labels),
            "float": score(float_outputs, labels),
            "int8": score(int8_outputs, labels),
            "sparse_int8": score(sparse_outputs, labels),
        }
    vectors = pick_samples(inputs, chosen.vectors, chosen.seed)
    source = {
        "path": str(path) if path is not None else loaded.name,
        "sha256": sha256_of(path) if path is not None else keras_model.fingerprint(loaded.model),
        "format": loaded.format,
        "keras_version": loaded.keras_version,
    }
    with output_folder(target, force=force) as folder:
        (folder / "model.sparse.tflite").write_bytes(phone.data)
        if in_float is not None:
            (folder / "model.float32.tflite").write_bytes(in_float.data)
        report = deploy(
            folder,
            source,
            chosen,
            board,
            tools,
            sparse,
            dense,
            vectors,
            calibration if data is not None else None,
            warnings,
            say,
        )
        quantization = {"method": chosen.quantize, **int8_sparse.as_json(), "dense": int8_dense.as_json()}
        report |= {"accuracy": accuracy, "fidelity": fidelity, "mobile": phone.report, "quantization": quantization}
        report["model"] |= shrunk
        write_report(folder, report)
    checkpoints.discard()
    return report


def _settled(settings: Settings) -> str:
    """Why nothing may correct the sparse model: its weights are made for int8; "" where they are not."""
    if settings.quantize == "qat":
        return "trained for int8"
    return "its weights are clustered for int8" if settings.cluster else ""


def _plain_reason(settings: Settings, data: Dataset | None) -> str:
    """Why int8 models are quantized without corrections; "" where samples decide."""
    if not settings.correct:
        return "--no-correct"
    return "no samples; give --data FILE" if data is None else ""


def _data_warnings(data: Dataset | None) -> list[str]:
    if data is None:
        return ["calibrated on synthetic inputs: int8 ranges may be wrong for real ones; give --data FILE"]
    if not data.held_out and data.y is not None:
        return ["accuracy is measured on the samples used for calibration; add x_test and y_test to hold some apart"]
    return []


def _sparsity_warnings(stats: ModelStats, settings: Settings) -> list[str]:
    if settings.pattern != "channel" and stats.sparsity + 1e-9 < settings.sparsity:
        raise ModelError(
            f"the int8 model has {stats.sparsity:.4f} zeros among its prunable weights, expected {settings.sparsity} "
            "or more; please report this model"
        )
    return []
