"""The report as text for a terminal: a verdict, the dense/sparse table, the layers, the warnings."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from edgesparse.boards import Board
from edgesparse.doctor import Diagnosis
from edgesparse.missing import Missing
from edgesparse.report.budgets import describe_budget
from edgesparse.report.compare import Comparison
from edgesparse.report.inspection import Inspection
from edgesparse.report.report import Report
from edgesparse.report.show.dataset import dataset_facts
from edgesparse.report.show.device import device_parts
from edgesparse.report.show.figures import exact, is_missing, parts
from edgesparse.report.show.mobile import phone_file
from edgesparse.report.show.timing import memory_fact, profile_tables
from edgesparse.report.show.totals import number, totals
from edgesparse.report.verdict import verdict
from edgesparse.result import Baseline, BuildFigures, Channels, Correction, OutputDistance, Quantization

__all__ = ["board_table", "comparison_parts", "doctor_table", "inspection", "summary"]


def summary(report: Report) -> list[RenderableType]:
    """All parts of the report that are there, to be printed one below the other; the verdict comes first."""
    judged = verdict(report)
    shown: list[RenderableType] = [Text(str(judged), style="bold green" if judged.ok else "bold red")]
    shown += [_heading(report), _totals(report), _layers(report)]
    if report.model.channels is not None:
        shown.append(Text(_channels(report.model.channels)))
    shown.extend(Text(line) for line in _facts(report))
    shown.extend(device_parts(report))
    shown.extend(profile_tables(report.profile or {}))
    shown.extend(Text(f"warning: {warning}", style="yellow") for warning in report.warnings)
    return shown


def _heading(report: Report) -> Text:
    model, board = report.model, report.board
    return Text(
        f"{report.source.path} on {board.name} ({board.core}, {board.clock_hz / 1e6:g} MHz): "
        f"{model.macs:,} MACs, {model.parameters:,} parameters, {model.sparsity:.1%} of "
        f"{model.prunable:,} prunable weights are zero"
    )


def _totals(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("")
    for column in ("dense", "sparse", "dense / sparse"):
        table.add_column(column, justify="right")
    for row in totals(report):
        table.add_row(row.label, row.dense, row.sparse, row.ratio)
    return table


def _layers(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False, title="layers", title_justify="left")
    table.add_column("name", overflow="fold")
    table.add_column("op", overflow="fold")
    for column in ("zeros", "weights B", "dense B", "instructions", "dense"):
        table.add_column(column, justify="right")
    table.add_column("format")
    for row in report.layers:
        table.add_row(
            row.name,
            row.op,
            _share(row.sparsity),
            f"{row.weight_bytes:,}",
            f"{row.dense_weight_bytes:,}",
            number(row.instructions, ""),
            number(row.dense_instructions, ""),
            row.format,
        )
    return table


def _channels(channels: Channels) -> str:
    layers = ", ".join(f"{layer.name} {layer.before} to {layer.after}" for layer in channels.layers)
    return (
        f"channels removed: {channels.removed_macs:.1%} of {channels.macs_before:,} MACs, "
        f"{channels.removed_prunable:.1%} of {channels.prunable_before:,} prunable weights: {layers}"
    )


def _facts(report: Report) -> list[str]:
    lines = [memory_fact(report)]
    if report.source.unsafe:
        lines.append("loaded with --unsafe: the model's layers executed code from its file")
    if report.sparse.ram_weight_bytes:
        lines.append(_ram_weights(report.sparse, report.dense))
    lines.append(_arena(report.sparse))
    if not isinstance(report.baseline, Missing):
        lines.append(_baseline(report.baseline))
    lines += [*_accuracy(report), *_corrections(report.quantization), *dataset_facts(report.dataset)]
    lines += [f"{name}: {size:,} bytes" for name, size in report.files.items()]
    lines += phone_file(report.mobile)
    decode = report.tflm_decode
    if decode.layers:
        lines.append(
            f"model.tflm.tflite: {decode.layers} of {len(report.layers)} layers behind TFLM_DECODE, in an arena "
            f"of {decode.arena_bytes:,} B (dense {decode.dense_arena_bytes:,} B), for about "
            f"{decode.instructions:,} instructions more"
        )
    lines += [describe_budget(row) for row in report.budgets]
    return lines


def _accuracy(report: Report) -> list[str]:
    accuracy, fidelity = report.accuracy, report.fidelity
    if isinstance(accuracy, Missing):
        lines = [f"accuracy: not measured: {accuracy.reason}"]
    else:
        lines = [
            f"accuracy ({accuracy.metric}, {accuracy.samples} samples): float {accuracy.float:.4g}, "
            f"int8 {accuracy.int8:.4g}, sparse int8 {accuracy.sparse_int8:.4g}"
        ]
    if report.settings.cluster:
        lines.append(_clusters(report))
    if not isinstance(fidelity, Missing):
        lines.append(_distance("int8 vs float", fidelity.samples, fidelity.int8_vs_float))
        lines.append(_distance("sparse vs float", fidelity.samples, fidelity.sparse_vs_float))
    return lines


def _distance(name: str, samples: int, distance: OutputDistance) -> str:
    figures = ", ".join(f"{key.replace('_', ' ')} {value:.4g}" for key, value in parts(distance).items())
    return f"{name} ({samples} inputs): {figures}"


def _clusters(report: Report) -> str:
    values = ", ".join(f"{row.name} {exact(row.weight_values)}" for row in report.layers if row.prunable)
    return f"distinct weights (--cluster {report.settings.cluster}): {values}"


def _ram_weights(sparse: BuildFigures, dense: BuildFigures) -> str:
    return (
        f"weights run from SRAM: start-up copies {sparse.ram_weight_bytes:,} B there from flash "
        f"(dense {dense.ram_weight_bytes:,} B)"
    )


def _arena(sparse: BuildFigures) -> str:
    size = f"arena (sparse): {sparse.arena_bytes:,} B"
    if isinstance(sparse.arena_bound_bytes, Missing):
        return size
    return (
        f"{size}; no plan is under {sparse.arena_bound_bytes:,} B "
        f"(live activations {number(sparse.arena_live_bytes, 'B')}, "
        f"largest scratch {number(sparse.arena_scratch_bytes, 'B')})"
    )


def _baseline(figures: Baseline) -> str:
    return (
        f"baseline, dense on {figures.runtime}: {figures.instructions:,} instructions, "
        f"{figures.flash_bytes:,} B of flash, {figures.ram_bytes:,} B of RAM"
    )


def _corrections(quantization: Quantization | Missing) -> list[str]:
    """What was done to an int8 model beyond plain quantization, one line each."""
    if isinstance(quantization, Missing):
        return []
    lines = []
    models: tuple[tuple[str, Correction | Quantization], ...] = (
        ("int8", quantization.dense),
        ("sparse int8", quantization),
    )
    for name, figures in models:
        words = {"channels equalized": figures.equalized, "biases corrected": figures.bias_corrected}
        done = ", ".join(text for text, is_done in words.items() if is_done)
        if done:
            lines.append(
                f"{name}: {done}: output error {_error(figures.output_error_plain)} -> {_error(figures.output_error)} "
                f"({figures.samples} calibration samples)"
            )
    return lines


def _error(error: float | Missing) -> str:
    return "unavailable" if isinstance(error, Missing) else f"{error:.4g}"


def _share(value: float | Missing) -> str:
    return "" if isinstance(value, Missing) else f"{value:.1%}"


def inspection(result: Inspection) -> list[RenderableType]:
    """The result of `inspect` as a table."""
    model = result.model
    table = Table(box=None, pad_edge=False, show_edge=False)
    for column in ("name", "op", "input", "output"):
        table.add_column(column, overflow="fold")
    for column in ("parameters", "MACs", "zeros"):
        table.add_column(column, justify="right")
    table.add_column("can it gain from zeros?", overflow="fold")
    for row in result.layers:
        table.add_row(
            row.name,
            row.op,
            "x".join(map(str, row.input_shape[1:])),
            "x".join(map(str, row.output_shape[1:])),
            f"{row.parameters:,}",
            f"{row.macs:,}",
            _share(row.sparsity),
            row.note,
        )
    heading = Text(
        f"{result.path}: {model.macs:,} MACs, {model.parameters:,} parameters, "
        f"{model.prunable:,} prunable weights, {model.sparsity:.1%} of them zero"
    )
    return [heading, table]


def comparison_parts(comparison: Comparison) -> list[RenderableType]:
    """The result of `compare`: a table, and what else differs."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("")
    for column in ("old", "new", "change", "tolerated"):
        table.add_column(column, justify="right", overflow="fold")
    table.add_column("")
    for figure in comparison.figures:
        answer = ("ok" if figure.ok else "REGRESSION") if figure.checked else "not judged"
        if is_missing(figure.old) and is_missing(figure.new):
            answer = "not measured"
        values = ("-" if is_missing(value) else _exact(value, figure.unit) for value in (figure.old, figure.new))
        table.add_row(figure.name, *values, figure.change or "-", figure.tolerance or "-", answer)
    return [table, *(Text(f"note: {note}", style="yellow") for note in comparison.notes)]


def _exact(value: int | float | Missing, unit: str) -> str:
    return f"{exact(value)} {'B' if unit == 'bytes' else unit}".rstrip()


def board_table(boards: Sequence[Board]) -> RenderableType:
    """The boards as a table."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    for column in ("name", "core", "clock", "at most", "flash", "RAM", "runs", "probes", "description"):
        table.add_column(column, justify="right" if column in ("clock", "at most", "flash", "RAM") else "left")
    for board in boards:
        table.add_row(
            board.name,
            board.core.name,
            f"{board.clock_hz / 1e6:g} MHz",
            f"{board.max_clock_hz / 1e6:g} MHz",
            f"{board.flash.length // 1024:,} KiB",
            f"{board.ram.length // 1024:,} KiB",
            "emulated" if board.emulated else "verified" if board.verified else "unverified",
            ", ".join((*board.probes, "gdb")) if not board.emulated else "gdb",
            board.description,
        )
    return table


def doctor_table(rows: Sequence[Diagnosis]) -> RenderableType:
    """The tools as a table."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    for column in ("tool", "found", "needed for", "how to get it"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(row.tool, row.version or "missing", row.purpose, "" if row.version else row.remedy)
    return table
