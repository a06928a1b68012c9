"""docs/limits.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from edgesparse import limits


def test_the_documented_limits_are_those_of_the_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "limits.md").read_text()
    rows = re.findall(r"^\| ([A-Z_]+) \| ([0-9,]+) \|", text, flags=re.MULTILINE)
    assert {name: int(value.replace(",", "")) for name, value in rows} == {
        name: getattr(limits, name) for name in limits.__all__
    }
