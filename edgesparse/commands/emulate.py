"""`edgesparse emulate`: run what an output folder holds, and compare it with the reference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgesparse.commands.folder import sha256_of, write_report
from edgesparse.errors import ModelError, SettingsError
from edgesparse.firmware.build import read_twins
from edgesparse.graph import FloatArray
from edgesparse.measure.dataset import Samples, read_samples, run_dataset
from edgesparse.measure.run import Measured, measure
from edgesparse.measure.setup import set_up
from edgesparse.missing import Missing
from edgesparse.network import Network
from edgesparse.oracle import interpreters
from edgesparse.output import in_place
from edgesparse.progress import Progress
from edgesparse.report import assemble
from edgesparse.report.budgets import judge_budgets
from edgesparse.report.report import Report
from edgesparse.report.stored import read_report
from edgesparse.result import Source
from edgesparse.settings import Settings

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
) -> Report:
    """Build what is not built, run both projects, compare with the reference; the report with what was measured.

    memory_profile: a part whose memory waits are estimated too. budget: in place of the stored one. profile: say where
    the cycles go. data: as in Settings; its test part, or all of it, runs on the sparse firmware too, the first
    `samples` of it; see edgesparse.measure.dataset. model: the Keras file that the folder was made from, to compare
    these outputs with.
    """
    folder = Path(folder)
    with in_place(folder), interpreters():
        report, twins = read_report(folder), read_twins(folder)
        given = {"emulator": emulator, "toolchain": toolchain, "memory_profile": memory_profile, "budget": budget}
        settings = report.settings.updated({name: value for name, value in given.items() if value is not None})
        setup = set_up(settings, progress)
        chosen = _given_samples(data, samples, model, twins.sparse.network, setup.say)
        float_outputs = _float_outputs(model, report.source, chosen, setup.say)
        measured = measure(folder, twins, setup, profile=profile)
        dataset = None
        if chosen is not None:
            dataset = run_dataset(
                folder / twins.sparse.name,
                twins.sparse,
                setup,
                chosen,
                float_outputs,
                instructions=max(measured.sparse.trace.instructions),
            )
        report = replace(
            _measured_again(report, settings, measured, toolchain=setup.tools.version(), profile=profile),
            dataset=dataset,
        )
        write_report(folder, report)
    return report


def _measured_again(report: Report, settings: Settings, measured: Measured, *, toolchain: str, profile: bool) -> Report:
    sparse, dense = measured.sparse, measured.dense
    return replace(
        report,
        settings=settings,
        environment=assemble.environment_of(toolchain, sparse.trace.emulator),
        sparse=sparse.figures,
        dense=dense.figures,
        baseline=measured.baseline,
        ratio=assemble.ratio_of(sparse.figures, dense.figures),
        bit_exact=measured.bit_exact,
        layers=assemble.layers_measured_again(report.layers, sparse.trace, dense.trace),
        budgets=judge_budgets(settings.budget, sparse.figures, report.accuracy, report.fidelity),
        profile={"sparse": sparse.code_profile, "dense": dense.code_profile} if profile else None,
    )


def _given_samples(
    data: str | None, samples: int | None, model: str | Path | None, network: Network, say: Progress
) -> Samples | None:
    if data is None and (samples is not None or model is not None):
        option = "--samples" if samples is not None else "--model"
        raise SettingsError(f"{option}: is about the samples of --data FILE; give both")
    return read_samples(data, network, limit=samples, say=say) if data is not None else None


def _float_outputs(
    model: str | Path | None, source: Source, samples: Samples | None, say: Progress
) -> FloatArray | Missing:
    """Of the model that the folder was made from."""
    if samples is None or model is None:
        if source.format == "tflite":
            return Missing("a .tflite comes without a float model")
        return Missing(f"the folder does not hold the float model; give --model {source.path}")
    path = Path(model)
    if not path.exists():
        raise ModelError(f"{path}: no such file or folder")
    if sha256_of(path) != source.sha256:
        raise ModelError(f"--model {path}: is not the file that this folder was made from, {source.path}")
    say("running the float model")
    from edgesparse import keras_model

    return keras_model.predict(keras_model.load(path).model, samples.x)
