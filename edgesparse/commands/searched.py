"""What a search ends with: firmware of the best trials, built and run, of which the cheapest is chosen; or why none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import edgesparse
from edgesparse.commands.convert import judged, source_of
from edgesparse.commands.folder import write_folder
from edgesparse.conversion.networks import Sparse
from edgesparse.data import Dataset
from edgesparse.errors import DoesNotFitError, InputError
from edgesparse.firmware.build import read_twins
from edgesparse.firmware.plan import plan_network
from edgesparse.firmware.room import Contents, Part, flash_parts, ram_parts
from edgesparse.graph import FloatArray
from edgesparse.lowering.model import Layer
from edgesparse.measure.setup import Setup
from edgesparse.missing import Missing
from edgesparse.network import Network
from edgesparse.output import claim, output_folder
from edgesparse.report.report import Report
from edgesparse.report.search import SCHEMA, Aim, Chosen, Found, Ratios, Tried, front_of
from edgesparse.report.show.reproduce import command_line
from edgesparse.report.stored import read_report
from edgesparse.report.tradeoff import Figures
from edgesparse.result import BuildFigures, Quantization
from edgesparse.search.goal import Costs, Goal
from edgesparse.search.kept import kept
from edgesparse.search.ladder import Standing, violations
from edgesparse.search.run import Search, losses_of
from edgesparse.search.space import Structure
from edgesparse.search.trial import Prepared, Work, work_of
from edgesparse.settings import Settings

__all__ = ["CHOSEN", "DENSE", "NETWORKS", "Written", "conclude", "costs_by", "smallest_error"]

CHOSEN, DENSE, NETWORKS, FINALISTS = "chosen", "dense", "networks", "finalists"
_FINALISTS = 3
"""Trials that are built and run; estimates of their costs are a few percent off."""
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Written:
    """Output folders of a search."""

    path: Path
    target: Path
    setup: Setup
    data: Dataset
    prepared: Prepared
    unsafe: bool

    def dense(self) -> Report:
        """The unpruned firmware: what costs are relative to. What the board does not take ends here."""
        dense = self.prepared.dense
        quantization = Quantization(method="ptq", **vars(dense.correction), dense=dense.correction)
        settings = replace(
            self.setup.settings, sparsity=0.0, pattern="unstructured", channels=0.0, method="oneshot", budget=None
        )
        self.setup.say("building and running the dense firmware")
        return self.folder(Sparse(dense.network, quantization, None, (), None), settings, DENSE)

    def trial(self, number: int) -> Report | None:
        """The firmware of a trial; None where its network was not kept, or the board has no room for it."""
        found = kept(self.target / NETWORKS, number)
        if found is None:
            return None
        made = found.made
        self.setup.say(f"building and running trial {number}")
        try:
            return self.folder(
                Sparse(made.network, made.quantization, made.channels, made.warnings, None),
                found.settings,
                f"{FINALISTS}/{number}",
            )
        except DoesNotFitError as error:
            self.setup.say(str(error))
            return None

    def folder(self, sparse: Sparse, settings: Settings, name: str) -> Report:
        """An output folder of these settings; taken as it is where it is one of them already."""
        folder = self.target / name
        folder.parent.mkdir(exist_ok=True)
        try:
            report = read_report(folder)
            if report.settings == settings and read_twins(folder):
                return report
        except InputError:
            pass
        setup = replace(self.setup, settings=settings)
        loaded = self.prepared.loaded
        source = source_of(self.path, loaded, unsafe=self.unsafe)
        converted = judged(loaded, source, self.prepared.dense, sparse, self.prepared.samples, setup)
        with claim(folder, force=True, say=self.setup.say) as place:
            return write_folder(place, converted, setup)

    def network(self, name: str) -> Network:
        """The sparse network of an output folder."""
        return read_twins(self.target / name).sparse.network


def smallest_error(prepared: Prepared) -> float:
    """Points: the standard error of no difference at all, which few samples leave."""
    validation, _ = prepared.judge.halves()
    return prepared.judge.loss(prepared.dense_outputs, prepared.dense_outputs, validation).error


def costs_by(dense: Report, prepared: Prepared) -> Callable[[Work], Costs]:
    """Costs of a plan, relative to what the dense firmware was measured at."""
    figures = dense.dense
    base = work_of(prepared.dense.network, prepared.dense.plan, dense.settings.vectors)

    def costs(work: Work) -> Costs:
        share = work.instructions / max(base.instructions, 1)
        return Costs(
            instructions=round(_known(figures.instructions) * share),
            latency_ms=_known(figures.latency_ms) * share,
            flash_bytes=figures.flash_bytes + work.flash_bytes - base.flash_bytes,
            ram_bytes=round(_known(figures.ram_bytes)) + work.arena_bytes - base.arena_bytes,
            weight_bytes=work.weight_bytes,
            arena_bytes=work.arena_bytes,
            cycles=round(_known(figures.cycles) * share),
        )

    return costs


def _known(value: float | Missing) -> float:
    return 0.0 if isinstance(value, Missing) else value


def _measured(figures: BuildFigures) -> Costs:
    return Costs(
        instructions=round(_known(figures.instructions)),
        latency_ms=_known(figures.latency_ms),
        flash_bytes=figures.flash_bytes,
        ram_bytes=round(_known(figures.ram_bytes)),
        weight_bytes=figures.weight_bytes,
        arena_bytes=round(_known(figures.arena_bytes)),
        cycles=round(_known(figures.cycles)),
    )


def conclude(written: Written, dense: Report, run: Search, stopped: str, seconds: float) -> Found:
    """Build and run the best trials; choose the cheapest by what was measured, and judge it on the test samples."""
    goal, trials = run.plan.goal, run.tried
    prepared = written.prepared
    finalists = _finalists(written, trials, goal)
    chosen: Chosen | Missing = Missing("nothing that was tried keeps the goal")
    ratios: Ratios | Missing = Missing("no firmware was chosen")
    warnings = list(prepared.samples.warnings)
    if finalists:
        number, report = min(finalists, key=lambda each: _rank(each[0], each[1], trials, goal))
        chosen = _chosen(written, number, report)
        ratios = _ratios(dense.dense, report.sparse)
        warnings += [line for line in report.warnings if line not in warnings]
    if goal.within is not None and run.plan.smallest_error >= goal.within:
        warnings.append(
            f"{run.plan.smallest_error:.1f} points are the least that these validation samples tell apart: "
            f"--within {goal.within:g}pt was decided without a margin; give more samples"
        )
    judge = prepared.judge
    return Found(
        schema=SCHEMA,
        edgesparse=edgesparse.__version__,
        source=dense.source,
        board=dense.board,
        data=str(written.setup.settings.data),
        metric=judge.metric,
        aim=Aim(
            Missing("as few as the budget allows") if goal.within is None else goal.within,
            goal.budget or "",
            goal.minimize,
        ),
        float=Missing("is what outputs are compared with")
        if judge.labels is None
        else judge.estimate(judge.reference, judge.halves()[1]),
        dense=_figures(written, DENSE, dense),
        trials=tuple(trials),
        front=front_of(trials),
        chosen=chosen,
        ratios=ratios,
        blocked=() if finalists else _blocked(written, run),
        warnings=tuple(warnings),
        stopped=stopped,
        seconds=round(seconds),
    )


def _finalists(written: Written, trials: Sequence[Tried], goal: Goal) -> list[tuple[int, Report]]:
    """The cheapest trials that hold, built and run, without those whose measured figures pass a budget."""
    found: list[tuple[int, Report]] = []
    for tried in sorted((tried for tried in trials if tried.holds), key=lambda tried: tried.cost):
        report = written.trial(tried.number)
        if report is None or any(excess > 0 for excess in goal.excess(_measured(report.sparse)).values()):
            continue
        found.append((tried.number, report))
        if len(found) == _FINALISTS:
            break
    return found


def _rank(number: int, report: Report, trials: Sequence[Tried], goal: Goal) -> float:
    """What is to be small: the measured cost, or the loss where a budget alone was given."""
    if goal.within is None:
        return next(tried.cost for tried in trials if tried.number == number)
    return goal.cost(_measured(report.sparse))


def _chosen(written: Written, number: int, report: Report) -> Chosen:
    """Put the folder where it is looked for, and judge it."""
    place, name = written.target / CHOSEN, f"{FINALISTS}/{number}"
    prepared = written.prepared
    outputs = written.network(name).predict(_samples(written))
    loss = prepared.judge.loss(outputs, prepared.dense_outputs, prepared.judge.halves()[1])
    figures = _figures(written, name, report)
    with claim(place, force=True, say=written.setup.say) as claimed, output_folder(claimed) as folder:
        shutil.copytree(written.target / name, folder, symlinks=True, dirs_exist_ok=True)
    return Chosen(number, str(place), report.settings, command_line(report), figures, loss)


def _figures(written: Written, name: str, report: Report) -> Figures:
    """Of an output folder's sparse firmware."""
    network, build, judge = written.network(name), report.sparse, written.prepared.judge
    outputs = network.predict(_samples(written))
    validation, test = (judge.estimate(outputs, half) for half in judge.halves())
    return Figures(
        validation=validation,
        test=test,
        sparsity=network.stats.sparsity,
        flash_bytes=build.flash_bytes,
        ram_bytes=build.ram_bytes,
        instructions=build.instructions,
        cycles=build.cycles,
        latency_ms=build.latency_ms,
    )


