"""The fault table as docs/reliability.md has it."""

from __future__ import annotations

from pathlib import Path

from tests.faults.table import FAULTS

__all__ = ["DOCUMENT", "table", "with_table"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
_BEGIN, _END = "<!-- faults: begin -->\n", "<!-- faults: end -->\n"


def table() -> str:
    """One line for each fault."""
    lines = ["| fault | command | exit code | message |", "| --- | --- | ---: | --- |"]
    for fault in FAULTS:
        says = fault.says.replace("|", "` or `") if fault.says != "." else ""
        command = fault.command[0] + (", second run" if fault.before else "")
        lines.append(
            f"| {fault.name} | {command} | {fault.code} | {f'`{says}`' if says else 'what was wrong with it'} |"
        )
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """The document with the table as it should be."""
    before, _, rest = text.partition(_BEGIN)
    return f"{before}{_BEGIN}\n{table()}\n{_END}{rest.partition(_END)[2]}"
