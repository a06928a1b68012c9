"""`compare`: what counts as a regression."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from edgesparse.errors import InputError, SettingsError
from edgesparse.missing import Missing
from edgesparse.report.compare import Comparison, compare_reports, parse_percent, parse_points
from edgesparse.report.report import Report
from edgesparse.result import OutputDistance
from tests.support.reports import SAMPLE as OLD
from tests.support.reports import changed


def compared(new: Report, old: Report = OLD, **options: Any) -> Comparison:
    return compare_reports(old, new, tolerance=Fraction(1, 100), accuracy_tolerance=Fraction(1, 2), **options)


def regressions(new: Report, old: Report = OLD) -> list[str]:
    return [figure.name for figure in compared(new, old).regressions]


def test_equal_reports_have_no_regression() -> None:
    result = compared(OLD)
    assert result.regressions == ()
    assert result.notes == ()
    assert result.to_json()["ok"] is True


@pytest.mark.parametrize(
    ("field", "name", "at", "over"),
    [
        ("flash_bytes", "flash", 10100, 10101),
        ("ram_bytes", "RAM", 2020, 2021),
        ("instructions", "instructions", 101000, 101001),
    ],
)
def test_a_rise_is_tolerated_up_to_the_tolerance(field: str, name: str, at: int, over: int) -> None:
    assert regressions(changed("sparse", **{field: at})) == []
    assert regressions(changed("sparse", **{field: over})) == [name]
    assert regressions(changed("sparse", **{field: 1})) == [], "less is no regression"


@pytest.mark.parametrize("field", ["cycles", "weight_bytes", "arena_bytes"])
def test_estimates_and_parts_are_shown_but_not_judged(field: str) -> None:
    result = compared(changed("sparse", **{field: 10**9}))
    assert result.regressions == ()
    assert any(figure.new == 10**9 and not figure.checked for figure in result.figures)


def test_accuracy_falls_in_points() -> None:
    assert regressions(changed("accuracy", sparse_int8=0.895)) == []
    assert regressions(changed("accuracy", sparse_int8=0.8949)) == ["accuracy (top1)"]
    assert regressions(changed("accuracy", sparse_int8=1.0)) == []
    distance = OutputDistance(top1_agreement=0.94, correlation=0.9, mean_abs_error=0.0, max_abs_error=0.0)
    new = changed("fidelity", sparse_vs_float=distance)
    assert regressions(new) == ["top1 agreement with the float model"]


def test_a_mean_squared_error_rises_by_a_share() -> None:
    old = changed("accuracy", metric="mse", sparse_int8=0.001)
    assert regressions(changed("accuracy", metric="mse", sparse_int8=0.00101), old) == []
    assert regressions(changed("accuracy", metric="mse", sparse_int8=0.00102), old) == ["mean squared error"]


def test_all_regressions_are_listed() -> None:
    new = changed("sparse", flash_bytes=20000, ram_bytes=4000, instructions=200000)
    assert regressions(new) == ["flash", "RAM", "instructions"]
    line = compared(new).regressions[0].describe()
    assert line == "regression of flash: 10,000 to 20,000 bytes (+100.00%), tolerated +1%"


def test_a_figure_that_is_no_longer_measured_is_a_regression() -> None:
    new = replace(OLD, accuracy=Missing("no labels"))
    assert regressions(new) == ["accuracy (top1)"]
    assert "now not measured: no labels" in compared(new).regressions[0].describe()
    assert regressions(OLD, new) == [], "one that was not measured before is none"
    assert regressions(new, new) == []


def test_reports_of_different_boards_do_not_compare() -> None:
    new = changed("board", name="mps2-an500")
    with pytest.raises(InputError, match="nucleo-l4r5zi and mps2-an500"):
        compared(new)
    assert compared(new, any_board=True).notes == ("board differs: nucleo-l4r5zi and mps2-an500",)


def test_different_metrics_do_not_compare() -> None:
    with pytest.raises(InputError, match="top1 and mse"):
        compared(changed("accuracy", metric="mse"))


def test_what_else_differs_is_noted() -> None:
    new = changed("environment", changed("source", sha256="b" * 64), toolchain="zig 0.13")
    assert compared(new).notes == (
        "model file differs: aaaaaaaaaaaa and bbbbbbbbbbbb",
        "toolchain differs: gcc 12 and zig 0.13",
    )


def test_what_json_has_of_a_comparison() -> None:
    value = compared(changed("sparse", cycles=Missing("QEMU"), ram_bytes=4000)).to_json()
    assert list(value) == ["ok", "figures", "notes"]
    by_name = {figure["name"]: figure for figure in value["figures"]}
    assert value["ok"] is False
    assert by_name["RAM"] == {
        **{"name": "RAM", "unit": "bytes", "old": 2000, "new": 4000, "change": "+100.00%"},
        **{"checked": True, "ok": False, "tolerance": "+1%"},
    }
    assert by_name["cycles (estimate)"]["new"] == {"unavailable": "QEMU"}


def test_tolerances_need_their_units() -> None:
    assert parse_percent("1%", "tolerance") == Fraction(1, 100)
    assert parse_percent("0.5%", "tolerance") == Fraction(1, 200)
    assert parse_points("0.5pt", "accuracy_tolerance") == Fraction(1, 2)
    for text in ("1", "1pt", "%", "-1%", "1 %%", "nan%", "1e2%", "."):
        with pytest.raises(SettingsError, match="tolerance"):
            parse_percent(text, "tolerance")
    with pytest.raises(SettingsError, match="accuracy_tolerance"):
        parse_points("1%", "accuracy_tolerance")
