"""`edgesparse emulate`: run what an output folder holds, and compare it with the reference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesparse import emulate as emulators
from edgesparse.boards import load_board
from edgesparse.commands.folder import (
    sha256_of,
    silent,
    stored_settings,
    write_report,
)
from edgesparse.errors import ModelError, SettingsError
from edgesparse.graph import FloatArray
from edgesparse.measure.dataset import Samples, evaluate, read_samples
from edgesparse.measure.runtimes import find_toolchain
from edgesparse.measure.twins import Progress, measure, projects
from edgesparse.network import Network
from edgesparse.output import (
    read_report,
)

__all__ = ["emulate"]


def emulate(
    folder: str | Path,
    *,
    emulator: str | None = None,
    toolchain: str | None = None,
    memory_profile: str | None = None,
    budget: str | None = None,
    profile: bool = False,
    data: str | None = None,
    samples: int | None = None,
    model: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Build what is not built, run both projects, compare with the reference; returns the updated report.json.

    memory_profile: a part whose memory waits are estimated too. budget: in place of the stored one. profile: say where
    the cycles go. data: as in Settings; its test part, or all of it, runs on the sparse firmware too, the first
    `samples` of it; see edgesparse.measure.dataset. model: the Keras file that the folder was made from, to compare
    these outputs with.
    """
    say = progress or silent
    folder = Path(folder)
    report = read_report(folder)
    settings = stored_settings(
        report, emulator=emulator, toolchain=toolchain, memory_profile=memory_profile, budget=budget
    )
    board = load_board(settings.board)
    tools = find_toolchain(settings, board)
    emulators.require(settings.emulator, board)
    for name in ("profile", "dataset"):
        report.pop(name, None)
    project, network = projects(folder)["sparse"]
    given = _given_samples(data, samples, model, network)
    float_outputs = _float_outputs(model, report["source"], given, say)
    report |= measure(folder, settings, board, tools, report["layers"], say, profile=profile)
    if given is not None:
        names = [layer["name"] for layer in report["layers"]]
        report["dataset"] = evaluate(
            project,
            network,
            settings,
            board,
            tools,
            given,
            float_outputs,
            say,
            layer_names=names,
            instructions=report["sparse"]["instructions"],
        )
    report["settings"] |= {
        "emulator": settings.emulator,
        "toolchain": settings.toolchain,
        "memory_profile": settings.memory_profile,
        "budget": settings.budget,
    }
    write_report(folder, report)
    return report


def _given_samples(data: str | None, samples: int | None, model: str | Path | None, network: Network) -> Samples | None:
    if data is None and (samples is not None or model is not None):
        option = "--samples" if samples is not None else "--model"
        raise SettingsError(f"{option}: is about the samples of --data FILE; give both")
    return read_samples(data, network, limit=samples) if data is not None else None


def _float_outputs(
    model: str | Path | None, source: Mapping[str, Any], samples: Samples | None, say: Progress
) -> FloatArray | str:
    """Of the model that the folder was made from; or why there are none."""
    if samples is None or model is None:
        if source["format"] == "tflite":
            return "a .tflite comes without a float model"
        return f"the folder does not hold the float model; give --model {source['path']}"
    path = Path(model)
    if not path.exists():
        raise ModelError(f"{path}: no such file or folder")
    if sha256_of(path) != source["sha256"]:
        raise ModelError(f"--model {path}: is not the file that this folder was made from, {source['path']}")
    say("running the float model")
    from edgesparse import keras_model

    return keras_model.predict(keras_model.load(path).model, samples.x)
