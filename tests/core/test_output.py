"""Output folders appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from edgesparse.errors import ModelError, OutputError
from edgesparse.output import output_folder, write_json


def fill(out: Path, text: str, *, force: bool = False) -> None:
    with output_folder(out, force=force) as folder:
        (folder / "a.txt").write_text(text)
        write_json(folder / "report.json", {"schema": 1, "edgesparse": "0"})


def test_a_folder_of_ours_is_replaced_as_a_whole(tmp_path: Path) -> None:
    fill(tmp_path / "out", "first")
    (tmp_path / "out" / "extra.txt").write_text("mine")
    fill(tmp_path / "out", "second")
    assert (tmp_path / "out" / "a.txt").read_text() == "second"
    assert not (tmp_path / "out" / "extra.txt").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_foreign_folder_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="--force"):
        fill(tmp_path / "out", "x")
    assert (tmp_path / "out" / "thesis.txt").exists()
    fill(tmp_path / "out", "x", force=True)
    assert not (tmp_path / "out" / "thesis.txt").exists()


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    fill(tmp_path / "out", "first")

    def fail() -> None:
        with output_folder(tmp_path / "out", force=False) as folder:
            (folder / "a.txt").write_text("half")
            raise ModelError("bad")

    with pytest.raises(ModelError):
        fail()
    assert (tmp_path / "out" / "a.txt").read_text() == "first"
    with pytest.raises(KeyboardInterrupt), output_folder(tmp_path / "new", force=False):
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        fill(tmp_path / "file", "x", force=True)
    with pytest.raises(OutputError, match="no such folder"):
        fill(tmp_path / "none" / "out", "x")


def test_a_full_disk_is_one_short_line(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.h", "b.h"):
        (tmp_path / "in" / name).write_text(name)

    def full(source: str, target: str, **_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source, None, target)

    with (
        pytest.raises(
            OutputError, match=r"out: cannot write the output: [ab]\.h: \[Errno 28\] No space left on device$"
        ),
        output_folder(tmp_path / "out", force=False) as folder,
    ):
        shutil.copytree(tmp_path / "in", folder / "in", copy_function=full)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
