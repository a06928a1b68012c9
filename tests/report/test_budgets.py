"""Budgets: what is accepted, and what is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgesparse.budgets import BUDGETS, Limit, check_budgets, parse_budget
from edgesparse.errors import SettingsError
from edgesparse.missing import Missing
from edgesparse.report.budgets import describe_budget, judge_budgets
from edgesparse.report.report import Report
from edgesparse.result import BudgetRow
from edgesparse.settings import Settings
from tests.support.reports import SAMPLE, changed

REPORT = changed("sparse", changed("accuracy", float=0.92, sparse_int8=0.91), flash_bytes=98304, ram_bytes=32768)


def judged(budget: str | None, report: Report = REPORT) -> tuple[BudgetRow, ...]:
    return judge_budgets(budget, report.sparse, report.accuracy, report.fidelity)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("flash=96K", "flash", 98304),
        ("flash=98304", "flash", 98304),
        ("flash=98304B", "flash", 98304),
        ("ram=1M", "ram", 1048576),
        ("arena=1.5K", "arena", 1536),
        ("latency=20ms", "latency", 20.0),
        ("latency=500us", "latency", 0.5),
        ("latency=0.02s", "latency", 20.0),
        ("instructions=1000000", "instructions", 1000000),
        ("accuracy-drop=0.5pt", "accuracy-drop", 0.5),
        ("agreement=95%", "agreement", 0.95),
        ("agreement=0.95", "agreement", 0.95),
    ],
)
def test_a_limit_is_read_in_its_unit(text: str, name: str, value: float) -> None:
    assert parse_budget(text) == (Limit(name, value),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected name=limit"),
        ("flash", "expected name=limit"),
        ("flash=", "expected name=limit"),
        ("flash=1K,", "expected name=limit"),
        ("size=1K", "known: flash="),
        ("flash=1KB", "expected N|NB|NK|NM"),
        ("flash=1k", "expected N|NB|NK|NM"),
        ("flash=-1K", "expected N|NB|NK|NM"),
        ("flash=0.3K", "whole number of bytes"),
        ("flash=1e5", "expected"),
        ("latency=20", "expected Nus|Nms|Ns"),
        ("instructions=2M", "expected N,"),
        ("instructions=1.5", "whole number"),
        ("accuracy-drop=1%", "expected Npt"),
        ("flash=1K,flash=2K", "twice"),
    ],
)
def test_anything_else_is_refused_with_what_is_known(text: str, expected: str) -> None:
    with pytest.raises(SettingsError, match="budget") as raised:
        parse_budget(text)
    assert expected in str(raised.value)
    with pytest.raises(SettingsError):
        Settings(budget=text)


def test_a_figure_at_its_limit_is_kept_and_one_beyond_is_not() -> None:
    at = "flash=96K,weights=5000,ram=32K,arena=1000,instructions=100000,cycles=200000,latency=20ms,accuracy-drop=1pt"
    assert all(row.ok for row in judged(f"{at},agreement=95%"))
    under = "flash=98303,weights=4999,ram=32767,arena=999,instructions=99999,cycles=199999,latency=19.999ms"
    assert not any(row.ok for row in judged(f"{under},accuracy-drop=0.99pt,agreement=95.1%"))


def test_every_budget_has_a_figure() -> None:
    limits = {"bytes": "1", "": "1", "ms": "1ms", "pt": "1pt"}
    rows = judged(",".join(f"{name}={limits[budget.unit]}" for name, budget in BUDGETS.items()))
    assert [row.name for row in rows] == list(BUDGETS)


def test_a_row_has_the_limit_the_figure_and_their_unit() -> None:
    (row,) = judged("flash=64K")
    assert row == BudgetRow(name="flash", limit=65536, actual=98304, unit="bytes", ok=False)
    assert describe_budget(row) == "budget flash exceeded: 98,304 bytes, allowed at most 65,536 bytes"
    (row,) = judged("agreement=0.99")
    assert describe_budget(row) == "budget agreement not reached: 0.95, allowed at least 0.99"


def test_no_budget_has_no_rows() -> None:
    assert judged(None) == ()


def test_a_figure_that_is_unavailable_is_not_kept_and_says_why() -> None:
    report = changed("sparse", changed("accuracy", metric="mse"), cycles=Missing("QEMU counts none"))
    rows = judged("cycles=1,accuracy-drop=1pt,agreement=0.9", replace(report, fidelity=Missing("no float model")))
    assert not any(row.ok for row in rows)
    lines = [describe_budget(row) for row in rows]
    assert lines[0] == "budget cycles: cannot be checked against at most 1: QEMU counts none"
    assert "mse" in lines[1]
    assert "no float model" in lines[2]


def test_agreement_is_the_correlation_where_there_are_no_classes() -> None:
    assert not isinstance(SAMPLE.fidelity, Missing)
    distance = replace(SAMPLE.fidelity.sparse_vs_float, top1_agreement=None, correlation=0.97)
    (row,) = judged("agreement=0.97", changed("fidelity", sparse_vs_float=distance))
    assert (row.ok, row.actual) == (True, 0.97)


def test_what_a_run_cannot_measure_is_refused_before_it() -> None:
    check_budgets("flash=1", accuracy="no labels", agreement="no float model")
    check_budgets(None, accuracy="no labels")
    with pytest.raises(SettingsError, match="accuracy-drop cannot be measured: no labels"):
        check_budgets("flash=1,accuracy-drop=1pt", accuracy="no labels")
    with pytest.raises(SettingsError, match="agreement cannot be measured: no float model"):
        check_budgets("agreement=1", agreement="no float model")
