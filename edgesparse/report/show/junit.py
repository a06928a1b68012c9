"""Budgets and comparisons as JUnit XML, which every CI reads.

The elements, attributes and their order are those that both common schemas allow, the one of Apache Ant and the one of
Jenkins: testsuites > testsuite > properties, testcase (failure | skipped), system-out, system-err.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from edgesparse.report.budgets import describe_budget
from edgesparse.report.compare import Comparison
from edgesparse.report.show.figures import clean, exact, is_missing
from edgesparse.result import BudgetRow

__all__ = ["Case", "budget_cases", "comparison_cases", "render_junit"]


@dataclass(frozen=True)
class Case:
    """A check. `failure`: what is wrong, "" for nothing. `output`: what was found."""

    name: str
    failure: str = ""
    output: str = ""


def budget_cases(budgets: Sequence[BudgetRow]) -> list[Case]:
    """One case per budget."""
    lines = [(row, describe_budget(row)) for row in budgets]
    return [Case(row.name, "" if row.ok else line, line) for row, line in lines]


def comparison_cases(comparison: Comparison) -> list[Case]:
    """One case per figure that can regress, of those that were measured."""
    cases = []
    for figure in comparison.figures:
        if figure.checked and not is_missing(figure.old):
            unit = f" {figure.unit}" if figure.unit else ""
            found = f"{exact(figure.old)} to {exact(figure.new)}{unit} {figure.change}".rstrip()
            cases.append(Case(figure.name, "" if figure.ok else figure.describe(), found))
    return cases


def render_junit(suite: str, cases: Sequence[Case], *, now: datetime.datetime) -> str:
    """The XML. `suite`: edgesparse.budgets or edgesparse.compare. now: in UTC."""
    root = ElementTree.Element("testsuites")
    element = ElementTree.SubElement(
        root,
        "testsuite",
        name=suite,
        tests=str(len(cases)),
        failures=str(sum(bool(case.failure) for case in cases)),
        errors="0",
        time="0",
        timestamp=now.strftime("%Y-%m-%dT%H:%M:%S"),
        hostname="localhost",
        id="0",
        package="edgesparse",
    )
    ElementTree.SubElement(element, "properties")
    for case in cases:
        test = ElementTree.SubElement(element, "testcase", name=clean(case.name), classname=suite, time="0")
        if case.failure:
            text = clean(case.failure)
            ElementTree.SubElement(test, "failure", type="LimitExceeded", message=text).text = text
    output = clean("\n".join(f"{case.name}: {case.output}" for case in cases))
    ElementTree.SubElement(element, "system-out").text = output
    ElementTree.SubElement(element, "system-err")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
