"""`edgesparse search`: the cheapest firmware that keeps accuracy, or the most accurate one within a budget."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgesparse.commands.searched import CHOSEN, DENSE, NETWORKS, Written, conclude, costs_by, smallest_error
from edgesparse.data import Dataset, load_data
from edgesparse.errors import DataError, LimitError, ModelError, OutputError, SettingsError
from edgesparse.measure.setup import Setup, choose_settings, set_up
from edgesparse.oracle import MODULES, interpreters
from edgesparse.output import lock, write_json, write_text
from edgesparse.progress import Progress, silent
from edgesparse.report.search import Found, Tried
from edgesparse.report.show.search import render_page
from edgesparse.search.goal import Goal, parse_goal
from edgesparse.search.kept import Kept, keep
from edgesparse.search.run import Event, Plan, Search
from edgesparse.search.space import PATTERNS, rungs_for
from edgesparse.search.study import open_study
from edgesparse.search.trial import Made, prepare, read_problem
from edgesparse.search.workers import load_library, workers
from edgesparse.settings import Settings, parse_n_of_m
from edgesparse.system.interrupts import keeping
from edgesparse.training.request import MIN_SAMPLES

__all__ = ["JSON_NAME", "PAGE_NAME", "search"]

JSON_NAME, PAGE_NAME, STUDY_NAME = "search.json", "search.html", "study.db"
_FEWEST_SAMPLES = 40
_PATIENCE = 25
_KEPT = "{}: what was tried is kept. The same command again goes on there"


def search(
    model: str | Path,
    *,
    out: str | Path | None = None,
    within: str | None = None,
    budget: str | None = None,
    minimize: str = "latency",
    pattern: Sequence[str] = PATTERNS,
    trials: int = 100,
    timeout_s: float | None = None,
    longest_epochs: int | None = None,
    scheduler: str | None = None,
    workers_here: int | None = None,
    storage: str | None = None,
    study: str = "edgesparse",
    force: bool = False,
    unsafe: bool = False,
    progress: Progress | None = None,
    events: Callable[[Event], None] | None = None,
    **settings: Any,
) -> Found:
    """Search the structures, and the training of each, whose firmware is the cheapest that keeps the goal.

    within: "1pt", the points that may be lost against the dense int8 model; budget: as --budget takes it. minimize:
    latency, flash or ram. out: the folder for all of it, `./<stem>.search` by default: the study, the chosen output
    folder, the dense one, search.json and search.html. What an earlier search of the same model, samples, goal,
    settings and version has tried there is not tried again.
    workers_here: processes, one per core by default; 0 for this one. settings: fields of
    edgesparse.settings.Settings that all trials share; `data` is needed.
    LimitError, after all is written, where nothing that was tried keeps the goal.
    """
    begin = time.monotonic()
    path, goal = Path(model), parse_goal(within, budget, minimize)
    setup, data, target = _checked(path, out, goal, pattern, trials, settings, progress or silent)
    _check_folder(target, force=force)
    with lock(target), interpreters(*MODULES), keeping(lambda: _KEPT.format(target)):
        target.mkdir(exist_ok=True)
        problem = read_problem(path, data, setup.settings, unsafe=unsafe)
        setup.say("loading the model")
        prepared = prepare(problem)
        written = Written(path, target, setup, data, prepared, unsafe)
        dense = written.dense()
        plan = Plan(
            goal=goal,
            base=setup.settings,
            rungs=rungs_for(len(data.x), longest=longest_epochs),
            trials=trials,
            timeout_s=timeout_s,
            patience=_PATIENCE,
            smallest_error=smallest_error(prepared),
        )
        url = storage or f"sqlite:///{(target / STUDY_NAME).absolute()}"
        count = (os.cpu_count() or 1) if workers_here is None else workers_here
        with (
            open_study(
                url, study, key=problem.key, aim=repr(goal), patterns=pattern, seed=setup.settings.seed
            ) as memory,
            workers(problem, scheduler=scheduler, count=count, say=setup.say) as pool,
        ):
            costs = costs_by(dense, prepared)
            run = Search(plan, memory, pool, costs, _keeper(target / NETWORKS), events or _nothing)
            stopped = run.run()
        found = conclude(written, dense, run, stopped, time.monotonic() - begin)
        write_json(target / JSON_NAME, found.to_json())
        write_text(target / PAGE_NAME, render_page(found))
    if found.blocked:
        raise LimitError(found.blocked)
    return found


def _keeper(folder: Path) -> Callable[[Tried, Settings, Made], None]:
    def store(tried: Tried, settings: Settings, made: Made) -> None:
        folder.mkdir(exist_ok=True)
        keep(folder, tried.number, Kept(settings, made))

    return store


def _nothing(event: Event) -> None:
    del event


def _checked(
    path: Path,
    out: str | Path | None,
    goal: Goal,
    pattern: Sequence[str],
    trials: int,
    settings: dict[str, Any],
    say: Progress,
) -> tuple[Setup, Dataset, Path]:
    """All that can be refused before TensorFlow is loaded."""
    load_library("optuna")
    if path.suffix == ".tflite":
        raise ModelError(f"{path}: search prunes, and needs the Keras model that the file was made from")
    if not path.exists():
        raise ModelError(f"{path}: no such file or folder")
    if trials < 1:
        raise SettingsError(f"trials: expected 1 or more, got {trials}")
    for name in pattern:
        Settings().updated({"pattern": name})
        if parse_n_of_m(name) is not None or name == "channel":
            raise SettingsError(f"pattern: {name} has one sparsity, and channels are searched anyway; leave it out")
    if not pattern:
        raise SettingsError("pattern: the list is empty; leave it out for the default")
    base = choose_settings({**settings, "optimize": "flash" if goal.minimize == "flash" else "latency"})
    if base.data is None:
        raise SettingsError("search judges by samples; give --data FILE")
    if base.mobile_dtype != "int8":
        raise SettingsError("mobile_dtype: a search writes int8 files; convert with the chosen settings for float32")
    setup = set_up(base, say)
    data = load_data(base.data, say)
    count = len(data.evaluation[0])
    if count < _FEWEST_SAMPLES or len(data.x) < MIN_SAMPLES:
        raise DataError(
            f"--data {base.data}: {count} samples to judge by and {len(data.x)} to train on; expected "
            f"{_FEWEST_SAMPLES} or more, of which half choose and half judge, and {MIN_SAMPLES}"
        )
    return setup, data, Path(out) if out is not None else Path(f"{path.absolute().stem}.search")


def _check_folder(target: Path, *, force: bool) -> None:
    """OutputError where something else is there than a search."""
    if not target.absolute().parent.is_dir():
        raise OutputError(f"{target.absolute().parent}: no such folder; create it, or choose another --out")
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise OutputError(f"{target}: is a file or a link; choose another folder with --out")
    ours = {JSON_NAME, PAGE_NAME, CHOSEN, DENSE, NETWORKS}
    if not force and target.is_dir():
        others = [p.name for p in target.iterdir() if p.name not in ours and not p.name.startswith((".", STUDY_NAME))]
        if others:
            raise OutputError(f"{target}: holds no search ({others[0]}); choose another --out, or give --force")
