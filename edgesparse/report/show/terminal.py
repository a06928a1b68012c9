"""The report as text for a terminal: a verdict, the dense/sparse table, the layers, the warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from edgesparse.boards import Board
from edgesparse.budgets import describe_budget
from edgesparse.doctor import Diagnosis
from edgesparse.report.board import device_parts
from edgesparse.report.compare import Comparison
from edgesparse.report.show.dataset import dataset_facts
from edgesparse.report.show.figures import exact, is_missing
from edgesparse.report.show.mobile import phone_file
from edgesparse.report.timing import memory_fact, profile_tables
from edgesparse.report.verdict import verdict

__all__ = ["board_table", "comparison_parts", "doctor_table", "inspection", "summary"]

_ROWS = (
    ("flash", "flash_bytes", "B"),
    ("  code", "code_bytes", "B"),
    ("  weights", "weight_bytes", "B"),
    ("  tables", "table_bytes", "B"),
    ("RAM", "ram_bytes", "B"),
    ("  arena", "arena_bytes", "B"),
    ("  stack", "stack_bytes", "B"),
    ("instructions", "instructions", ""),
    ("cycles (estimate)", "cycles", ""),
)


def summary(report: Mapping[str, Any]) -> list[RenderableType]:
    """All parts of the report that are there, to be printed one below the other; the verdict comes first."""
    judged = verdict(report)
    parts: list[RenderableType] = [Text(str(judged), style="bold green" if judged.ok else "bold red")]
    parts.append(_heading(report))
    if "sparse" in report:
        parts.append(_totals(report))
        parts.append(_layers(report))
    channels = report["model"].get("channels")
    if channels:
        parts.append(Text(_channels(channels)))
    parts.extend(Text(line) for line in _facts(report))
    parts.extend(device_parts(report))
    parts.extend(profile_tables(report.get("profile", {})))
    parts.extend(Text(f"warning: {warning}", style="yellow") for warning in report.get("warnings", ()))
    return parts


def _heading(report: Mapping[str, Any]) -> Text:
    model, board = report["model"], report["board"]
    return Text(
        f"{report['source']['path']} on {board['name']} ({board['core']}, {board['clock_hz'] / 1e6:g} MHz): "
        f"{model['macs']:,} MACs, {model['parameters']:,} parameters, {model['sparsity']:.1%} of "
        f"{model['prunable']:,} prunable weights are zero"
    )


def _totals(report: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("")
    for column in ("dense", "sparse", "dense / sparse"):
        table.add_column(column, justify="right")
    sparse, dense = report["sparse"], report["dense"]
    for label, field, unit in (*_ROWS, *latency_rows(report["board"])):
        if field not in sparse:
            continue
        a, b = dense[field], sparse[field]
        ratio = f"{a / b:.2f}" if not isinstance(a, dict) and not isinstance(b, dict) and b else "-"
        table.add_row(label, _number(a, unit), _number(b, unit), ratio)
    return table


def latency_rows(board: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(label, field, unit) of the latency at the board's clock, and at the highest where that is another."""
    clocks = {"latency_ms": board["clock_hz"]}
    if board.get("max_clock_hz", board["clock_hz"]) != board["clock_hz"]:
        clocks["latency_max_clock_ms"] = board["max_clock_hz"]
    return [(f"latency at {clock / 1e6:g} MHz (estimate)", field, "ms") for field, clock in clocks.items()]


def _layers(report: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False, title="layers", title_justify="left")
    table.add_column("name", overflow="fold")
    table.add_column("op", overflow="fold")
    for column in ("zeros", "weights B", "dense B", "instructions", "dense"):
        table.add_column(column, justify="right")
    table.add_column("format")
    for row in report["layers"]:
        table.add_row(
            row["name"],
            row["op"],
            _share(row["sparsity"]),
            f"{row['weight_bytes']:,}",
            f"{row['dense_weight_bytes']:,}",
            _number(row.get("instructions", ""), ""),
            _number(row.get("dense_instructions", ""), ""),
            row["format"],
        )
    return table


def _channels(channels: Mapping[str, Any]) -> str:
    layers = ", ".join(f"{layer['name']} {layer['before']} to {layer['after']}" for layer in channels["layers"])
    return (
        f"channels removed: {channels['removed_macs']:.1%} of {channels['macs_before']:,} MACs, "
        f"{channels['removed_prunable']:.1%} of {channels['prunable_before']:,} prunable weights: {layers}"
    )


