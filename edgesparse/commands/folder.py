"""The output folder that convert and firmware write: projects, model files, report."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import edgesparse
from edgesparse.boards import CORES
from edgesparse.errors import SettingsError, ToolMissingError, UnsupportedError
from edgesparse.firmware import model_name
from edgesparse.firmware.build import Twins
from edgesparse.firmware.plan import Plan, plan_network
from edgesparse.firmware.room import no_room
from edgesparse.graph import FloatArray, Graph
from edgesparse.lowering import lower
from edgesparse.lowering.model import PackedModel
from edgesparse.measure.projects import compiling, make_build, write_project
from edgesparse.measure.run import Measured, measure
from edgesparse.measure.setup import Setup
from edgesparse.missing import Missing
from edgesparse.mobile import PhoneModel, phone_model
from edgesparse.network import Network
from edgesparse.oracle import zero_shares
from edgesparse.output import HTML_NAME, REPORT_NAME, Claim, output_folder, write_json, write_text
from edgesparse.record import AnyArray
from edgesparse.report import assemble
from edgesparse.report.arena import arena_buffers
from edgesparse.report.board import board_warnings
from edgesparse.report.budgets import judge_budgets
from edgesparse.report.report import SCHEMA, Report
from edgesparse.report.sbom import SBOM_NAME, firmware_sbom
from edgesparse.report.show.html import render_html
from edgesparse.result import Accuracy, Channels, Fidelity, LayerFigures, Quantization, Source
from edgesparse.tflm import TflmModel, find_library
from edgesparse.tflm.stock import StockModel, stock_model

__all__ = ["Converted", "output_target", "plan_twin", "sha256_of", "write_folder", "write_report"]


@dataclass(frozen=True, eq=False)
class Converted:
    """What goes into an output folder.

    dense_plan: of the dense network, all its weights dense. vectors: float inputs [n, ...], or inputs in the model's
    dtype, that the firmware runs. phone: the network of model.sparse.tflite, with inputs to check it with. samples:
    float inputs like those in use, on which activation sparsity is measured.
    """

    source: Source
    sparse: Network
    dense: Network
    dense_plan: Plan
    vectors: AnyArray
    phone: Network
    phone_vectors: AnyArray
    samples: FloatArray | Missing
    accuracy: Accuracy | Missing
    fidelity: Fidelity | Missing
    quantization: Quantization | Missing
    warnings: tuple[str, ...]
    channels: Channels | None = None


@dataclass(frozen=True, eq=False)
class _Files:
    """Files for other runtimes. `sizes`: bytes of all .tflite files, by name."""

    stock: StockModel
    phone: PhoneModel
    sizes: dict[str, int]


def output_target(path: Path | None, out: str | Path | None) -> Path:
    """The output folder: `out`, or `./<stem>.edgesparse`."""
    if out is not None:
        return Path(out)
    if path is None:
        raise SettingsError("out: needed for a model object, which has no file name")
    return Path(f"{path.absolute().stem}.edgesparse")


def plan_twin(network: Network, path: Path | None, setup: Setup) -> Plan:
    """The plan of the dense twin. UnsupportedError, with the model's path, where an op has no kernel."""
    try:
        return plan_network(network.graph, setup.board.core, optimize=setup.settings.optimize, dense_only=True)
    except UnsupportedError as error:
        where = f"{path}: " if path is not None else ""
        raise UnsupportedError(f"{where}{error}", error.names) from error


def write_folder(place: Claim, converted: Converted, setup: Setup) -> Report:
    """Write the claimed output folder whole, or not at all: projects, built and run, model files, report."""
    zero_inputs = _zero_inputs(converted.sparse, converted.samples)
    sparse_plan = plan_network(
        converted.sparse.graph,
        setup.board.core,
        optimize=setup.settings.optimize,
        zero_inputs=None if isinstance(zero_inputs, Missing) else zero_inputs,
    )
    sparse, dense, name = converted.sparse, converted.dense, model_name(converted.source.path)
    twins = Twins(
        sparse=make_build("firmware", sparse, sparse_plan, converted.vectors, setup, model_name=name),
        dense=make_build("dense", dense, converted.dense_plan, converted.vectors, setup, model_name=name),
    )
    with output_folder(place) as folder:
        micro, _ = (write_project(build, folder) for build in twins)
        with compiling(folder, twins, setup):
            files = _write_files(folder, converted, twins, setup)
        measured = measure(folder, twins, setup)
        report = _report(converted, setup, twins, measured, files, micro, zero_inputs)
        write_report(folder, report)
    return report


