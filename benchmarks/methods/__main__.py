"""Accuracy, size and instructions of every way to make a network sparse, on the data of the examples.

    python -m benchmarks.methods [--datasets digits mnist ...] [--seeds 0 1 2] [--again] [--goals-only] [--write]
    python -m benchmarks.methods --check

Each row is one `edgesparse convert` of examples/NAME/NAME.h5, firmware and emulator included. Rows that are in
benchmarks/methods/NAME.json are not measured again, unless --again says so; so a run that was interrupted goes on where
it was. --check measures nothing: it prints what the goals ask for and what the rows say; exit code 1 where one is
missed. --write puts the tables into docs/methods.md and draws the plots of the examples. The anomaly data needs
--aeon FOLDER, see its README.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import edgesparse
from benchmarks.methods.plots import plot
from benchmarks.methods.tables import check_lines, tables
from benchmarks.methods.ways import DATASETS, GOALS, WAYS, DatasetSpec
from edgesparse.missing import Missing
from edgesparse.network import Network
from edgesparse.record import to_json
from edgesparse.result import Accuracy, BuildFigures

_ROOT = Path(__file__).parents[2]
_ROWS = Path(__file__).parent
_DOC = _ROOT / "docs" / "methods.md"
_TRAIN_SAMPLES = 1000
"""About so many of those that were trained on tell the accuracy there: the reference interpreter takes its time."""
_BEGIN, _END = "<!-- made by make methods: begin -->\n", "<!-- made by make methods: end -->\n"


def main() -> int:
    """Measure what is missing, then print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", choices=tuple(DATASETS), default=list(DATASETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--again", action="store_true", help="measure all rows anew")
    parser.add_argument("--goals-only", action="store_true", help="only the rows that goals ask for")
    parser.add_argument("--check", action="store_true", help="measure nothing, print goals and figures")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/methods.md")
    parser.add_argument("--aeon", type=Path, default=Path("build/aeon"), help="where aeon is installed")
    arguments = parser.parse_args()
    if not arguments.check:
        for name in arguments.datasets:
            measure_missing(DATASETS[name], arguments)
    rows = {name: read_rows(name) for name in DATASETS}
    if arguments.check:
        lines, ok = check_lines(rows)
        print("\n".join(lines))
        return 0 if ok else 1
    text = tables(rows)
    print(text)
    if arguments.write:
        for name, found in rows.items():
            if found:
                plot(found, _ROOT / "examples" / name / f"{name}.svg", title=f"{name}, --method finetune")
        before, _, rest = _DOC.read_text(encoding="utf-8").partition(_BEGIN)
        _, _, after = rest.partition(_END)
        _DOC.write_text(f"{before}{_BEGIN}{text}{_END}{after}", encoding="utf-8")
    return 0


def read_rows(name: str) -> dict[str, dict[str, Any]]:
    """The rows of a data set, by key."""
    path = _ROWS / f"{name}.json"
    rows: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else {}
    return rows


def measure_missing(dataset: DatasetSpec, arguments: argparse.Namespace) -> None:
    """Measure the rows that the data set's file lacks, and write it after each. Those of goals come first."""
    wanted = [goal.settings for goal in GOALS if goal.dataset == dataset.name]
    if not arguments.goals_only:
        wanted += [way.settings for way in WAYS]
    rows = {} if arguments.again else read_rows(dataset.name)
    with tempfile.TemporaryDirectory() as work:
        samples = Path(work) / f"{dataset.name}.npz"
        for settings in wanted:
            for seed in arguments.seeds:
                key = key_of({**settings, "epochs": dataset.epochs}, seed)
                if key in rows:
                    continue
                if not samples.is_file():
                    write_samples(dataset, samples, arguments.aeon)
                rows[key] = measure(dataset, settings, seed, samples)
                print(f"{dataset.name} {key}: {rows[key]['accuracy']:.4f}", file=sys.stderr, flush=True)
                (_ROWS / f"{dataset.name}.json").write_text(json.dumps(rows, indent=1) + "\n")


def key_of(settings: Mapping[str, Any], seed: int) -> str:
    """What a row is found by."""
    return json.dumps({**settings, "seed": seed}, sort_keys=True)


def write_samples(dataset: DatasetSpec, path: Path, aeon: Path) -> None:
    """Run the example's data.py."""
    script = _ROOT / "examples" / dataset.name / "data.py"
    folder = [str(aeon)] if dataset.needs_folder else []
    subprocess.run([sys.executable, str(script), *folder, str(path)], check=True)


def measure(dataset: DatasetSpec, settings: Mapping[str, Any], seed: int, samples: Path) -> dict[str, Any]:
    """One conversion. Accuracies are shares; train_accuracy is None where all that is trained on is of one kind."""
    model = _ROOT / "examples" / dataset.name / f"{dataset.name}.h5"
    data = np.load(samples)
    with tempfile.TemporaryDirectory() as work:
        out = Path(work) / "out"
        report = edgesparse.convert(
            model, out=out, data=str(samples), epochs=dataset.epochs, vectors=2, seed=seed, **settings
        ).to_json()
        sparse, dense = (Network.load(out / name / "model.int8.tflite") for name in ("", "dense"))
    return {
        "settings": {**settings, "seed": seed, "epochs": dataset.epochs},
        **_accuracies(dataset, report.accuracy, sparse, dense, data),
        "zeros": report.model.sparsity,
        "macs": report.model.macs,
        **_costs(report.sparse),
        "dense": _costs(report.dense),
    }


def _costs(build: BuildFigures) -> dict[str, Any]:
    figures = to_json(build)
    return {key: figures[key] for key in ("flash_bytes", "ram_bytes", "instructions", "latency_ms")}


def _accuracies(
    dataset: DatasetSpec, accuracy: Accuracy | Missing, sparse: Network, dense: Network, data: Mapping[str, Any]
) -> dict[str, float | None]:
    if dataset.metric == "top1":
        if isinstance(accuracy, Missing):
            raise SystemExit(f"{dataset.name}: {accuracy.reason}")
        every = -(-len(data["x"]) // _TRAIN_SAMPLES)
        x, y = data["x"][::every], data["y"][::every]
        return {
            "accuracy": accuracy.sparse_int8,
            "dense_accuracy": accuracy.int8,
            "train_accuracy": float(np.mean(sparse.predict(x).argmax(axis=1) == y)),
        }
    return {"accuracy": _auc(sparse, data), "dense_accuracy": _auc(dense, data), "train_accuracy": None}


def _auc(network: Network, data: Mapping[str, npt.NDArray[Any]]) -> float:
    from sklearn.metrics import roc_auc_score

    errors = np.mean((network.predict(data["x_test"]) - data["x_test"]) ** 2, axis=1)
    return float(roc_auc_score(data["anomaly_test"], errors))


if __name__ == "__main__":
    sys.exit(main())
