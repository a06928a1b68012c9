"""Report: as attributes, as JSON, as text, and read from a file that may be damaged."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from edgesparse import record
from edgesparse.errors import InputError, OutputError
from edgesparse.missing import Missing
from edgesparse.report.budgets import judge_budgets
from edgesparse.report.compare import compare_reports
from edgesparse.report.report import Report
from edgesparse.report.show.html import render_html
from edgesparse.report.show.junit import budget_cases
from edgesparse.report.show.reproduce import command_line
from edgesparse.report.show.terminal import summary
from edgesparse.report.stored import read_report, read_report_at
from tests.support.reports import SAMPLE, changed

OTHER_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 1.5, "\ud800", [1], {"a": 1}, {"unavailable": "why"}),
    *(10**400, 1e308, float("inf")),
)


def printed(report: Report) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        for part in summary(report):
            console.print(part)
    return captured.get()


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Places in JSON; of each list the first item."""
    keys: list[str | int] = list(value) if isinstance(value, dict) else [0] if isinstance(value, list) and value else []
    for key in keys:
        yield (*path, key)
        yield from paths(value[key], (*path, key))


def parent_of(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value


def test_json_and_back_is_the_same_report() -> None:
    value = SAMPLE.to_json()
    text = json.dumps(value, allow_nan=False)
    assert record.from_json(Report, json.loads(text)) == SAMPLE
    assert value["sparse"]["flash_bytes"] == SAMPLE.sparse.flash_bytes
    assert value["ratio"]["cycles"] == {"unavailable": "no cycles"}


def test_no_figure_is_null() -> None:
    value = SAMPLE.to_json()
    del value["settings"]
    assert "null" not in json.dumps(value)
    assert "instructions_per_mac" not in value["profile"]["sparse"]["layers"][1]


def test_parts_that_nobody_asked_for_are_left_out() -> None:
    value = replace(SAMPLE, profile=None, dataset=None, device=None).to_json()
    assert not {"profile", "dataset", "device"} & set(value)


def test_repr_is_the_verdict_and_the_totals_as_plain_text() -> None:
    lines = repr(SAMPLE).splitlines()
    assert lines[0].startswith(
        "Usable: top1 agreement with the float model is 0.95. Against its dense twin: flash 1.70x"
    )
    assert lines[1] == "models/a.h5 on nucleo-l4r5zi (cortex-m4, 4 MHz)"
    assert lines[2].split() == ["dense", "sparse", "dense", "/", "sparse"]
    assert lines[3].split() == ["flash", "17,000", "B", "10,000", "B", "1.70"]
    assert len({len(line) for line in lines[2:]}) == 1, "the columns are aligned"


def test_the_notebook_shows_the_same_with_names_escaped() -> None:
    html = changed("source", path="<script>\x00")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;\N{REPLACEMENT CHARACTER}" in html
    assert html.startswith("<p><strong>Usable: top1 agreement")
    assert "17,000 B" in html
    assert "10,000 B" in html


def test_a_figure_that_is_missing_is_shown_without_its_reason() -> None:
    text = repr(changed("sparse", cycles=Missing("<none>")))
    (line,) = (line for line in text.splitlines() if line.startswith("cycles"))
    assert line.split()[-2:] == ["unavailable", "-"]


def test_unsafe_is_shown_and_is_in_the_command() -> None:
    assert not any("--unsafe" in shown for shown in (printed(SAMPLE), render_html(SAMPLE), command_line(SAMPLE)))
    unsafe = changed("source", unsafe=True)
    assert unsafe.to_json()["source"]["unsafe"] is True
    assert "loaded with --unsafe" in printed(unsafe)
    assert "loaded with --unsafe" in render_html(unsafe)
    assert command_line(unsafe).endswith(" --unsafe")


def test_a_damaged_report_is_one_line_that_names_the_place(tmp_path: Path) -> None:
    value = SAMPLE.to_json()
    value["layers"][1]["macs"] = "many"
    (tmp_path / "report.json").write_text(json.dumps(value))
    with pytest.raises(OutputError) as raised:
        read_report(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path / 'report.json'}: damaged or not complete: layers[1].macs: expected int, got 'many'; "
        "run edgesparse convert again"
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '{"schema": 1}', '{"schema": 2}', '{"schema": true}'])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(OutputError):
        read_report(tmp_path)


def test_a_file_of_too_many_brackets_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"schema": 1, "source": ' + "[" * 100_000)
    with pytest.raises(OutputError, match="cannot be read"):
        read_report(tmp_path)


def test_a_plan_of_layers_that_there_are_not_is_refused() -> None:
    value = SAMPLE.to_json()
    value["arena_plan"][0]["last_layer"] = 2
    with pytest.raises(InputError, match="arena_plan: 'input' is in use in layers 0 to 2"):
        record.from_json(Report, value)


def test_settings_that_are_out_of_range_are_refused_where_they_stand() -> None:
    value = SAMPLE.to_json()
    value["settings"]["sparsity"] = 1.5
    with pytest.raises(InputError, match=r"^settings: sparsity: expected a number from 0 to 0\.99"):
        record.from_json(Report, value)


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"has no report\.json"):
        read_report(tmp_path)
    (tmp_path / "report.json").write_text('{"schema": 2}')
    with pytest.raises(OutputError, match="schema 1"):
        read_report(tmp_path)


def uses(report: Report) -> None:
    """All that people do with a report that was read."""
    render_html(report)
    printed(report)
    repr(report)
    report._repr_html_()
    command_line(report)
    budget_cases(report.budgets)
    judge_budgets(report.settings.budget, report.sparse, report.accuracy, report.fidelity)
    for old, new in ((report, SAMPLE), (SAMPLE, report)):
        compare_reports(old, new, tolerance=Fraction(1, 100), accuracy_tolerance=Fraction(1), any_board=True)
    json.dumps(report.to_json(), allow_nan=False)


def test_no_key_that_is_missing_or_of_another_type_is_more_than_an_error_in_words(tmp_path: Path) -> None:
    whole = json.loads(json.dumps(SAMPLE.to_json()))
    path = tmp_path / "report.json"
    read = refused = 0
    for place in paths(whole):
        for value in [..., *OTHER_VALUES]:
            damaged = copy.deepcopy(whole)
            parent = parent_of(damaged, place)
            if value is ...:
                del parent[place[-1]]
            else:
                parent[place[-1]] = value
            path.write_text(json.dumps(damaged))
            try:
                report = read_report_at(path)
                read += 1
                uses(report)
            except (InputError, OutputError):
                refused += 1
            except Exception as error:
                raise AssertionError(f"{place}: {value!r}") from error
    assert refused > read > 0