def _write_files(folder: Path, converted: Converted, twins: Twins, setup: Setup) -> _Files:
    """The .tflite files for other runtimes."""
    setup.say("encoding for TFLite Micro")
    stock = stock_model(converted.sparse, twins.sparse.inputs, max_arena=setup.settings.tflm_max_arena)
    (folder / "model.tflm.tflite").write_bytes(stock.data)
    setup.say("encoding for phones")
    phone = phone_model(
        converted.phone.data,
        converted.phone.quantized(converted.phone_vectors),
        optimize=setup.settings.mobile_optimize,
        names=[op.name for op in converted.phone.graph.ops],
    )
    (folder / "model.sparse.tflite").write_bytes(phone.data)
    if converted.phone is not converted.sparse:
        (folder / "model.float32.tflite").write_bytes(converted.phone.data)
    sizes = {path.name: path.stat().st_size for path in sorted(folder.glob("*.tflite"))}
    return _Files(stock, phone, sizes)


def write_report(folder: Path, report: Report) -> None:
    """Write report.json, report.html and the bill of materials, each whole or not at all."""
    write_json(folder / SBOM_NAME, firmware_sbom(folder, report, tflm_sha256=_tflm_sha256(report)))
    write_json(folder / REPORT_NAME, report.to_json())
    write_text(folder / HTML_NAME, render_html(report))


def _tflm_sha256(report: Report) -> str | None:
    """Of the TFLite Micro that a firmware is linked with; None without, or where it is gone."""
    if report.settings.runtime != "tflm" or report.board.core not in CORES:
        return None
    try:
        return find_library(CORES[report.board.core]).sha256
    except ToolMissingError:
        return None


def sha256_of(path: Path) -> str:
    """Of a file, or of all files of a folder with their names."""
    digest = hashlib.sha256()
    if path.is_file():
        digest.update(path.read_bytes())
    else:
        for part in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{part.relative_to(path)}\0{part.stat().st_size}\0".encode())
            digest.update(part.read_bytes())
    return digest.hexdigest()


def _report(
    converted: Converted,
    setup: Setup,
    twins: Twins,
    measured: Measured,
    files: _Files,
    micro: TflmModel,
    zero_inputs: dict[int, float] | Missing,
) -> Report:
    sparse, dense = measured.sparse.figures, measured.dense.figures
    network, plan = converted.sparse, twins.sparse.plan
    on_tflm = setup.settings.runtime == "tflm"
    warnings = [*board_warnings(setup.board), *converted.warnings, *files.phone.warnings, *files.stock.warnings]
    if twins.dense.board != setup.board:
        warnings.append(no_room(setup.board))
    return Report(
        schema=SCHEMA,
        edgesparse=edgesparse.__version__,
        source=converted.source,
        settings=setup.settings,
        environment=assemble.environment_of(setup.tools.version(), measured.sparse.trace.emulator),
        accuracy=converted.accuracy,
        fidelity=converted.fidelity,
        model=assemble.model_facts(
            network.stats, assemble.activation_sparsity(network.graph, zero_inputs), converted.channels
        ),
        files=files.sizes,
        board=assemble.board_facts(setup.board),
        sparse=sparse,
        dense=dense,
        baseline=measured.baseline,
        ratio=assemble.ratio_of(sparse, dense),
        bit_exact=measured.bit_exact,
        layers=_layers(twins, measured, files.stock, micro if on_tflm else None, zero_inputs),
        arena_plan=Missing("TFLite Micro plans its arena")
        if on_tflm
        else arena_buffers(network.graph, plan.packed, plan.memory),
        tflm_decode=files.stock.figures,
        mobile=files.phone.figures,
        quantization=converted.quantization,
        budgets=judge_budgets(setup.settings.budget, sparse, converted.accuracy, converted.fidelity),
        warnings=tuple(warnings),
    )


def _layers(
    twins: Twins,
    measured: Measured,
    stock: StockModel,
    micro: TflmModel | None,
    zero_inputs: dict[int, float] | Missing,
) -> tuple[LayerFigures, ...]:
    network, plan = twins.sparse.network, twins.sparse.plan
    return assemble.layer_figures(
        network.graph,
        network.stats,
        plan.packed,
        _twin_of(network.graph, twins),
        plan.memory,
        zero_inputs,
        stock.layers,
        measured.sparse.trace,
        measured.dense.trace,
        custom=None if micro is None else micro.custom,
    )


def _twin_of(graph: Graph, twins: Twins) -> PackedModel:
    """The dense build where it is the sparse one op for op; else the sparse network, its weights dense."""
    dense = twins.dense
    if [op.kind for op in graph.ops] == [op.kind for op in dense.network.graph.ops]:
        return dense.packed
    return lower(graph, dense.board.core, dense_only=True)


def _zero_inputs(network: Network, samples: FloatArray | Missing) -> dict[int, float] | Missing:
    """By op index, the share of input values at the zero point."""
    if isinstance(samples, Missing):
        return samples
    shares = zero_shares(network.data, network.quantized(samples))
    if isinstance(shares, str):
        return Missing(f"tflite-runtime: {shares}")
    found = {index: float(shares[network.graph.first_activation(op)]) for index, op in enumerate(network.graph.ops)}
    return {index: round(share, 4) for index, share in found.items() if not np.isnan(share)}
