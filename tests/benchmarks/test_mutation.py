"""Mutation testing: what is counted, and that its groups and its table are of this tree."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks.mutation import GROUPS, LEAST, Score, read_scores, table

ROOT = Path(__file__).parents[2]


def test_groups_name_modules_and_tests_that_are_there() -> None:
    for group in GROUPS.values():
        assert all(list(ROOT.glob(pattern)) for pattern in group.modules)
        assert all((ROOT / path).exists() for path in group.tests if path.startswith("tests"))


def test_what_no_test_noticed_and_what_no_test_reached_is_missed(tmp_path: Path) -> None:
    codes = {
        "killed": 1,
        "internal error": 3,
        "endless": -24,
        "survived": 0,
        "untested": 33,
        "not run": None,
        "odd": -11,
    }
    path = tmp_path / "mutants" / "edgesparse" / "a.py.meta"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"exit_code_by_key": codes}))
    (score,) = read_scores(tmp_path)
    assert score == Score("edgesparse/a.py", 7, ("survived", "untested", "not run", "odd"), ("endless",))
    assert score.noticed == 3


def test_the_table_sums_up() -> None:
    scores = [Score("a.py", 1000, ("x",) * 25, ()), Score("__init__.py", 0, (), ()), Score("b.py", 200, (), ("y",))]
    assert list(table(scores))[2:] == [
        "| a.py | 1,000 | 975 | 97.5 % |",
        "| b.py | 200 | 200 | 100.0 % |",
        "| all | 1,200 | 1,175 | 97.9 % |",
    ]


def test_the_documented_table_has_every_module_and_the_scores_that_are_asked_for() -> None:
    text = (ROOT / "docs" / "mutation.md").read_text()
    rows = re.findall(r"^\| (\S+) \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) % \|$", text, flags=re.MULTILINE)
    modules = {
        str(path.relative_to(ROOT))
        for group in GROUPS.values()
        for pattern in group.modules
        for path in ROOT.glob(pattern)
        if path.name != "__init__.py"
    }
    assert {name for name, *_ in rows} == {*modules, "all"}
    numbers = {
        name: (int(mutants.replace(",", "")), int(noticed.replace(",", ""))) for name, mutants, noticed, _ in rows
    }
    total = numbers.pop("all")
    assert total == tuple(map(sum, zip(*numbers.values(), strict=True)))
    assert all(float(score) >= LEAST for *_, score in rows)
