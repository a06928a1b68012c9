"""The whole flow: model file -> pruned int8 model -> packed firmware and its dense twin -> figures -> report.json."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse import emulate as emulators
from edgesparse import export as exports
from edgesparse.analysis import ModelStats
from edgesparse.boards import Board, load_board
from edgesparse.budgets import check_budgets, evaluate_budgets
from edgesparse.data import Dataset, load_data
from edgesparse.deploy import Progress, deploy, measure, measured_zero_inputs, plan_firmware, projects
from edgesparse.device import DeviceRun, run_on_board
from edgesparse.errors import InputError, ModelError, OutputError, SettingsError, UnsupportedError
from edgesparse.evaluate import Samples, evaluate, read_samples
from edgesparse.flash import ProbeOptions
from edgesparse.graph import FloatArray, Graph, Tensor
from edgesparse.mobile import bench, phone_model
from edgesparse.network import Network
from edgesparse.output import (
    HTML_NAME,
    REPORT_NAME,
    check_replaceable,
    output_folder,
    read_report,
    read_report_at,
    write_json,
    write_text,
)
from edgesparse.report import assemble
from edgesparse.report.compare import Comparison, compare_reports, parse_percent, parse_points
from edgesparse.report.fidelity import compare_outputs, score
from edgesparse.report.html import render_html, render_stored
from edgesparse.runtimes import RUNTIMES, find_toolchain
from edgesparse.settings import Settings
from edgesparse.sparse_keras import checkpoint_folder, sparsify_file
from edgesparse.tflite import identifier

__all__ = [
    "bench_mobile",
    "build",
    "compare",
    "convert",
    "emulate",
    "export",
    "firmware",
    "flash",
    "inspect",
    "report",
    "sparsify",
]

_CALIBRATION_SAMPLES = 100
_FIDELITY_SAMPLES = 200
_SPARSE_SETTINGS = (
    "sparsity",
    "pattern",
    "channels",
    "method",
    "epochs",
    "labels",
    "distill",
    "schedule",
    "activity_l1",
    "cluster",
    "data",
    "quantize",
    "dense_per_channel",
    "correct",
)


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
    say = progress or _silent
    if isinstance(model, str | Path) and Path(model).suffix == ".tflite":
        _refuse_for_tflite(settings)
        return firmware(model, out=out, force=force, progress=progress, **settings)
    chosen, board = _settings_for_board(settings)
    tools = find_toolchain(chosen, board)
    emulators.choose_memory_profile(chosen.memory_profile, board)
    emulators.require(chosen.emulator, board)
    data = load_data(chosen.data) if chosen.data else None
    no_labels = "no labels; give --data FILE with x and y"
    check_budgets(chosen.budget, accuracy="" if data is not None and data.evaluation[1] is not None else no_labels)
    path = Path(model) if isinstance(model, str | Path) else None
    if path is not None and not path.exists():
        raise ModelError(f"{path}: no such file or folder")
    target = _target(path, out)
    check_replaceable(target, force=force)

    say("loading the model")
    from edgesparse import keras_model, quantize, sparsify

    loaded = keras_model.load(path, unsafe=unsafe) if path is not None else keras_model.from_object(model)
    if data is not None:
        for x, y in ((data.x, data.y), (data.x_test, data.y_test)):
            if x is not None:
                sparsify.check_data(loaded.model, x, y)
    warnings = _data_warnings(data)
    plan = sparsify.plan(loaded.model, sparsity=chosen.sparsity, pattern=chosen.pattern, channels=chosen.channels)
    shape = keras_model.input_shape(loaded.model)
    samples = data.x if data is not None else quantize.synthetic_inputs(shape, n=_CALIBRATION_SAMPLES, seed=chosen.seed)
    calibration = _pick(samples, _CALIBRATION_SAMPLES, chosen.seed)

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
        ops = quantize.match_kernels(graph, sparsify.iter_kernels(model))
        return sparsify.device_costs(graph, ops, planned, board.core, optimize=chosen.optimize)

    say("quantizing the dense model")
    int8_dense = int8(loaded.model)
    dense = Network.read(int8_dense.data)
    _check_kernels(dense.graph, board, chosen, path)
    say("sparsifying")
    checkpoints = sparsify.Checkpoints(checkpoint_folder(target))
    training = sparsify.Training(
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
        mobile.quantized(_pick(samples, chosen.vectors, chosen.seed)),
        optimize=chosen.mobile_optimize,
        names=[op.name for op in mobile.graph.ops],
    )
    warnings += [*plan.warnings, *pruned.warnings, *phone.warnings, *_sparsity_warnings(sparse.stats, chosen)]
    shrunk = {"channels": pruned.shrunk.as_json()} if pruned.shrunk is not None else {}

    say("comparing with the float model")
    inputs, labels = data.evaluation if data is not None else (samples, None)
    judged = inputs if labels is not None else _pick(inputs, _FIDELITY_SAMPLES, chosen.seed)
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
    accuracy: dict[str, Any] = assemble.unavailable(no_labels)
    if labels is not None:
        accuracy = {
            "metric": "top1" if labels.dtype.kind == "i" else "mse",
            "samples": len(labels),
            "float": score(float_outputs, labels),
            "int8": score(int8_outputs, labels),
            "sparse_int8": score(sparse_outputs, labels),
        }
    vectors = _pick(inputs, chosen.vectors, chosen.seed)
    source = {
        "path": str(path) if path is not None else loaded.name,
        "sha256": _sha256(path) if path is not None else keras_model.fingerprint(loaded.model),
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
        _write(folder, report)
    checkpoints.discard()
    return report


def sparsify(
    model: str | Path,
    *,
    out: str | Path | None = None,
    force: bool = False,
    unsafe: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Write a sparse copy of a Keras model, `./<stem>.sparse.h5` by default; see sparse_keras.sparsify_file.

    The same from Python without a file: edgesparse.sparsify.prune.
    """
    return sparsify_file(
        Path(model),
        out=Path(out) if out is not None else None,
        force=force,
        unsafe=unsafe,
        settings=settings,
        progress=progress or _silent,
    )