def _samples(written: Written) -> FloatArray:
    return written.data.evaluation[0]


def _ratios(dense: BuildFigures, sparse: BuildFigures) -> Ratios:
    def ratio(ours: float | Missing, theirs: float | Missing) -> float | Missing:
        if isinstance(ours, Missing):
            return ours
        return theirs if isinstance(theirs, Missing) else round(ours / max(theirs, 1), 4)

    return Ratios(
        instructions=ratio(dense.instructions, sparse.instructions),
        cycles=ratio(dense.cycles, sparse.cycles),
        flash=round(dense.flash_bytes / sparse.flash_bytes, 4),
        ram=ratio(dense.ram_bytes, sparse.ram_bytes),
    )


def _blocked(written: Written, run: Search) -> tuple[str, ...]:
    """Why nothing holds: the nearest points, and what takes most of what is short."""
    goal, trials = run.plan.goal, [tried for tried in run.tried if tried.rungs]
    if not trials:
        reasons = sorted({tried.failed for tried in run.tried if tried.failed})
        return (f"{written.path}: nothing could be tried: {'; '.join(reasons) or run.plan.timeout_s}",)
    costs = {tried.number: run.costs(tried.number) for tried in trials}

    def worst(tried: Tried) -> float:
        broken = violations(Standing(costs[tried.number], losses_of(tried)), goal, run.plan.smallest_error)
        return max(broken.values(), default=0.0)

    nearest = sorted(trials, key=worst)[:_NAMED]
    words = [f"{written.path}: none of {len(run.tried)} trials keeps the goal ({_aim(goal)}); the nearest are:"]
    words += [_point(tried, costs[tried.number], goal) for tried in nearest]
    broken = [name for name, excess in goal.excess(costs[nearest[0].number]).items() if excess > 0]
    found = kept(written.target / NETWORKS, nearest[0].number)
    if found is not None and broken:
        words.append(f"trial {nearest[0].number} is held up by: {_largest(written, found.made.network, broken)}")
    return tuple(words)


