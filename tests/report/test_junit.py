"""JUnit XML: the structure that the schemas of Ant and of Jenkins have in common."""

from __future__ import annotations

import datetime
from fractions import Fraction
from xml.etree import ElementTree

from edgesparse.report.compare import compare_reports
from edgesparse.report.show.junit import Case, budget_cases, comparison_cases, render_junit
from edgesparse.result import BudgetRow
from tests.support.reports import SAMPLE, changed

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)

SUITE = {"name", "timestamp", "hostname", "tests", "failures", "errors", "time", "id", "package"}


def parse(text: str) -> ElementTree.Element:
    """The suite, after its structure has been checked."""
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    (suite,) = root
    assert set(suite.attrib) == SUITE, "all that Ant's schema requires, and nothing unknown to Jenkins'"
    tags = [child.tag for child in suite]
    cases = tags.count("testcase")
    assert tags == ["properties", *["testcase"] * cases, "system-out", "system-err"]
    assert int(suite.attrib["tests"]) == cases
    for case in suite.iter("testcase"):
        assert set(case.attrib) == {"name", "classname", "time"}
        for child in case:
            assert child.tag == "failure"
            assert set(child.attrib) == {"type", "message"}
    assert int(suite.attrib["failures"]) == len(list(suite.iter("failure")))
    datetime.datetime.strptime(suite.attrib["timestamp"], "%Y-%m-%dT%H:%M:%S")
    return suite


def test_every_budget_is_a_case_and_missed_ones_fail() -> None:
    rows = [
        BudgetRow(name="flash", limit=1, actual=2, unit="bytes", ok=False),
        BudgetRow(name="ram", limit=2, actual=1, unit="bytes", ok=True),
    ]
    suite = parse(render_junit("edgesparse.budgets", budget_cases(rows), now=NOW))
    assert suite.attrib["timestamp"] == "2026-01-02T03:04:05"
    assert [(case.attrib["name"], len(case)) for case in suite.iter("testcase")] == [("flash", 1), ("ram", 0)]
    (failure,) = suite.iter("failure")
    assert failure.attrib["message"] == "budget flash exceeded: 2 bytes, allowed at most 1 bytes"


def test_every_judged_figure_is_a_case_and_regressions_fail() -> None:
    result = compare_reports(
        SAMPLE, changed("sparse", ram_bytes=3000), tolerance=Fraction(0), accuracy_tolerance=Fraction(0)
    )
    suite = parse(render_junit("edgesparse.compare", comparison_cases(result), now=NOW))
    names = [case.attrib["name"] for case in suite.iter("testcase")]
    assert names == ["flash", "RAM", "instructions", "accuracy (top1)", "top1 agreement with the float model"]
    assert [case.attrib["name"] for case in suite.iter("testcase") if len(case)] == ["RAM"]


def test_no_case_is_a_valid_suite() -> None:
    parse(render_junit("edgesparse.budgets", [], now=NOW))


def test_text_from_files_is_escaped() -> None:
    hostile = "a\x00b\ud800<failure>&'\""
    suite = parse(render_junit("edgesparse.budgets", [Case(hostile, failure=hostile, output=hostile)], now=NOW))
    (case,) = suite.iter("testcase")
    assert case.attrib["name"] == "a\ufffdb\ufffd<failure>&'\""
