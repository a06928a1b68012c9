"""The search itself: which trial is next, which goes on, and when it is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from edgesparse.report.judge import Loss
from edgesparse.report.search import Climbed, Tried
from edgesparse.search.goal import Costs, Goal
from edgesparse.search.ladder import Standing, holds, violations, worth_going_on
from edgesparse.search.space import Rung, Structure, settings_of
from edgesparse.search.study import History, Memory
from edgesparse.search.trial import Failed, Judged, Made, Work
from edgesparse.search.workers import Job, Pool
from edgesparse.settings import Settings

__all__ = ["Event", "Plan", "Search", "losses_of"]

_POLL_S = 0.5
_BETTER = 0.01
"""What counts as a move of the front: a cost lower by this share of the best."""


@dataclass(frozen=True)
class Plan:
    """What a search may take. patience: trials without a better one, after which it ends."""

    goal: Goal
    base: Settings
    rungs: Sequence[Rung]
    trials: int
    timeout_s: float | None
    patience: int
    smallest_error: float


@dataclass(frozen=True)
class Event:
    """Something that happened, for people who wait. best: the cheapest that holds so far, by its number."""

    kind: str
    trial: Tried
    done: int
    trials: int
    best: Tried | None
    elapsed_s: float


Keep: TypeAlias = Callable[[Tried, Settings, Made], None]
"""What takes the network of a trial that may be chosen."""


@dataclass(eq=False)
class _Open:
    """A trial that runs."""

    trial: Any
    structure: Structure
    work: Work | None = None
    rungs: list[Climbed] = field(default_factory=list)


@dataclass(eq=False)
class Search:
    """One run of a search, over a study that may have trials already."""

    plan: Plan
    memory: Memory
    pool: Pool
    costs_of: Callable[[Work], Costs]
    keep: Keep
    tell: Callable[[Event], None]
    _open: dict[int, _Open] = field(default_factory=dict)
    _begin: float = 0.0
    _since_better: int = 0
    _best: Tried | None = None
    _done: dict[int, Tried] = field(default_factory=dict)

    def run(self) -> str:
        """Until the trials, the time or the patience is used up; which of them it was."""
        self._begin = time.monotonic()
        for number, history in self.memory.finished.items():
            self._finish(self._tried(number, history))
        self._since_better = 0
        reason = ""
        while True:
            reason = reason or self._over()
            while not reason and len(self._open) < self.pool.size:
                if not self._start():
                    reason = "nothing new to try"
            if not self._open:
                return reason
            if reason == "time is up":
                for entry in self._open.values():
                    self.memory.leave(entry.trial)
                return reason
            for job, outcome in self.pool.finished(_POLL_S):
                self._take(job, outcome)

    @property
    def tried(self) -> list[Tried]:
        """All trials that have ended, by number."""
        return [self._done[number] for number in sorted(self._done)]

    def _over(self) -> str:
        if self.plan.timeout_s is not None and time.monotonic() - self._begin > self.plan.timeout_s:
            return "time is up"
        if len(self._done) + len(self._open) >= self.plan.trials:
            return f"{self.plan.trials} trials"
        if self._best is not None and self._since_better >= self.plan.patience:
            return f"no better one in {self.plan.patience} trials"
        return ""

    def _start(self) -> bool:
        asked = self.memory.ask()
        if asked is None:
            return False
        trial, structure = asked
        self._open[trial.number] = _Open(trial, structure)
        self.memory.note(trial, History(structure, None, (), ""))
        self._submit(trial.number, structure, 0)
        return True

    def _submit(self, number: int, structure: Structure, rung: int) -> None:
        self.pool.submit(Job(number, rung, settings_of(structure, self.plan.rungs[rung], self.plan.base)))

    def _take(self, job: Job, outcome: Judged | Failed) -> None:
        entry = self._open[job.number]
        if isinstance(outcome, Failed):
            self._end(entry, outcome.reason)
            return
        rung = self.plan.rungs[job.rung].name
        entry.work = outcome.work
        entry.rungs.append(Climbed(rung, outcome.validation, outcome.loss, outcome.sparsity))
        history = self._history(entry, "")
        self.memory.note(entry.trial, history)
        tried = self._tried(job.number, history)
        if tried.holds or self._nearest(tried):
            self.keep(tried, job.settings, outcome.made)
        standing = _standing(tried, self.costs_of(outcome.work))
        others = [_standing(other, self.costs(other.number)) for other in self._done.values() if other.rungs]
        best = self._best.cost if self._best is not None else float("inf")
        last = job.rung + 1 == len(self.plan.rungs)
        if not last and worth_going_on(standing, self.plan.goal, others, best, self.plan.smallest_error):
            self.tell(self._event("rung", tried))
            self._submit(job.number, entry.structure, job.rung + 1)
        else:
            self._end(entry, "")

    def _end(self, entry: _Open, failed: str) -> None:
        history = self._history(entry, failed)
        number = entry.trial.number
        tried = self._tried(number, history)
        broken: Mapping[str, float] = {}
        if entry.work is not None:
            broken = violations(_standing(tried, self.costs_of(entry.work)), self.plan.goal, self.plan.smallest_error)
        self.memory.tell(entry.trial, history, tried.cost, broken)
        del self._open[number]
        self._finish(tried)
        self.tell(self._event("trial", tried))

    def _finish(self, tried: Tried) -> None:
        self._done[tried.number] = tried
        self._since_better += 1
        if tried.holds and (self._best is None or tried.cost < self._best.cost):
            if self._best is None or self._best.cost - tried.cost >= _BETTER * abs(self._best.cost):
                self._since_better = 0
            self._best = tried

    def _nearest(self, tried: Tried) -> bool:
        """Whether nothing holds yet, and nothing has lost less."""
        losses = [other.rungs[-1].loss.points for other in self._done.values() if other.rungs]
        return self._best is None and tried.rungs[-1].loss.points <= min(losses, default=float("inf"))

    @staticmethod
    def _history(entry: _Open, failed: str) -> History:
        return History(entry.structure, entry.work, tuple(entry.rungs), failed)

    def costs(self, number: int) -> Costs:
        """Of a trial that has ended, by estimate."""
        work = self.memory.finished[number].work
        assert work is not None
        return self.costs_of(work)

    def _tried(self, number: int, history: History) -> Tried:
        structure, work = history.structure, history.work
        costs = self.costs_of(work) if work is not None else None
        goal = self.plan.goal
        tried = Tried(
            number=number,
            pattern=structure.pattern,
            sparsity=structure.sparsity,
            channels=structure.channels,
            rungs=history.rungs,
            instructions=costs.instructions if costs is not None else 0,
            flash_bytes=costs.flash_bytes if costs is not None else 0,
            ram_bytes=costs.ram_bytes if costs is not None else 0,
            cost=goal.cost(costs) if costs is not None else 0.0,
            holds=False,
            failed=history.failed,
        )
        if costs is None or not history.rungs:
            return tried
        if goal.within is None:
            tried = replace(tried, cost=history.rungs[-1].loss.points)
        return replace(tried, holds=holds(_standing(tried, costs), goal, self.plan.smallest_error))

    def _event(self, kind: str, tried: Tried) -> Event:
        return Event(kind, tried, len(self._done), self.plan.trials, self._best, time.monotonic() - self._begin)


def losses_of(tried: Tried) -> tuple[Loss, ...]:
    """On each rung."""
    return tuple(climbed.loss for climbed in tried.rungs)


def _standing(tried: Tried, costs: Costs) -> Standing:
    return Standing(costs, losses_of(tried))
