"""The result of bench-mobile as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

__all__ = ["phone_bench", "phone_file"]

_FIGURES = (
    ("load", "load_ms", "ms"),
    ("first inference", "first_ms", "ms"),
    ("latency, median", "latency_ms", "ms"),
    ("latency, p90", "latency_p90_ms", "ms"),
    ("memory, peak", "memory_bytes", "B"),
)


def phone_file(report: Mapping[str, Any]) -> list[str]:
    """One line on model.sparse.tflite, none where its weights are all dense: the warnings say why."""
    tensors = report.get("mobile", {}).get("tensors", ())
    encoded = sum(tensor["storage"] != "dense" for tensor in tensors)
    if not encoded:
        return []
    checks = report["mobile"]["checks"]
    equal = [f"{runtime} {check['version']}" for runtime, check in checks.items() if "version" in check]
    missing = [runtime for runtime, check in checks.items() if "version" not in check]
    unchecked = f"; not checked on {', '.join(missing)}" if missing else ""
    return [
        f"model.sparse.tflite: {encoded} of {len(tensors)} weight tensors encoded, outputs equal on "
        f"{', '.join(equal)}{unchecked}"
    ]


def phone_bench(result: Mapping[str, Any]) -> list[RenderableType]:
    """The files, a table of figures per runtime, and the layers."""
    files = result["files"]
    parts: list[RenderableType] = [
        Text(
            f"{result['folder']} ({result['dtype']}) on {result['machine']}, {result['threads']} thread(s), "
            f"{result['rounds']} processes of {result['runs']} inferences each"
        ),
        Text("  ".join(f"{role}: {file['name']}, {file['bytes']:,} bytes" for role, file in files.items())),
        _figures(result["runtimes"]),
        _layers(result["layers"]),
    ]
    kernels = result["sparse_kernels"]
    if isinstance(kernels, Mapping):
        parts.append(Text(f"sparse kernels: none: {kernels['unavailable']}", style="yellow"))
    return parts


def _figures(runtimes: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("runtime")
    table.add_column("")
    for column in ("dense", "sparse", "dense / sparse"):
        table.add_column(column, justify="right", overflow="fold")
    for runtime, figures in runtimes.items():
        if "unavailable" in figures:
            table.add_row(runtime, "unavailable", figures["unavailable"])
            continue
        dense, sparse = figures["dense"], figures["sparse"]
        name = f"{runtime} {figures['version']}"
        for role in ("dense", "sparse"):
            if "unavailable" in figures[role]:
                table.add_row(name, f"{role} file", figures[role]["unavailable"])
        for label, field, unit in _FIGURES:
            a, b = dense.get(field), sparse.get(field)
            ratio = f"{a / b:.2f}" if a and b else "-"
            table.add_row(name, label, _number(a, unit), _number(b, unit), ratio)
            name = ""
        difference = figures["max_difference"]
        if not isinstance(difference, Mapping):
            table.add_row("", "largest difference of outputs", "", f"{difference:g}")
    return table


def _layers(layers: list[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False, title="layers", title_justify="left")
    table.add_column("name", overflow="fold")
    table.add_column("op", overflow="fold")
    table.add_column("zeros", justify="right")
    table.add_column("storage")
    table.add_column("sparse path")
    table.add_column("why not", overflow="fold")
    for row in layers:
        path, reason = "no", row["reason"]
        if row["sparse_path"]:
            path = f"yes, {row['block']} channel(s) at a time"
        elif row["meets_conditions"]:
            path, reason = "not here", "meets the conditions; see below"
        table.add_row(row["name"], row["op"], f"{row['sparsity']:.1%}", row["storage"], path, reason)
    return table


def _number(value: float | int | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:,.4g} {unit}" if isinstance(value, float) else f"{value:,} {unit}"
