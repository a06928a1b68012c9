"""Write the fault table of docs/reliability.md once more: `python -m tests.faults`."""

from __future__ import annotations

from tests.faults.document import DOCUMENT, with_table

if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text()))
