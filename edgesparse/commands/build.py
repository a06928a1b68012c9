"""`edgesparse build`: compile an output folder again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgesparse.commands.folder import write_report
from edgesparse.firmware.build import read_twins
from edgesparse.measure.setup import set_up
from edgesparse.missing import Missing
from edgesparse.output import in_place
from edgesparse.progress import Progress
from edgesparse.report import assemble
from edgesparse.report.budgets import judge_budgets
from edgesparse.report.report import Report
from edgesparse.report.stored import read_report

__all__ = ["build"]

_STALE = Missing("built again since; run edgesparse emulate")


def build(folder: str | Path, *, toolchain: str | None = None, progress: Progress | None = None) -> Report:
    """Compile the two projects of an output folder again; the report with their sizes, and nothing measured before."""
    folder = Path(folder)
    with in_place(folder):
        return _build(folder, toolchain, progress)


def _build(folder: Path, toolchain: str | None, progress: Progress | None) -> Report:
    report, twins = read_report(folder), read_twins(folder)
    settings = report.settings.updated({"toolchain": toolchain} if toolchain is not None else {})
    setup = set_up(settings, progress, emulates=False)
    figures = []
    for twin in twins:
        setup.say(f"building {twin.name}")
        elf = setup.runtime.build(folder / twin.name, setup.tools, twin.board)
        figures.append(assemble.figures_of(setup.runtime.sizes(elf, twin.memory), _STALE, setup.board, _STALE))
    sparse, dense = figures
    report = replace(
        report,
        settings=settings,
        environment=replace(report.environment, toolchain=setup.tools.version()),
        sparse=sparse,
        dense=dense,
        baseline=_STALE,
        ratio=assemble.ratio_of(sparse, dense),
        bit_exact=_STALE,
        layers=assemble.layers_measured_again(report.layers, _STALE, _STALE),
        budgets=judge_budgets(settings.budget, sparse, report.accuracy, report.fidelity),
        profile=None,
        dataset=None,
    )
    write_report(folder, report)
    return report