def _aim(goal: Goal) -> str:
    parts = [f"within {goal.within:g}pt"] if goal.within is not None else []
    return ", ".join([*parts, *([goal.budget] if goal.budget else [])])


def _point(tried: Tried, costs: Costs, goal: Goal) -> str:
    structure = Structure(tried.pattern, tried.sparsity, tried.channels)
    loss = tried.rungs[-1].loss
    return (
        f"trial {tried.number}, {structure.name}, {tried.rungs[-1].rung}: loses {loss.points:.2f} points "
        f"(standard error {loss.error:.2f}) at about {costs.instructions:,} instructions, {costs.latency_ms:.3g} ms, "
        f"{costs.flash_bytes:,} bytes of flash, {costs.ram_bytes:,} of RAM"
        + "".join(f"; {name} is {excess:.0%} over" for name, excess in goal.excess(costs).items() if excess > 0)
    )


def _largest(written: Written, network: Network, broken: Sequence[str]) -> str:
    """What takes most of the memory or the time that is short."""
    settings, board = written.setup.settings, written.setup.board
    plan = plan_network(network.graph, board.core, optimize=settings.optimize)
    contents = Contents(network.graph, plan.packed, plan.memory, 0)
    parts: list[Part] = []
    if {"flash", "weights"} & set(broken):
        parts += sorted(flash_parts(contents), key=lambda part: -part.size)[:_NAMED]
    if {"ram", "arena"} & set(broken):
        parts += sorted(ram_parts(contents, board), key=lambda part: -part.size)[:_NAMED]
    words = [f"{part.what} {part.size:,} B" for part in parts]
    if {"latency", "cycles", "instructions"} & set(broken):
        layers = sorted(zip(network.graph.ops, plan.packed.layers, strict=True), key=lambda each: -_cost(each[1]))
        words += [f"{op.name!r} about {_cost(layer):,} instructions" for op, layer in layers[:_NAMED]]
    return ", ".join(words)


def _cost(layer: Layer) -> int:
    return layer.estimated_instructions
