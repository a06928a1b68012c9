"""docs/reliability.md lists the faults that are tried, and no others."""

from __future__ import annotations

from collections import Counter

from tests.faults.document import DOCUMENT, with_table
from tests.faults.table import FAULTS
from tests.support.hostile_corpus import hostile_files


def test_the_document_has_the_table() -> None:
    text = DOCUMENT.read_text()
    assert text == with_table(text), "python -m tests.faults writes it"


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_the_document_counts_the_hostile_files() -> None:
    files = hostile_files()
    kinds = Counter(file.kind for file in files)
    text = " ".join(DOCUMENT.read_text().split())
    assert f"makes {len(files)} files" in text
    for kind, count in kinds.items():
        assert f"({count})" in text, kind
