"""The result of `sparsify`, for the terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from edgesparse.missing import Missing
from edgesparse.report.inspection import FloatAccuracy, FloatFidelity, Sparsification
from edgesparse.report.show.figures import parts

__all__ = ["sparsification"]


def sparsification(result: Sparsification) -> list[RenderableType]:
    """What was written, what each layer lost, and how good the sparse model is."""
    model, settings = result.model, result.settings
    table = Table(box=None, pad_edge=False, show_edge=False)
    for column, right in (("layer", False), ("kernel", False), ("weights", True), ("zeros", True), ("pattern", False)):
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for layer in result.layers:
        table.add_row(
            Text(layer.name),
            "x".join(map(str, layer.shape)),
            f"{layer.weights:,}",
            f"{layer.sparsity:.1%}",
            layer.pattern or f"stays dense: {layer.reason}",
        )
    shown: list[RenderableType] = [
        Text(
            f"{result.path}: {model.sparsity:.1%} of {model.prunable:,} prunable weights are zero "
            f"({settings['method']}, {settings['pattern']}); {model.parameters:,} parameters"
        ),
        table,
    ]
    shown += [Text(line) for line in (_accuracy(result.accuracy), _fidelity(result.fidelity)) if line]
    return shown + [Text(f"warning: {warning}", style="yellow") for warning in result.warnings]


def _accuracy(accuracy: FloatAccuracy | Missing) -> str:
    if isinstance(accuracy, Missing):
        return ""
    return (
        f"accuracy ({accuracy.metric}, {accuracy.samples:,} samples): float {accuracy.float:.4f}, "
        f"sparse float {accuracy.sparse_float:.4f}"
    )


def _fidelity(fidelity: FloatFidelity | Missing) -> str:
    if isinstance(fidelity, Missing):
        return f"not compared with the model as it was: {fidelity.reason}"
    figures = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in parts(fidelity.sparse_vs_float).items())
    return f"beside the model as it was ({fidelity.samples:,} samples): {figures}"
