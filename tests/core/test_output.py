"""Output folders appear whole or not at all, one command at a time writes them, and nobody's files are lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgesparse.errors import ModelError, OutputError
from edgesparse.output import FILES_NAME, check_replaceable, claim, in_place, lock, output_folder, place, write_json
from edgesparse.output.lock import beside
from edgesparse.progress import silent


def fill(out: Path, text: str, *, force: bool = False) -> None:
    with claim(out, force=force, say=silent) as claimed, output_folder(claimed) as folder:
        (folder / "a.txt").write_text(text)
        (folder / "firmware").mkdir()
        (folder / "firmware" / "Makefile").write_text("all:\n")
        write_json(folder / "report.json", {"schema": 1, "edgesparse": "0"})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_of_ours_is_replaced_as_a_whole(tmp_path: Path) -> None:
    fill(tmp_path / "out", "first")
    fill(tmp_path / "out", "second")
    assert (tmp_path / "out" / "a.txt").read_text() == "second"
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["a.txt", FILES_NAME, "firmware", "report.json"]


def test_a_foreign_folder_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"not written by edgesparse; .*--force"):
        fill(tmp_path / "out", "x")
    assert (tmp_path / "out" / "thesis.txt").exists()
    fill(tmp_path / "out", "x", force=True)
    assert not (tmp_path / "out" / "thesis.txt").exists()


def add(out: Path) -> None:
    (out / "notes.txt").write_text("mine")


def add_deep(out: Path) -> None:
    (out / "firmware" / "drivers").mkdir()
    (out / "firmware" / "drivers" / "notes.txt").write_text("mine")


def add_folder(out: Path) -> None:
    (out / "notes.txt").mkdir()


def add_link(out: Path) -> None:
    (out / "notes.txt").symlink_to("/")


def add_dot(out: Path) -> None:
    (out / ".notes.txt.new").write_text("mine")


def change(out: Path) -> None:
    (out / "a.txt").write_text("better")


def link_over(out: Path) -> None:
    (out / "a.txt").rename(out.parent / "kept.txt")
    (out / "a.txt").symlink_to(out.parent / "kept.txt")


@pytest.mark.parametrize("own", [add, add_deep, add_folder, add_link, add_dot, change, link_over])
def test_own_files_in_a_folder_of_ours_are_not_lost(own: Callable[[Path], None], tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, "first")
    own(out)
    before = sorted(str(path) for path in out.rglob("*"))
    with pytest.raises(
        OutputError, match=r"holds files that edgesparse did not write.*(notes\.txt|a\.txt|new); .*--force"
    ):
        fill(out, "second")
    assert sorted(str(path) for path in out.rglob("*")) == before
    fill(out, "second", force=True)
    assert (out / "a.txt").read_text() == "second"
    assert names(out) == ["a.txt", FILES_NAME, "firmware", "report.json"]


def test_what_compilers_and_later_commands_write_is_nobodys(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, "first")
    (out / "firmware" / "build").mkdir()
    (out / "firmware" / "build" / "firmware.elf").write_text("")
    write_json(out / "report.json", {"schema": 1, "edgesparse": "0", "more": 2})
    (out / ".report.json.new").write_text("half")  # of a command that was killed
    fill(out, "second")
    assert names(out) == ["a.txt", FILES_NAME, "firmware", "report.json"]


def test_files_that_come_while_a_command_runs_are_kept(tmp_path: Path) -> None:
    out, said = tmp_path / "out", list[str]()
    fill(out, "first")
    with claim(out, force=False, say=said.append) as claimed, output_folder(claimed) as folder:
        (folder / "a.txt").write_text("second")
        add(out)
    assert (out / "a.txt").read_text() == "second"
    assert (tmp_path / "out.kept1" / "notes.txt").read_text() == "mine"
    assert said == [f"kept what was put into {out} meanwhile: {tmp_path / 'out.kept1'}"]
    assert names(tmp_path) == ["out", "out.kept1"]


@pytest.mark.parametrize("text", ["", "[]", '{"edgesparse": 1}', '{"files": {}}', "[" * 100_000, "\ud800"])
def test_a_damaged_list_makes_a_folder_foreign(text: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, "first")
    (out / FILES_NAME).write_text(text, errors="surrogatepass")
    with pytest.raises(OutputError, match="not written by edgesparse"):
        check_replaceable(out, force=False)


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, "first")

    def fail(out: Path, error: BaseException) -> None:
        with claim(out, force=False, say=silent) as claimed, output_folder(claimed) as folder:
            (folder / "a.txt").write_text("half")
            raise error

    with pytest.raises(ModelError):
        fail(out, ModelError("bad"))
    assert (out / "a.txt").read_text() == "first"
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "new", KeyboardInterrupt())
    assert names(tmp_path) == ["out"]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        fill(tmp_path / "file", "x", force=True)
    with pytest.raises(OutputError, match="no such folder"):
        fill(tmp_path / "none" / "out", "x")
    assert names(tmp_path) == ["file"]


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
        claim(tmp_path / "out", force=False, say=silent) as claimed,
        output_folder(claimed) as folder,
    ):
        shutil.copytree(tmp_path / "in", folder / "in", copy_function=full)
    assert names(tmp_path) == ["in"]


def test_one_command_at_a_time_makes_an_output(tmp_path: Path) -> None:
    with lock(tmp_path / "out"):
        with pytest.raises(OutputError, match=rf"another edgesparse \(process {os.getpid()}\) is writing it"):
            fill(tmp_path / "out", "x")
        fill(tmp_path / "other", "x")
    fill(tmp_path / "out", "x")
    assert names(tmp_path) == ["other", "out"]


def test_one_command_at_a_time_works_in_an_output(tmp_path: Path) -> None:
    fill(tmp_path / "out", "first")
    with (
        in_place(tmp_path / "out"),
        pytest.raises(OutputError, match="another edgesparse is writing it"),
        in_place(tmp_path / "out"),
    ):
        raise AssertionError
    with in_place(tmp_path / "out"):
        pass


def test_a_new_output_waits_for_who_works_in_the_old_one(tmp_path: Path) -> None:
    """Another process, since both locks are one process's."""
    out = tmp_path / "out"
    fill(out, "first")
    program = (
        "import sys; from pathlib import Path; from edgesparse.output import in_place\n"
        "with in_place(Path(sys.argv[1])):\n print('in', flush=True); sys.stdin.read()\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", program, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert worker.stdout.readline() == "in\n"
        said = list[str]()

        def say(line: str) -> None:
            said.append(line)
            assert worker.stdin is not None
            worker.stdin.close()  # now it ends

        with claim(out, force=False, say=say) as claimed, output_folder(claimed) as folder:
            (folder / "a.txt").write_text("second")
        assert said == [f"waiting for another edgesparse that uses {out}"]
    assert (out / "a.txt").read_text() == "second"


CUTS = ("filled", "synced", "put", "named")
"""Steps of a replacement, by what has just been done."""


def cut(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """End the process, without a word and without clearing up, after a step of a replacement."""
    names_synced = place._sync_names

    def end(*_: object) -> None:
        os._exit(9)

    if step == "filled":
        monkeypatch.setattr(place, "write_manifest", end)
    elif step == "synced":
        monkeypatch.setattr(place, "_put", end)
    elif step == "put":
        monkeypatch.setattr(place, "_sync_names", end)
    else:

        def after(path: Path) -> None:
            names_synced(path)
            end()

        monkeypatch.setattr(place, "_sync_names", after)


@pytest.mark.parametrize(
    ("step", "exchanges"), [*((step, True) for step in CUTS), *((step, False) for step in (*CUTS, "between"))]
)
def test_a_cut_at_any_step_leaves_an_output(
    step: str, exchanges: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    fill(out, "first")
    with monkeypatch.context() as patch:
        if not exchanges:
            patch.setattr(place, "_exchange", lambda *_: False)
        if step == "between":  # of the two renames
            rename = Path.rename

            def first(self: Path, target: Path) -> None:
                rename(self, target)
                os._exit(9)

            patch.setattr(Path, "rename", first)
        else:
            cut(patch, step)
        child = os.fork()
        if child == 0:
            fill(out, "second")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    if step == "between":
        assert not out.exists()
    with in_place(out):  # any command that reads it
        assert (out / "a.txt").read_text() == ("second" if step in ("put", "named") else "first")
        assert (out / FILES_NAME).is_file()
    fill(out, "third")
    assert (out / "a.txt").read_text() == "third"
    assert names(tmp_path) == ["out"]


def test_what_a_killed_command_left_goes_with_the_next(tmp_path: Path) -> None:
    out = tmp_path / "out"
    beside(out, "new").mkdir()
    (beside(out, "new") / "half").write_text("")
    beside(out, "lock").write_text("12345\n")
    fill(out, "first")
    assert names(tmp_path) == ["out"]
