"""Fronts, bends, intervals, and how they are shown."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest

from edgesparse.missing import Missing
from edgesparse.report.show.tradeoff import render_csv, render_page, tradeoff_table
from edgesparse.report.tradeoff import COSTS, Estimate, Figures, Judge, Metric, Point, Tradeoff, front, knee
from edgesparse.settings import Settings
from tests.support.reports import SAMPLE

RNG = np.random.default_rng(0)
FLASH = COSTS["flash"]


def point(name: str, flash_bytes: int, validation: float, test: float = 0.5, settings: Settings | None = None) -> Point:
    figures = Figures(
        validation=Estimate(validation, validation, validation, 10),
        test=Estimate(test, test - 0.1, test + 0.1, 10),
        sparsity=0.5,
        flash_bytes=flash_bytes,
        ram_bytes=100,
        instructions=1000,
        cycles=2000,
        latency_ms=Missing("no clock"),
    )
    return Point(name, settings or Settings(), f"edgesparse convert {name}", figures)


POINTS = (
    point("a", 100, 0.5),
    point("worse", 120, 0.5),
    point("b", 200, 0.9),
    point("c", 400, 0.95),
    point("dear", 500, 0.94),
    Point("broken", Settings(), "", Missing("does not fit <b>")),
)


DENSE = point("dense", 600, 0.95).figures
assert isinstance(DENSE, Figures)


def tradeoff(points: tuple[Point, ...] = POINTS, metric: Metric = "top1") -> Tradeoff:
    fronts = {cost.name: front(points, cost, metric) for cost in COSTS.values()}
    return Tradeoff(
        schema=1,
        edgesparse="0",
        source=SAMPLE.source,
        board=SAMPLE.board,
        data="x.npz",
        metric=metric,
        float=Estimate(0.96, 0.9, 0.99, 10),
        dense=DENSE,
        points=points,
        fronts=fronts,
        knees={cost.name: knee(points, fronts[cost.name], cost, metric) for cost in COSTS.values()},
        warnings=("all of it",),
    )


def test_a_front_has_what_nothing_cheaper_equals_on_validation() -> None:
    assert front(POINTS, FLASH, "top1") == ("a", "b", "c")
    assert front(POINTS, COSTS["latency"], "top1") == ()
    assert front(POINTS, COSTS["ram"], "top1") == ("c",), "of equal costs the best"


def test_a_small_error_is_better() -> None:
    assert front(POINTS, FLASH, "mse") == ("a",)


def test_test_samples_choose_nothing() -> None:
    judged = tuple(replace(p, figures=replace(p.figures, test=Estimate(i / 9, 0, 1, 10)))
                   if isinstance(p.figures, Figures) else p for i, p in enumerate(POINTS))  # fmt: skip
    assert front(judged, FLASH, "top1") == front(POINTS, FLASH, "top1")


def test_the_knee_is_where_the_front_bends_most() -> None:
    assert knee(POINTS, ("a", "b", "c"), FLASH, "top1") == "b"
    assert isinstance(knee(POINTS, ("a", "c"), FLASH, "top1"), Missing)
    straight = (point("a", 100, 0.1), point("b", 200, 0.2), point("c", 300, 0.3))
    assert isinstance(knee(straight, ("a", "b", "c"), FLASH, "top1"), Missing)


def judge(reference: np.ndarray, labels: np.ndarray | None, *, classes: bool = True) -> Judge:
    return Judge(reference.astype(np.float32), labels, classes, seed=3)


def test_halves_share_no_sample_and_miss_none() -> None:
    validation, test = judge(np.zeros((101, 2)), None).halves()
    assert len(validation) == 50
    assert sorted([*validation, *test]) == list(range(101))


@pytest.mark.parametrize(
    ("right", "low", "high"), [(0, 0.0, 0.2775), (10, 0.7225, 1.0), (8, 0.4902, 0.9433)]
)  # Wilson's interval of ten, as in tables
def test_shares_have_wilsons_interval(right: int, low: float, high: float) -> None:
    outputs = np.eye(2, dtype=np.float32)[[0] * right + [1] * (10 - right)]
    found = judge(outputs, np.zeros(10, np.int64)).estimate(outputs, np.arange(10))
    assert found == Estimate(right / 10, pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4), 10)


def test_without_labels_the_float_model_is_the_measure() -> None:
    reference = RNG.random((40, 3))
    assert judge(reference, None).metric == "agreement"
    assert judge(reference, None).estimate(reference.astype(np.float32), np.arange(40)).value == 1.0
    values = judge(reference, None, classes=False)
    assert values.metric == "correlation"
    assert values.estimate(reference.astype(np.float32), np.arange(40)).value == 1.0
    noisy = (reference + RNG.normal(0, 0.3, reference.shape)).astype(np.float32)
    found = values.estimate(noisy, np.arange(40))
    assert found.low < found.value < found.high < 1


def test_one_output_is_a_class_above_a_half() -> None:
    outputs = np.array([[0.2], [0.7], [0.9], [0.4]], np.float32)
    assert judge(outputs, np.array([0, 1, 0, 0])).estimate(outputs, np.arange(4)).value == 0.75


def test_float_targets_are_judged_by_their_error() -> None:
    outputs = np.zeros((50, 1), np.float32)
    found = judge(outputs, np.full((50, 1), 2.0)).estimate(outputs, np.arange(50))
    assert (found.value, found.low, found.high) == (4.0, 4.0, 4.0)


def test_csv_has_a_line_for_each_point() -> None:
    rows = list(csv.DictReader(io.StringIO(render_csv(tradeoff()))))
    assert [row["name"] for row in rows] == ["dense", "a", "worse", "b", "c", "dear", "broken"]
    assert rows[3]["flash_bytes"] == "200"
    assert rows[3]["fronts"] == "flash"
    assert rows[3]["knees"] == "flash"
    assert rows[6]["error"] == "does not fit <b>"
    assert rows[1]["latency_ms"] == ""


def test_the_page_escapes_and_needs_nothing_else() -> None:
    page = render_page(tradeoff())
    assert "does not fit &lt;b&gt;" in page
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert page.count('<svg class="plot"') == 3, "latency is missing: no plot of it"
    assert "edgesparse convert b" in page
    for metric in ("mse", "agreement", "correlation"):
        render_page(tradeoff(metric=metric))


def test_points_that_are_all_alike_have_a_page() -> None:
    render_page(tradeoff((point("a", 0, 0.5, 0.5), point("b", 0, 0.5, 0.5), point("c", 0, 0.5, 0.5))))


def test_the_table_names_what_failed() -> None:
    shown = [str(part) for part in tradeoff_table(tradeoff())]
    assert any("broken: does not fit" in line for line in shown)
    assert any("6 combinations compared" in line for line in shown)
