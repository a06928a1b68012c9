"""`edgesparse sweep`: every combination of some settings through the whole pipeline, and which of them are the best."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import edgesparse
from edgesparse.commands.convert import convert
from edgesparse.commands.folder import sha256_of
from edgesparse.data import Dataset, open_data
from edgesparse.errors import (
    DataError,
    EdgesparseError,
    InputError,
    ModelError,
    OutputError,
    SettingsError,
)
from edgesparse.files import read_file
from edgesparse.firmware.build import Twins, read_twins
from edgesparse.limits import MAX_REPORT_BYTES
from edgesparse.measure.setup import choose_settings, set_up
from edgesparse.missing import Missing
from edgesparse.network import Network
from edgesparse.oracle import MODULES, interpreters
from edgesparse.output import lock, write_json, write_text
from edgesparse.progress import Progress, silent
from edgesparse.report.report import Report
from edgesparse.report.show.reproduce import command_line
from edgesparse.report.show.tradeoff import render_csv, render_page
from edgesparse.report.stored import read_report
from edgesparse.report.tradeoff import COSTS, SCHEMA, Estimate, Figures, Judge, Point, Tradeoff, front, knee
from edgesparse.result import BuildFigures
from edgesparse.settings import Settings, parse_n_of_m
from edgesparse.shards import TEST_FOLDER, Shards
from edgesparse.system.interrupts import keeping

__all__ = ["CSV_NAME", "JSON_NAME", "PAGE_NAME", "sweep"]

JSON_NAME, CSV_NAME, PAGE_NAME = "sweep.json", "sweep.csv", "sweep.html"
_FEWEST_SAMPLES = 20


def sweep(
    model: str | Path,
    *,
    out: str | Path | None = None,
    sparsity: Sequence[float] = (0.5, 0.6, 0.7, 0.8, 0.9),
    pattern: Sequence[str] = ("auto",),
    method: Sequence[str] = ("oneshot",),
    channels: Sequence[float] = (0.0,),
    force: bool = False,
    unsafe: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> Tradeoff:
    """Convert a Keras model once for every combination, and compare them.

    out: the folder for all of it, `./<stem>.sweep` by default; an output folder for each combination, sweep.json,
    sweep.csv and sweep.html. What a sweep of the same model, samples and version has done there is not done again.
    settings: fields of edgesparse.settings.Settings that all combinations share; `data` is needed.
    A combination that the model, the samples or the board do not take is a point without figures, with the reason.
    """
    path, say = Path(model), progress or silent
    candidates = _candidates(settings, sparsity, pattern, method, channels)
    given = _checked(path, candidates, say)
    target = Path(out) if out is not None else Path(f"{path.absolute().stem}.sweep")
    _check_folder(target, candidates, force=force)
    points: list[Point] = []
    with lock(target), interpreters(*MODULES), keeping(lambda: _kept(target, points, candidates)):
        target.mkdir(exist_ok=True)
        data, judge = _judge(path, given, unsafe=unsafe, seed=candidates[0].seed, say=say)
        run = _Sweep(path, target, data, judge, force, unsafe)
        made = _made(target, run.key)
        first: Report | None = None
        for number, chosen in enumerate(candidates, 1):
            point, conversion = run.point(chosen, _prefixed(say, f"{number}/{len(candidates)} {_name(chosen)}"), made)
            points.append(point)
            if first is None and conversion is not None:
                first, dense = conversion.report, run.dense(conversion)
            if first is not None:
                made |= {point.name}
                tradeoff = run.compared(first, dense, points)
                _write(target, tradeoff, run.key, made)
    if first is None:
        reasons = {point.figures.reason for point in points if isinstance(point.figures, Missing)}
        raise ModelError(f"{path}: no combination could be converted: {'; '.join(sorted(reasons))}")
    return tradeoff


@dataclass(frozen=True, eq=False)
class _Conversion:
    """A combination that was converted, now or before."""

    report: Report
    twins: Twins


@dataclass(frozen=True, eq=False)
class _Sweep:
    """What all combinations share."""

    path: Path
    target: Path
    data: Dataset
    judge: Judge
    force: bool
    unsafe: bool

    @cached_property
    def key(self) -> str:
        """Of what a point depends on beside its settings: the model, the samples, the version."""
        digest = hashlib.sha256(f"{edgesparse.__version__}\0{sha256_of(self.path)}".encode())
        digest.update((self.data.stream.digest if self.data.stream is not None else "").encode())
        for array in (self.data.x, self.data.y, self.data.x_test, self.data.y_test):
            if array is not None:
                digest.update(f"\0{array.dtype}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def point(self, chosen: Settings, say: Progress, made: frozenset[str]) -> tuple[Point, _Conversion | None]:
        """Convert one combination, or take what is there of it; None where the model or the board does not take it.

        Whatever else goes wrong ends the sweep: outputs that differ, a compiler that fails, a full disk.
        """
        name = _name(chosen)
        try:
            conversion = _stored(self.target / name, chosen) if name in made else None
            conversion = conversion or self._convert(chosen, self.target / name, say)
        except (ModelError, SettingsError, DataError) as error:
            say(str(error))
            return Point(name, chosen, "", Missing(str(error))), None
        say("comparing with the samples")
        figures = self._figures(conversion.twins.sparse.network, conversion.report.sparse)
        return Point(name, chosen, command_line(conversion.report), figures), conversion

    def _convert(self, chosen: Settings, folder: Path, say: Progress) -> _Conversion:
        settings = {field.name: getattr(chosen, field.name) for field in fields(chosen)}
        report = convert(self.path, out=folder, force=self.force, unsafe=self.unsafe, progress=say, **settings)
        return _Conversion(report, read_twins(folder))

    def _figures(self, network: Network, build: BuildFigures) -> Figures:
        outputs = network.predict(self.data.evaluation[0])
        validation, test = (self.judge.estimate(outputs, half) for half in self.judge.halves())
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

    @cached_property
    def _float(self) -> Estimate | Missing:
        if self.judge.labels is None:
            return Missing("is what outputs are compared with")
        return self.judge.estimate(self.judge.reference, self.judge.halves()[1])

    def dense(self, conversion: _Conversion) -> Figures:
        """Of the dense twin, which all combinations share."""
        return self._figures(conversion.twins.dense.network, conversion.report.dense)

    def compared(self, report: Report, dense: Figures, points: Sequence[Point]) -> Tradeoff:
        """All points so far. report: of any of them."""
        metric = self.judge.metric
        fronts = {cost.name: front(points, cost, metric) for cost in COSTS.values()}
        warnings = [*self.data.notes]
        if not self.data.held_out:
            apart = (
                "add x_test (and y_test)" if self.data.stream is None else f"put shards into the folder {TEST_FOLDER}"
            )
            warnings.append(f"all samples were used for calibration and training too; {apart} to hold some apart")
        if self.judge.labels is None:
            warnings.append(f"no labels: judged by {metric} with the float model")
        return Tradeoff(
            schema=SCHEMA,
            edgesparse=edgesparse.__version__,
            source=report.source,
            board=report.board,
            data=str(report.settings.data),
            metric=metric,
            float=self._float,
            dense=dense,
            points=tuple(points),
            fronts=fronts,
            knees={cost.name: knee(points, fronts[cost.name], cost, metric) for cost in COSTS.values()},
            warnings=tuple(warnings),
        )


def _kept(target: Path, points: Sequence[Point], candidates: Sequence[Settings]) -> str:
    return f"{target}: {len(points)} of {len(candidates)} combinations are done. The same command again goes on there"


def _prefixed(say: Progress, prefix: str) -> Progress:
    return lambda line: say(f"{prefix}: {line}")


def _candidates(
    settings: Mapping[str, Any],
    sparsity: Sequence[float],
    pattern: Sequence[str],
    method: Sequence[str],
    channels: Sequence[float],
) -> list[Settings]:
    """All combinations, each once: the sparsity of nm=N:M is its own."""
    if not (sparsity and pattern and method and channels):
        raise SettingsError(
            "a list of sparsities, patterns, methods or channels is empty; leave it out for the default"
        )
    found: dict[str, Settings] = {}
    for asked, shape, way, removed in product(sparsity, pattern, method, channels):
        values = {**settings, "pattern": shape, "method": way, "channels": removed}
        if parse_n_of_m(shape) is None:
            values["sparsity"] = asked
        chosen = choose_settings(values)
        found.setdefault(_name(chosen), chosen)
    return list(found.values())


def _name(chosen: Settings) -> str:
    """Of a combination's folder."""
    pattern = chosen.pattern.replace("nm=", "nm").replace(":", "of")
    removed = f"-channels{chosen.channels:g}" if chosen.channels else ""
    return f"{chosen.method}-{pattern}-{chosen.sparsity:g}{removed}"


