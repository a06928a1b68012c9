"""What benchmarks/methods makes of its rows: goals, means and missing seeds."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.methods.__main__ import key_of
from benchmarks.methods.tables import check_lines, tables
from benchmarks.methods.ways import DATASETS, GOALS

SETTINGS = {"method": "finetune", "pattern": "unstructured", "sparsity": 0.9}
EPOCHS = DATASETS["digits"].epochs
FIGURES = {"flash_bytes": 20_000, "ram_bytes": 4_000, "instructions": 300_000, "latency_ms": 20.0}


def rows_of(accuracies: list[float], settings: dict[str, Any] = SETTINGS) -> dict[str, dict[str, Any]]:
    return {
        key_of({**settings, "epochs": EPOCHS}, seed): {
            "settings": {**settings, "seed": seed, "epochs": EPOCHS},
            "accuracy": accuracy,
            "dense_accuracy": 0.99,
            "train_accuracy": 1.0,
            "dense": FIGURES,
            **FIGURES,
        }
        for seed, accuracy in enumerate(accuracies)
    }


def line_of(rows: dict[str, dict[str, Any]]) -> str:
    lines, _ = check_lines({name: rows if name == "digits" else {} for name in DATASETS})
    (line,) = [line for line in lines if line.startswith("digits") and "sparsity=0.9:" in line]
    return line


@pytest.mark.parametrize(
    ("accuracies", "verdict"), [([0.99, 0.98, 0.97], "ok"), ([0.99, 0.98, 0.96], "MISS"), ([1.0, 1.0, 1.0], "ok")]
)
def test_a_goal_is_judged_by_the_mean_of_the_seeds(accuracies: list[float], verdict: str) -> None:
    assert line_of(rows_of(accuracies)).endswith(f"limit -1.0: {verdict}")


def test_a_goal_with_a_seed_missing_is_not_met() -> None:
    assert "2 of 3 seeds" in line_of(rows_of([1.0, 1.0]))
    assert check_lines({name: {} for name in DATASETS})[1] is False


def test_every_goal_is_of_a_known_data_set() -> None:
    assert {goal.dataset for goal in GOALS} <= set(DATASETS)


def test_tables_give_mean_spread_and_gap_and_tell_the_number_of_seeds() -> None:
    rows = rows_of([0.99, 0.98, 0.97]) | rows_of([0.5], {**SETTINGS, "sparsity": 0.95})
    text = tables({"digits": rows})
    assert "| 3 | 98.0 % | 97.0 to 99.0 | -1.0 | 20,000 | 300,000 | 2.0 |" in text
    assert "| 1 | 50.0 % | 50.0 to 50.0 |" in text


def test_keys_differ_by_settings_and_seed_but_not_by_their_order() -> None:
    turned = dict(reversed(SETTINGS.items()))
    assert key_of(SETTINGS, 0) == key_of(turned, 0) != key_of(SETTINGS, 1)