def firmware(
    model: str | Path,
    *,
    out: str | Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Make firmware from an int8 .tflite, its weights as they are; returns the object of report.json.

    TensorFlow is not imported.
    """
    say = progress or _silent
    _refuse_for_tflite(settings)
    chosen, board = _settings_for_board(settings)
    no_float = "a .tflite comes without a float model and without data"
    check_budgets(chosen.budget, accuracy=no_float, agreement=no_float)
    tools = find_toolchain(chosen, board)
    emulators.choose_memory_profile(chosen.memory_profile, board)
    emulators.require(chosen.emulator, board)
    path = Path(model)
    network = Network.load(path, slimmed=True, keep_metadata=chosen.keep_metadata)
    _check_kernels(network.graph, board, chosen, path)
    target = _target(path, out)
    check_replaceable(target, force=force)
    vectors = _random_inputs(network.input, chosen.vectors, chosen.seed)
    source = {"path": str(path), "sha256": _sha256(path), "format": "tflite", "keras_version": "none"}
    say("encoding for phones")
    phone = phone_model(
        network.data,
        vectors,
        optimize=chosen.mobile_optimize,
        names=[op.name for op in network.graph.ops],
    )
    warnings = ["the firmware's inputs are random: a .tflite comes without data", *phone.warnings]
    with output_folder(target, force=force) as folder:
        (folder / "model.sparse.tflite").write_bytes(phone.data)
        report = deploy(folder, source, chosen, board, tools, network, network, vectors, None, warnings, say)
        report["mobile"] = phone.report
        _write(folder, report)
    return report


def build(folder: str | Path, *, toolchain: str | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Compile the two projects of an output folder again; returns the updated object of report.json."""
    say = progress or _silent
    folder = Path(folder)
    report = read_report(folder)
    settings = _stored_settings(report, toolchain=toolchain)
    board = load_board(settings.board)
    tools = find_toolchain(settings, board)
    runtime = RUNTIMES[settings.runtime]
    for name, (project, model) in projects(folder).items():
        say(f"building {project.name}")
        elf = runtime.build(project, tools, board)
        _, memory = plan_firmware(
            model.graph,
            board,
            settings,
            dense_only=name == "dense",
            zero_inputs=measured_zero_inputs(report["layers"]),
        )
        sizes = runtime.build_part(elf, memory)
        stale = assemble.unavailable("built again since; run edgesparse emulate")
        report[name] = dict.fromkeys(report[name], stale) | sizes
    report["settings"]["toolchain"] = settings.toolchain
    report["environment"]["toolchain"] = tools.version()
    report["bit_exact"] = report["baseline"] = assemble.unavailable("built again since; run edgesparse emulate")
    report["ratio"] = assemble.ratio_part(report["sparse"], report["dense"])
    report.pop("dataset", None)
    _write(folder, report)
    return report


def emulate(
    folder: str | Path,
    *,
    emulator: str | None = None,
    toolchain: str | None = None,
    memory_profile: str | None = None,
    budget: str | None = None,
    profile: bool = False,
    data: str | None = None,
    samples: int | None = None,
    model: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Build what is not built, run both projects, compare with the reference; returns the updated report.json.

    memory_profile: a part whose memory waits are estimated too. budget: in place of the stored one. profile: say where
    the cycles go. data: as in Settings; its test part, or all of it, runs on the sparse firmware too, the first
    `samples` of it; see edgesparse.evaluate. model: the Keras file that the folder was made from, to compare these
    outputs with.
    """
    say = progress or _silent
    folder = Path(folder)
    report = read_report(folder)
    settings = _stored_settings(
        report, emulator=emulator, toolchain=toolchain, memory_profile=memory_profile, budget=budget
    )
    board = load_board(settings.board)
    tools = find_toolchain(settings, board)
    emulators.require(settings.emulator, board)
    for name in ("profile", "dataset"):
        report.pop(name, None)
    project, network = projects(folder)["sparse"]
    given = _given_samples(data, samples, model, network)
    float_outputs = _float_outputs(model, report["source"], given, say)
    report |= measure(folder, settings, board, tools, report["layers"], say, profile=profile)
    if given is not None:
        names = [layer["name"] for layer in report["layers"]]
        report["dataset"] = evaluate(
            project,
            network,
            settings,
            board,
            tools,
            given,
            float_outputs,
            say,
            layer_names=names,
            instructions=report["sparse"]["instructions"],
        )
    report["settings"] |= {
        "emulator": settings.emulator,
        "toolchain": settings.toolchain,
        "memory_profile": settings.memory_profile,
        "budget": settings.budget,
    }
    _write(folder, report)
    return report


def flash(
    folder: str | Path,
    *,
    probe: str | None = None,
    probe_id: str | None = None,
    gdb_port: str | None = None,
    dense: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], DeviceRun]:
    """Program a real board and measure there; the updated object of report.json, and what was run.

    probe: a name of edgesparse.flash.PROBERS, by default the board's own. dense: the dense twin.
    dry_run: build, and say what would be run; nothing is written.
    """
    say = progress or _silent
    folder = Path(folder)
    report = read_report(folder)
    settings = _stored_settings(report)
    board = load_board(settings.board)
    options = ProbeOptions(probe=probe, probe_id=probe_id, gdb_port=gdb_port)
    tools = find_toolchain(settings, board)
    run = run_on_board(folder, settings, board, tools, options, report, say, dense=dense, dry_run=dry_run)
    if not dry_run:
        device = report.setdefault("device", {})
        missing = assemble.unavailable("edgesparse flash --dense measures it")
        report["device"] = (
            {**device, "dense": run.figures} if dense else {**run.figures, "dense": device.get("dense", missing)}
        )
        _write(folder, report)
    return report, run


def report(folder: str | Path) -> dict[str, Any]:
    """Write report.html of an output folder again, from its report.json; returns the object of that, unchanged."""
    folder = Path(folder)
    stored = read_report(folder)
    write_text(folder / HTML_NAME, render_stored(stored))
    return stored


def compare(
    old: str | Path,
    new: str | Path,
    *,
    tolerance: str = "1%",
    accuracy_tolerance: str = "0.5pt",
    any_board: bool = False,
) -> Comparison:
    """What got worse from one report to the next; output folders or report.json files. See report.compare."""
    share = parse_percent(tolerance, "tolerance")
    points = parse_points(accuracy_tolerance, "accuracy_tolerance")
    reports = [read_report_at(Path(place)) for place in (old, new)]
    try:
        return compare_reports(*reports, tolerance=share, accuracy_tolerance=points, any_board=any_board)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"{old} or {new}: damaged or not complete ({type(error).__name__}: {error}); run edgesparse convert again"
        ) from error


def export(folder: str | Path, *, format: str, out: str | Path | None = None, force: bool = False) -> dict[str, Any]:
    """Write the firmware of an output folder as a library for an ecosystem; returns the object of edgesparse.json.

    format: a name of edgesparse.export.FORMATS. out: `./<library name>.<format>` by default.
    """
    exports.find_format(format)
    source = Path(folder)
    library = exports.read_library(source)
    target = Path(out) if out is not None else Path(f"{library.name}.{format}")
    inside, around = source.resolve(), target.resolve()
    if inside.is_relative_to(around) or around.is_relative_to(inside):
        raise OutputError(f"{target}: holds {source} or lies in it; choose a folder beside it with --out")
    with output_folder(target, force=force) as staging:
        return exports.write_library(library, format, staging)


def bench_mobile(
    folder: str | Path, *, threads: int = 1, rounds: int = 5, runs: int = 50, progress: Progress | None = None
) -> dict[str, Any]:
    """Measure the files for phones of an output folder on the installed runtimes, see edgesparse.mobile.measure."""
    return bench(Path(folder), threads=threads, rounds=rounds, runs=runs, progress=progress or _silent)


def inspect(model: str | Path, *, unsafe: bool = False) -> dict[str, Any]:
    """Layers, shapes, parameters, MACs, zeros, and why each layer can or cannot gain from sparsity.

    A Keras model is quantized with synthetic inputs to see the ops that the firmware would run; its zeros are those
    of the int8 weights. Nothing is written.
    """
    path = Path(model)
    if path.suffix == ".tflite":
        network = Network.load(path)
    else:
        if not path.exists():
            raise ModelError(f"{path}: no such file or folder")
        from edgesparse import keras_model, quantize

        loaded = keras_model.load(path, unsafe=unsafe)
        samples = quantize.synthetic_inputs(keras_model.input_shape(loaded.model), n=8, seed=0)
        network = Network.read(quantize.quantize(loaded.model, samples, dense_per_channel=False))
    layers = [
        {
            "name": layer.name,
            "op": layer.kind,
            "input_shape": list(layer.input_shape),
            "output_shape": list(layer.output_shape),
            "parameters": layer.parameters,
            "macs": layer.macs,
            "weights": layer.weights,
            "sparsity": assemble.sparsity_value(layer),
            "prunable": layer.prunable,
            "note": layer.note,
        }
        for layer in network.stats.layers
    ]
    return {"path": str(path), "model": assemble.model_part(network.stats), "layers": layers}


def _given_samples(data: str | None, samples: int | None, model: str | Path | None, network: Network) -> Samples | None:
    if data is None and (samples is not None or model is not None):
        option = "--samples" if samples is not None else "--model"
        raise SettingsError(f"{option}: is about the samples of --data FILE; give both")
    return read_samples(data, network, limit=samples) if data is not None else None


def _float_outputs(
    model: str | Path | None, source: Mapping[str, Any], samples: Samples | None, say: Progress
) -> FloatArray | str:
    """Of the model that the folder was made from; or why there are none."""
    if samples is None or model is None:
        if source["format"] == "tflite":
            return "a .tflite comes without a float model"
        return f"the folder does not hold the float model; give --model {source['path']}"
    path = Path(model)
    if not path.exists():
        raise ModelError(f"{path}: no such file or folder")
    if _sha256(path) != source["sha256"]:
        raise ModelError(f"--model {path}: is not the file that this folder was made from, {source['path']}")
    say("running the float model")
    from edgesparse import keras_model

    return keras_model.predict(keras_model.load(path).model, samples.x)


def _write(folder: Path, report: dict[str, Any]) -> None:
    """Judge the budgets; write report.json and report.html."""
    report["budgets"] = evaluate_budgets(report["settings"].get("budget"), report)
    write_json(folder / REPORT_NAME, report)
    write_text(folder / HTML_NAME, render_html(report))


def _check_kernels(graph: Graph, board: Board, settings: Settings, path: Path | None) -> None:
    """UnsupportedError, with the model's path, where an op has no kernel."""
    try:
        plan_firmware(graph, board, settings, dense_only=False)
    except UnsupportedError as error:
        where = f"{path}: " if path is not None else ""
        raise UnsupportedError(f"{where}{error}", error.names) from error


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


def _refuse_for_tflite(settings: Mapping[str, Any]) -> None:
    given = [name for name in _SPARSE_SETTINGS if settings.get(name) is not None]
    if settings.get("mobile_dtype", "int8") == "float32":
        given.append("mobile_dtype")
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise SettingsError(f"{options}: needs a Keras model; a .tflite keeps its weights as they are")


def _stored_settings(report: Mapping[str, Any], **changes: str | None) -> Settings:
    try:
        return Settings(**report["settings"]).updated({k: v for k, v in changes.items() if v is not None})
    except (KeyError, TypeError) as error:
        raise InputError(f"{REPORT_NAME}: its settings are damaged ({error}); run edgesparse convert again") from error


def _settings_for_board(given: Mapping[str, Any]) -> tuple[Settings, Board]:
    """All settings with the board's own emulator where none is given, and the board."""
    board = load_board(Settings().updated({"board": given["board"]} if "board" in given else {}).board)
    return Settings().updated({"emulator": emulators.default_emulator(board)} | dict(given)), board


def _target(path: Path | None, out: str | Path | None) -> Path:
    if out is not None:
        return Path(out)
    if path is None:
        raise SettingsError("out: needed for a model object, which has no file name")
    return Path(f"{path.absolute().stem}.edgesparse")


def _pick(samples: npt.NDArray[Any], count: int, seed: int) -> npt.NDArray[Any]:
    """`count` samples in their order, chosen by seed; all where there are fewer."""
    if len(samples) <= count:
        return samples
    chosen = np.random.default_rng(seed).choice(len(samples), size=count, replace=False)
    return samples[np.sort(chosen)]


def _random_inputs(tensor: Tensor, count: int, seed: int) -> npt.NDArray[Any]:
    generator = np.random.default_rng(seed)
    shape = (count, *tensor.shape[1:])
    if tensor.dtype == np.int8:
        return generator.integers(-128, 128, shape, dtype=np.int8)
    return generator.standard_normal(shape).astype(np.float32)


def _sha256(path: Path) -> str:
    """Of a file, or of all files of a folder with their names."""
    digest = hashlib.sha256()
    if path.is_file():
        digest.update(path.read_bytes())
    else:
        for part in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{part.relative_to(path)}\0{part.stat().st_size}\0".encode())
            digest.update(part.read_bytes())
    return digest.hexdigest()


def _silent(_: str) -> None: ...
