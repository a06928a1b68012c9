"""What is made once for all faults: an output of a run that nothing went wrong in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.table import FIRMWARE
from tests.faults.workplace import prepared


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, gcc: str, qemu: str) -> Path:
    """A workplace that has run once: `out` is whole."""
    place = prepared(tmp_path_factory.mktemp("made"))
    result = place.run(*FIRMWARE)
    assert result.code == 0, result.errors
    assert place.left() == []
    return place.folder
