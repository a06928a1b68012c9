"""`compare`: what counts as a regression."""

from __future__ import annotations

import copy
from fractions import Fraction
from typing import Any

import pytest

from edgesparse.errors import InputError, SettingsError
from edgesparse.report.compare import Comparison, compare_reports, parse_percent, parse_points

OLD: dict[str, Any] = {
    "edgesparse": "1",
    "source": {"sha256": "a" * 64},
    "settings": {"runtime": "aot", "sparsity": 0.8, "optimize": "latency"},
    "environment": {"toolchain": "gcc 12", "emulator": "unicorn"},
    "board": {"name": "mps2-an386"},
    "sparse": {
        "flash_bytes": 10000,
        "weight_bytes": 5000,
        "ram_bytes": 2000,
        "arena_bytes": 1000,
        "instructions": 100000,
        "cycles": 200000,
    },
    "accuracy": {"metric": "top1", "sparse_int8": 0.9},
    "fidelity": {"sparse_vs_float": {"top1_agreement": 0.95, "correlation": 0.9}},
}


def changed(part: str, **values: Any) -> dict[str, Any]:
    new = copy.deepcopy(OLD)
    new[part].update(values)
    return new


def compared(new: dict[str, Any], old: dict[str, Any] = OLD, **options: Any) -> Comparison:
    return compare_reports(old, new, tolerance=Fraction(1, 100), accuracy_tolerance=Fraction(1, 2), **options)


def regressions(new: dict[str, Any], old: dict[str, Any] = OLD) -> list[str]:
    return [figure.name for figure in compared(new, old).regressions]


def test_equal_reports_have_no_regression() -> None:
    result = compared(OLD)
    assert result.regressions == ()
    assert result.notes == ()
    assert result.as_json()["ok"] is True


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
    new = changed("fidelity", sparse_vs_float={"top1_agreement": 0.94, "correlation": 0.9})
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
    gone = {"unavailable": "no labels"}
    new = copy.deepcopy(OLD) | {"accuracy": gone}
    assert regressions(new) == ["accuracy (top1)"]
    assert "now not measured: no labels" in compared(new).regressions[0].describe()
    assert regressions(OLD, new) == [], "one that was not measured before is none"
    assert regressions(new, new) == []


def test_reports_of_different_boards_do_not_compare() -> None:
    new = changed("board", name="mps2-an500")
    with pytest.raises(InputError, match="mps2-an386 and mps2-an500"):
        compared(new)
    assert compared(new, any_board=True).notes == ("board differs: mps2-an386 and mps2-an500",)


def test_different_metrics_do_not_compare() -> None:
    with pytest.raises(InputError, match="top1 and mse"):
        compared(changed("accuracy", metric="mse"))


def test_what_else_differs_is_noted() -> None:
    new = changed("environment", toolchain="zig 0.13") | {"source": {"sha256": "b" * 64}}
    assert compared(new).notes == (
        "model file differs: aaaaaaaaaaaa and bbbbbbbbbbbb",
        "toolchain differs: gcc 12 and zig 0.13",
    )


def test_tolerances_need_their_units() -> None:
    assert parse_percent("1%", "tolerance") == Fraction(1, 100)
    assert parse_percent("0.5%", "tolerance") == Fraction(1, 200)
    assert parse_points("0.5pt", "accuracy_tolerance") == Fraction(1, 2)
    for text in ("1", "1pt", "%", "-1%", "1 %%", "nan%", "1e2%", "."):
        with pytest.raises(SettingsError, match="tolerance"):
            parse_percent(text, "tolerance")
    with pytest.raises(SettingsError, match="accuracy_tolerance"):
        parse_points("1%", "accuracy_tolerance")