def _checked(path: Path, candidates: Sequence[Settings], say: Progress) -> Dataset | Shards:
    """The samples; all that can be refused before the first conversion is refused here."""
    if path.suffix == ".tflite":
        raise ModelError(f"{path}: sweep prunes, and needs the Keras model that the file was made from")
    if not path.exists():
        raise ModelError(f"{path}: no such file or folder")
    source = candidates[0].data
    if source is None:
        raise SettingsError("sweep compares combinations by samples; give --data FILE")
    set_up(candidates[0], say)
    data = open_data(source, say)
    count = data.evaluation_samples if isinstance(data, Shards) else len(data.evaluation[0])
    if count < _FEWEST_SAMPLES:
        raise DataError(
            f"--data {source}: {count} samples to compare by; expected {_FEWEST_SAMPLES} "
            "or more, of which half choose and half judge"
        )
    return data


def _check_folder(target: Path, candidates: Sequence[Settings], *, force: bool) -> None:
    """OutputError where something else is there than a sweep, or what one left that was killed at its first point."""
    if not target.absolute().parent.is_dir():
        raise OutputError(f"{target.absolute().parent}: no such folder; create it, or choose another --out")
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise OutputError(f"{target}: is a file or a link; choose another folder with --out")
    if force or not target.is_dir() or (target / JSON_NAME).is_file():
        return
    ours = {_name(chosen) for chosen in candidates}
    if any(path.name not in ours and not path.name.startswith(".") for path in target.iterdir()):
        raise OutputError(f"{target}: holds no sweep; choose another --out, or give --force")