def _facts(report: Mapping[str, Any]) -> list[str]:
    lines = []
    fact = memory_fact(report)
    if fact:
        lines.append(fact)
    if "sparse" in report and report["sparse"].get("ram_weight_bytes"):
        lines.append(_ram_weights(report["sparse"], report["dense"]))
    if "sparse" in report:
        lines.append(_arena(report["sparse"]))
    if "instructions" in report.get("baseline", {}):
        lines.append(_baseline(report["baseline"]))
    accuracy = report["accuracy"]
    if "unavailable" in accuracy:
        lines.append(f"accuracy: not measured: {accuracy['unavailable']}")
    else:
        lines.append(
            f"accuracy ({accuracy['metric']}, {accuracy['samples']} samples): float {accuracy['float']:.4g}, "
            f"int8 {accuracy['int8']:.4g}, sparse int8 {accuracy['sparse_int8']:.4g}"
        )
    if report["settings"].get("cluster"):
        lines.append(_clusters(report))
    fidelity = report["fidelity"]
    if "unavailable" not in fidelity:
        for name in ("int8_vs_float", "sparse_vs_float"):
            figures = ", ".join(f"{key.replace('_', ' ')} {value:.4g}" for key, value in fidelity[name].items())
            lines.append(f"{name.replace('_', ' ')} ({fidelity['samples']} inputs): {figures}")
    lines += _corrections(report)
    lines += dataset_facts(report)
    for name, size in report["files"].items():
        lines.append(f"{name}: {size:,} bytes")
    lines += phone_file(report)
    decode = report.get("tflm_decode")
    if decode and decode["layers"]:
        lines.append(
            f"model.tflm.tflite: {decode['layers']} of {len(report['layers'])} layers behind TFLM_DECODE, in an arena "
            f"of {decode['arena_bytes']:,} B (dense {decode['dense_arena_bytes']:,} B), for about "
            f"{decode['instructions']:,} instructions more"
        )
    lines += [describe_budget(row) for row in report.get("budgets", ())]
    return lines


def _clusters(report: Mapping[str, Any]) -> str:
    values = ", ".join(f"{row['name']} {row['weight_values']}" for row in report["layers"] if row["prunable"])
    return f"distinct weights (--cluster {report['settings']['cluster']}): {values}"


def _ram_weights(sparse: Mapping[str, Any], dense: Mapping[str, Any]) -> str:
    return (
        f"weights run from SRAM: start-up copies {sparse['ram_weight_bytes']:,} B there from flash "
        f"(dense {dense['ram_weight_bytes']:,} B)"
    )


def _arena(sparse: Mapping[str, Any]) -> str:
    size = f"arena (sparse): {sparse['arena_bytes']:,} B"
    if isinstance(sparse["arena_bound_bytes"], dict):
        return size
    return (
        f"{size}; no plan is under {sparse['arena_bound_bytes']:,} B "
        f"(live activations {sparse['arena_live_bytes']:,} B, largest scratch {sparse['arena_scratch_bytes']:,} B)"
    )


def _baseline(figures: Mapping[str, Any]) -> str:
    return (
        f"baseline, dense on {figures['runtime']}: {figures['instructions']:,} instructions, "
        f"{figures['flash_bytes']:,} B of flash, {figures['ram_bytes']:,} B of RAM"
    )


def _share(value: Any) -> str:
    return "" if isinstance(value, dict) else f"{value:.1%}"


def _number(value: Any, unit: str) -> str:
    if isinstance(value, dict):
        return "unavailable"
    if isinstance(value, float):
        return f"{value:,.2f} {unit}".rstrip()
    return f"{value:,} {unit}".rstrip() if isinstance(value, int) else str(value)


def inspection(result: Mapping[str, Any]) -> list[RenderableType]:
    """The result of `inspect` as a table."""
    model = result["model"]
    table = Table(box=None, pad_edge=False, show_edge=False)
    for column in ("name", "op", "input", "output"):
        table.add_column(column, overflow="fold")
    for column in ("parameters", "MACs", "zeros"):
        table.add_column(column, justify="right")
    table.add_column("can it gain from zeros?", overflow="fold")
    for row in result["layers"]:
        table.add_row(
            row["name"],
            row["op"],
            "x".join(map(str, row["input_shape"][1:])),
            "x".join(map(str, row["output_shape"][1:])),
            f"{row['parameters']:,}",
            f"{row['macs']:,}",
            _share(row["sparsity"]),
            row["note"],
        )
    heading = Text(
        f"{result['path']}: {model['macs']:,} MACs, {model['parameters']:,} parameters, "
        f"{model['prunable']:,} prunable weights, {model['sparsity']:.1%} of them zero"
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


def _exact(value: Any, unit: str) -> str:
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


def _corrections(report: Mapping[str, Any]) -> list[str]:
    """What was done to an int8 model beyond plain quantization, one line each."""
    lines = []
    quantization = report.get("quantization", {})
    for name, figures in (("int8", quantization.get("dense", {})), ("sparse int8", quantization)):
        words = {"equalized": "channels equalized", "bias_corrected": "biases corrected"}
        done = ", ".join(text for key, text in words.items() if figures.get(key))
        if done:
            lines.append(
                f"{name}: {done}: output error {figures['output_error_plain']:.4g} -> {figures['output_error']:.4g} "
                f"({figures['samples']} calibration samples)"
            )
    return lines
