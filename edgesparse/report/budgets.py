"""Which figures budgets are on, and whether they are kept."""

from __future__ import annotations

from edgesparse.budgets import BUDGETS, Limit, parse_budget
from edgesparse.missing import Missing
from edgesparse.report.fidelity import closeness
from edgesparse.result import Accuracy, BudgetRow, BuildFigures, Fidelity

__all__ = ["describe_budget", "judge_budgets"]


def judge_budgets(
    budget: str | None, sparse: BuildFigures, accuracy: Accuracy | Missing, fidelity: Fidelity | Missing
) -> tuple[BudgetRow, ...]:
    """Each limit of `budget` (as Settings has it) beside its figure. One whose figure is missing is not kept."""
    figures: dict[str, int | float | Missing] = {
        "flash": sparse.flash_bytes,
        "weights": sparse.weight_bytes,
        "ram": sparse.ram_bytes,
        "arena": sparse.arena_bytes,
        "instructions": sparse.instructions,
        "cycles": sparse.cycles,
        "latency": sparse.latency_ms,
        "accuracy-drop": _accuracy_drop(accuracy),
        "agreement": fidelity if isinstance(fidelity, Missing) else closeness(fidelity.sparse_vs_float)[1],
    }
    rows = []
    for limit in parse_budget(budget) if budget is not None else ():
        actual = figures[limit.name]
        rows.append(BudgetRow(limit.name, limit.value, actual, BUDGETS[limit.name].unit, _keeps(limit, actual)))
    return tuple(rows)


def _keeps(limit: Limit, actual: int | float | Missing) -> bool:
    if isinstance(actual, Missing):
        return False
    return actual >= limit.value if BUDGETS[limit.name].least else actual <= limit.value


def describe_budget(row: BudgetRow) -> str:
    """One line."""
    unit = f" {row.unit}" if row.unit else ""
    least = row.name in BUDGETS and BUDGETS[row.name].least
    limit = f"{'at least' if least else 'at most'} {row.limit:,}{unit}"
    if isinstance(row.actual, Missing):
        return f"budget {row.name}: cannot be checked against {limit}: {row.actual.reason}"
    verdict = "kept" if row.ok else "not reached" if least else "exceeded"
    return f"budget {row.name} {verdict}: {row.actual:,}{unit}, allowed {limit}"


def _accuracy_drop(accuracy: Accuracy | Missing) -> float | Missing:
    """Percentage points from the float model to the sparse int8 one."""
    if isinstance(accuracy, Missing):
        return accuracy
    if accuracy.metric == "mse":
        return Missing("the metric is mse; points of accuracy need labels that are whole numbers")
    return round((accuracy.float - accuracy.sparse_int8) * 100, 6)
