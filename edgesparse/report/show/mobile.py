"""The files for phones, and what bench-mobile measured of them, for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from edgesparse.missing import Missing
from edgesparse.result import Mobile, MobileBench, MobileLayer, MobileRun, MobileRuntime

__all__ = ["phone_bench", "phone_file"]

_FIGURES: tuple[tuple[str, Callable[[MobileRun], int | float], str], ...] = (
    ("load", lambda run: run.load_ms, "ms"),
    ("first inference", lambda run: run.first_ms, "ms"),
    ("latency, median", lambda run: run.latency_ms, "ms"),
    ("latency, p90", lambda run: run.latency_p90_ms, "ms"),
    ("memory, peak", lambda run: run.memory_bytes, "B"),
)


def phone_file(mobile: Mobile) -> list[str]:
    """One line on model.sparse.tflite, none where its weights are all dense: the warnings say why."""
    encoded = sum(tensor.storage != "dense" for tensor in mobile.tensors)
    if not encoded:
        return []
    checks = mobile.checks.items()
    equal = [f"{runtime} {check.version}" for runtime, check in checks if not isinstance(check, Missing)]
    missing = [runtime for runtime, check in checks if isinstance(check, Missing)]
    unchecked = f"; not checked on {', '.join(missing)}" if missing else ""
    return [
        f"model.sparse.tflite: {encoded} of {len(mobile.tensors)} weight tensors encoded, outputs equal on "
        f"{', '.join(equal)}{unchecked}"
    ]


def phone_bench(result: MobileBench) -> list[RenderableType]:
    """The files, a table of figures per runtime, and the layers."""
    parts: list[RenderableType] = [
        Text(
            f"{result.folder} ({result.dtype}) on {result.machine}, {result.threads} thread(s), "
            f"{result.rounds} processes of {result.runs} inferences each"
        ),
        Text("  ".join(f"{role}: {file.name}, {file.bytes:,} bytes" for role, file in result.files.items())),
        _figures(result.runtimes),
        _layers(result.layers),
    ]
    if isinstance(result.sparse_kernels, Missing):
        parts.append(Text(f"sparse kernels: none: {result.sparse_kernels.reason}", style="yellow"))
    return parts


def _figures(runtimes: Mapping[str, MobileRuntime | Missing]) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("runtime")
    table.add_column("")
    for column in ("dense", "sparse", "dense / sparse"):
        table.add_column(column, justify="right", overflow="fold")
    for runtime, figures in runtimes.items():
        if isinstance(figures, Missing):
            table.add_row(runtime, "unavailable", figures.reason)
            continue
        name = f"{runtime} {figures.version}"
        for role, run in (("dense", figures.dense), ("sparse", figures.sparse)):
            if isinstance(run, Missing):
                table.add_row(name, f"{role} file", run.reason)
        for label, figure, unit in _FIGURES:
            a, b = (None if isinstance(run, Missing) else figure(run) for run in (figures.dense, figures.sparse))
            ratio = f"{a / b:.2f}" if a and b else "-"
            table.add_row(name, label, _number(a, unit), _number(b, unit), ratio)
            name = ""
        if not isinstance(figures.max_difference, Missing):
            table.add_row("", "largest difference of outputs", "", f"{figures.max_difference:g}")
    return table


def _layers(layers: Sequence[MobileLayer]) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False, title="layers", title_justify="left")
    table.add_column("name", overflow="fold")
    table.add_column("op", overflow="fold")
    table.add_column("zeros", justify="right")
    table.add_column("storage")
    table.add_column("sparse path")
    table.add_column("why not", overflow="fold")
    for row in layers:
        path, reason = "no", row.reason
        if row.sparse_path:
            path = f"yes, {row.block} channel(s) at a time"
        elif row.meets_conditions:
            path, reason = "not here", "meets the conditions; see below"
        table.add_row(row.name, row.op, f"{row.sparsity:.1%}", row.storage, path, reason)
    return table


def _number(value: float | int | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:,.4g} {unit}" if isinstance(value, float) else f"{value:,} {unit}"
