"""Report: all that a run found out, as attributes, as JSON, and for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edgesparse import record, result
from edgesparse.errors import InputError
from edgesparse.missing import Missing
from edgesparse.record import Json, optional
from edgesparse.settings import Settings

__all__ = ["SCHEMA", "Report"]

SCHEMA: Literal[1] = 1


@dataclass(frozen=True, repr=False)
class Report:
    """What convert found out, and report.json holds; see edgesparse.result for its parts.

    `sparse` is the firmware, `dense` its dense twin. `profile`, `dataset`, `device`: once somebody asked for them.
    """

    schema: Literal[1]
    edgesparse: str
    source: result.Source
    settings: Settings
    environment: result.Environment
    accuracy: result.Accuracy | Missing
    fidelity: result.Fidelity | Missing
    model: result.ModelFacts
    files: Mapping[str, int]
    board: result.BoardFacts
    sparse: result.BuildFigures
    dense: result.BuildFigures
    baseline: result.Baseline | Missing
    ratio: result.Ratio
    bit_exact: result.BitExact | Missing
    layers: tuple[result.LayerFigures, ...]
    arena_plan: tuple[result.ArenaBuffer, ...] | Missing
    tflm_decode: result.DecodeFigures
    mobile: result.Mobile
    quantization: result.Quantization | Missing
    budgets: tuple[result.BudgetRow, ...]
    warnings: tuple[str, ...]
    profile: Mapping[str, result.CodeProfile | Missing] | None = optional()
    dataset: result.Dataset | None = optional()
    device: result.Device | None = optional()

    def __post_init__(self) -> None:
        if isinstance(self.arena_plan, Missing):
            return
        for buffer in self.arena_plan:
            if not 0 <= buffer.first_layer <= buffer.last_layer < len(self.layers):
                raise InputError(
                    f"arena_plan: {buffer.tensor!r} is in use in layers {buffer.first_layer} to {buffer.last_layer}, "
                    f"there are {len(self.layers)}"
                )

    def to_json(self) -> Json:
        """The object of report.json."""
        return record.to_json(self)

    def __repr__(self) -> str:
        """The verdict, and the figures of both builds."""
        from edgesparse.report.show.notebook import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        """The same for a notebook."""
        from edgesparse.report.show.notebook import as_html

        return as_html(self)
