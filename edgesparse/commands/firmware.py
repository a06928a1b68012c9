"""`edgesparse firmware`: an int8 .tflite to firmware, its weights as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgesparse import emulate as emulators
from edgesparse.budgets import check_budgets
from edgesparse.commands.folder import (
    check_kernels,
    output_target,
    random_inputs,
    refuse_for_tflite,
    settings_for_board,
    sha256_of,
    silent,
    write_report,
)
from edgesparse.measure.runtimes import find_toolchain
from edgesparse.measure.twins import Progress, deploy
from edgesparse.mobile import phone_model
from edgesparse.network import Network
from edgesparse.output import (
    check_replaceable,
    output_folder,
)

__all__ = ["firmware"]


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
    say = progress or silent
    refuse_for_tflite(settings)
    chosen, board = settings_for_board(settings)
    no_float = "a .tflite comes without a float model and without data"
    check_budgets(chosen.budget, accuracy=no_float, agreement=no_float)
    tools = find_toolchain(chosen, board)
    emulators.choose_memory_profile(chosen.memory_profile, board)
    emulators.require(chosen.emulator, board)
    path = Path(model)
    network = Network.load(path, slimmed=True, keep_metadata=chosen.keep_metadata)
    check_kernels(network.graph, board, chosen, path)
    target = output_target(path, out)
    check_replaceable(target, force=force)
    vectors = random_inputs(network.input, chosen.vectors, chosen.seed)
    source = {"path": str(path), "sha256": sha256_of(path), "format": "tflite", "keras_version": "none"}
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
        write_report(folder, report)
    return report
