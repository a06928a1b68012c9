"""What a search remembers: an Optuna study, in SQLite or wherever its storage's address points."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from edgesparse.errors import InputError, OutputError, SettingsError, cut
from edgesparse.record import Json, from_json, to_json
from edgesparse.report.search import Climbed
from edgesparse.search.space import Structure, first_structures, parameters_of, suggested
from edgesparse.search.trial import Work
from edgesparse.search.workers import load_library

__all__ = ["History", "Memory", "open_study"]

_KEY, _AIM, _RECORD, _STRUCTURE = "edgesparse.key", "edgesparse.aim", "edgesparse.record", "edgesparse.structure"
_SAME_IN_A_ROW = 25
"""Suggestions that were tried already, after which there is nothing new to try."""


@dataclass(frozen=True)
class History:
    """What is remembered of a trial. work: None where it failed at once, with `failed` saying why."""

    structure: Structure
    work: Work | None
    rungs: tuple[Climbed, ...]
    failed: str


@dataclass(eq=False)
class Memory:
    """An open study. `finished`: trials by number, those of earlier runs too."""

    study: Any
    url: str
    patterns: Sequence[str]
    finished: dict[int, History]
    _queue: list[Structure]
    _asked: set[Structure]

    def ask(self) -> tuple[Any, Structure] | None:
        """An Optuna trial with a structure that has not been tried; None where there is nothing new.

        One that has been tried already gets its result again, and does not count.
        """
        with _storage(self.url):
            for _ in range(_SAME_IN_A_ROW):
                if self._queue:
                    self.study.enqueue_trial(parameters_of(self._queue.pop(0)))
                trial = self.study.ask()
                structure = suggested(trial, self.patterns)
                if structure not in self._asked:
                    self._asked.add(structure)
                    return trial, structure
                self.study.tell(trial, state=_state("FAIL"))
        return None

    def note(self, trial: Any, history: History) -> None:
        """What is known of a running trial so far: what an interruption leaves."""
        with _storage(self.url):
            trial.set_user_attr(_RECORD, to_json(history))

    def tell(self, trial: Any, history: History, value: float, broken: Mapping[str, float]) -> None:
        """The end of a trial. value: what is to be small; broken: constraints, kept at 0 or less."""
        self.note(trial, history)
        with _storage(self.url):
            if history.rungs:
                for name, excess in broken.items():
                    trial.set_constraint(name, excess)
                self.study.tell(trial, value)
            else:
                self.study.tell(trial, state=_state("FAIL"))
        self.finished[trial.number] = history

    def leave(self, trial: Any) -> None:
        """A trial that was not finished: it is tried again by the next run."""
        with _storage(self.url):
            self.study.tell(trial, state=_state("FAIL"))


@contextmanager
def open_study(url: str, name: str, *, key: str, aim: str, patterns: Sequence[str], seed: int) -> Iterator[Memory]:
    """A study, new or gone on with.

    key: of the model, the samples and the settings; aim: in words. SettingsError for a study of another model or
    another aim; OutputError for a storage that cannot be used.
    """
    optuna = load_library("optuna")
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it calls experimental
        with _storage(url):
            study = optuna.create_study(
                storage=url,
                study_name=name,
                load_if_exists=True,
                sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=8),
            )
            _check(study, url, name, key, aim)
            finished, again = _remembered(study)
        done = {history.structure for history in finished.values()}
        queue = [structure for structure in (*again, *first_structures(patterns)) if structure not in done]
        try:
            yield Memory(study, url, patterns, finished, list(dict.fromkeys(queue)), done)
        finally:
            _close(study)


def _check(study: Any, url: str, name: str, key: str, aim: str) -> None:
    attributes = study.user_attrs
    if not attributes and not study.trials:
        study.set_user_attr(_KEY, key)
        study.set_user_attr(_AIM, aim)
        return
    if attributes.get(_KEY) != key:
        raise SettingsError(
            f"{_shown(url)}: study {name!r} is of another model, other samples, settings or another version; choose "
            "another --out, --storage or --study"
        )
    if attributes.get(_AIM) != aim:
        raise SettingsError(
            f"{_shown(url)}: study {name!r} is for {cut(attributes.get(_AIM))}, this is for {aim}; choose another "
            "--out or --study"
        )


def _remembered(study: Any) -> tuple[dict[int, History], list[Structure]]:
    """Trials that have ended, and structures that another run began with and did not finish."""
    finished, again = {}, []
    for trial in study.get_trials(deepcopy=False):
        record = trial.user_attrs.get(_RECORD)
        history = _history(record) if record is not None else None
        ended = trial.state.name == "COMPLETE" or (history is not None and bool(history.failed))
        if trial.state.name == "RUNNING":
            study.tell(trial.number, state=_state("FAIL"))
        if history is None:
            continue  # a suggestion that was not new, or nobody's trial
        if ended:
            finished[trial.number] = history
        else:
            again.append(history.structure)
    return finished, again


def _history(record: Json) -> History | None:
    try:
        return from_json(History, record)
    except InputError:
        return None


def _state(name: str) -> Any:
    return getattr(load_library("optuna").trial.TrialState, name)


def _close(study: Any) -> None:
    """Let go of the file: its connections live as long as the process otherwise."""
    storage = getattr(study._storage, "_backend", study._storage)
    engine = getattr(storage, "engine", None)
    if engine is not None:
        engine.dispose()


@contextmanager
def _storage(url: str) -> Iterator[None]:
    """OutputError, in one line, for what a storage does not do."""
    optuna, errors = load_library("optuna"), load_library("sqlalchemy.exc")
    try:
        yield
    except (optuna.exceptions.StorageInternalError, errors.SQLAlchemyError) as error:
        cause = error.__cause__ or error
        raise OutputError(
            f"{_shown(url)}: the study's storage does not work: {cut(str(cause).splitlines()[0])}; free it, or choose "
            "another --storage. Nothing that was finished is lost"
        ) from error
    except (ImportError, ValueError, RuntimeError) as error:
        raise OutputError(f"{_shown(url)}: cannot be used as a study's storage: {cut(error)}") from error


def _shown(url: str) -> str:
    """Without a password."""
    try:
        return str(load_library("sqlalchemy.engine").make_url(url).render_as_string(hide_password=True))
    except Exception:  # no address at all
        return url
