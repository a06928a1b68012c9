"""Each fault is made to happen: a clear message, the right exit code, nothing left, and a later run that works."""

from __future__ import annotations

import re
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.conftest import skip_or_fail
from tests.faults.table import FAULTS, FIRMWARE, Fault
from tests.faults.workplace import Workplace, contents, prepared
from tests.support.processes import wait_for

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name.replace(" ", "-") for fault in FAULTS])
def test_a_fault(fault: Fault, made: Path, tmp_path: Path) -> None:
    place = prepared(tmp_path)
    if fault.before:
        shutil.copytree(made / "work" / "out", place.out, symlinks=True)
    try:
        context = fault.prepare(place) or nullcontext()
    except PermissionError:
        skip_or_fail("disks of their own need the right to mount")
    with context:
        before = contents(place.out) if fault.before and not has_pipe(place.out) else {}
        result = place.run(*fault.command)
        assert result.code == fault.code, result.errors
        assert re.search(fault.says, result.complaint), result.errors
        assert "Traceback" not in result.errors
        assert wait_for(lambda: not place.running(), 20)
        assert place.left() == []
        if before:
            assert contents(place.out) == before
        else:
            assert fault.before or not place.out.exists()
    later = Workplace(tmp_path)
    shutil.rmtree(later.tools)
    later.tools.mkdir()
    (later.folder / "work" / "model.tflite").unlink(missing_ok=True)
    shutil.copyfile(tmp_path / "model.tflite", later.folder / "work" / "model.tflite")
    again = later.run(*FIRMWARE, "--force")
    assert again.code == 0, again.errors
    assert contents(later.out) == contents(made / "work" / "out")
    assert later.left() == []


def has_pipe(folder: Path) -> bool:
    return any(path.is_fifo() for path in folder.rglob("*"))
