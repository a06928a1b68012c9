"""`edgesparse build`: compile an output folder again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgesparse.boards import load_board
from edgesparse.commands.folder import (
    silent,
    stored_settings,
    write_report,
)
from edgesparse.measure.runtimes import RUNTIMES, find_toolchain
from edgesparse.measure.twins import Progress, measured_zero_inputs, plan_firmware, projects
from edgesparse.missing import unavailable
from edgesparse.output import (
    read_report,
)
from edgesparse.report import assemble

__all__ = ["build"]


def build(folder: str | Path, *, toolchain: str | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Compile the two projects of an output folder again; returns the updated object of report.json."""
    say = progress or silent
    folder = Path(folder)
    report = read_report(folder)
    settings = stored_settings(report, toolchain=toolchain)
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
        stale = unavailable("built again since; run edgesparse emulate")
        report[name] = dict.fromkeys(report[name], stale) | sizes
    report["settings"]["toolchain"] = settings.toolchain
    report["environment"]["toolchain"] = tools.version()
    report["bit_exact"] = report["baseline"] = unavailable("built again since; run edgesparse emulate")
    report["ratio"] = assemble.ratio_part(report["sparse"], report["dense"])
    report.pop("dataset", None)
    write_report(folder, report)
    return report