def _judge(path: Path, given: Dataset | Shards, *, unsafe: bool, seed: int, say: Progress) -> tuple[Dataset, Judge]:
    from edgesparse import keras_model
    from edgesparse.keras_model.check_data import check_data
    from edgesparse.training.survey import dataset_for

    loaded = keras_model.load(path, unsafe=unsafe)
    data = dataset_for(loaded.model, given, seed=seed, say=say)
    x, y = data.evaluation
    check_data(loaded.model, x, y)
    return data, Judge(
        reference=keras_model.predict(loaded.model, x),
        labels=y,
        classes=keras_model.final_activation(loaded.model) == "softmax",
        seed=seed,
    )


def _made(target: Path, key: str) -> frozenset[str]:
    """Names of the points that sweeps with the same key have made here."""
    try:
        stored = json.loads(read_file(target / JSON_NAME, MAX_REPORT_BYTES))
    except (OSError, ValueError, RecursionError, EdgesparseError):
        return frozenset()
    if not isinstance(stored, dict) or stored.get("key") != key or not isinstance(stored.get("made"), list):
        return frozenset()
    return frozenset(map(str, stored["made"]))


def _stored(folder: Path, chosen: Settings) -> _Conversion | None:
    """A point that is whole and was made with these settings."""
    try:
        conversion = _Conversion(read_report(folder), read_twins(folder))
    except InputError:
        return None
    return conversion if conversion.report.settings == chosen else None


def _write(target: Path, tradeoff: Tradeoff, key: str, made: frozenset[str]) -> None:
    value = tradeoff.to_json()
    assert isinstance(value, dict)
    write_json(target / JSON_NAME, {**value, "key": key, "made": sorted(made)})
    write_text(target / CSV_NAME, render_csv(tradeoff))
    write_text(target / PAGE_NAME, render_page(tradeoff))
