"""The corpus of hostile files: each is refused in one line with exit code 2, runs nothing and opens nothing else."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from edgesparse.boards import load_board
from edgesparse.cli import main
from edgesparse.data import load_data
from edgesparse.errors import InputError
from edgesparse.firmware.plan import plan_network
from edgesparse.firmware.room import check_inputs
from edgesparse.keras_model import load
from edgesparse.network import Network
from tests.fuzz.runner import bounded_memory
from tests.keras.hostile_files import save, small_network
from tests.support.hostile_corpus import CANARY, Hostile, Sources, hostile_files, make_bait

FILES = hostile_files()
LONGEST_MESSAGE = 1000
IN_OPEN, IN_CREATE, IN_NONBLOCK = 0x20, 0x100, 0x800


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    folder = tmp_path_factory.mktemp("sound")
    model = small_network()
    return Sources(
        save(model, folder / "a.h5").read_bytes(),
        save(model, folder / "a.keras").read_bytes(),
        save(model, folder / "a", save_format="tf"),
    )


class Watch:
    """What is opened or made in a folder, by whatever code of the process (inotify)."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._events = libc.inotify_init1(IN_NONBLOCK)
        assert self._events >= 0
        for place in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            assert libc.inotify_add_watch(self._events, os.fsencode(place), IN_OPEN | IN_CREATE) >= 0

    def seen(self) -> bytes:
        """Raw events since the beginning."""
        try:
            return os.read(self._events, 65536)
        except BlockingIOError:
            return b""
        finally:
            os.close(self._events)


def read(path: Path) -> None:
    """What the commands do with a file before they write anything."""
    if path.suffix in (".npy", ".npz"):
        load_data(str(path))
    elif path.suffix == ".tflite":
        network = Network.load(path, slimmed=True)
        board = load_board("nucleo-f446re")
        check_inputs(network.input, 8, board)
        plan_network(network.graph, board.core, optimize="latency")
    else:
        load(path)


def test_there_are_enough_of_every_kind() -> None:
    kinds = Counter(file.kind for file in FILES)
    assert len({str(file) for file in FILES}) == len(FILES) >= 200
    assert min(kinds.values()) >= 20, kinds


@pytest.mark.parametrize("kind", dict.fromkeys(file.kind for file in FILES))
def test_every_hostile_file_is_refused(kind: str, sources: Sources, tmp_path: Path) -> None:
    wrong = []
    for number, file in enumerate(FILES):
        if file.kind == kind:
            (tmp_path / str(number)).mkdir()
            what = _refused(file, tmp_path / str(number), sources)
            wrong += [f"{file}: {what}"] if what else []
    assert not wrong, "\n".join(wrong)


def _refused(file: Hostile, folder: Path, sources: Sources) -> str:
    """What is wrong with how a file is refused; nothing where all is well."""
    bait = make_bait(folder / "bait")
    path = file.make(folder, sources, bait)
    before = sorted(folder.rglob("*"))
    watch = Watch(bait)
    started, problem = time.process_time(), "is accepted"
    try:
        with bounded_memory():
            read(path)
    except InputError as error:
        text = str(error)
        problem = "" if error.exit_code == 2 and "\n" not in text and len(text) < LONGEST_MESSAGE else f"says {text!r}"
        if not problem and path.name not in text and file.kind != ".tflite":
            problem = f"does not name the file: {text}"
    except BaseException as error:
        problem = f"{type(error).__name__}: {error}"
    events = watch.seen()
    if events:
        problem = f"{problem}; opened {events!r}"
    if (bait / CANARY).exists() or sorted(folder.rglob("*")) != before:
        problem = f"{problem}; wrote a file"
    seconds = time.process_time() - started
    return problem or (f"takes {seconds:.1f} s" if seconds > 10 else "")


@pytest.mark.parametrize("kind", dict.fromkeys(file.kind for file in FILES if file.kind != "array"))
def test_the_command_line_refuses_one_of_each_kind(
    kind: str, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = next(file for file in FILES if file.kind == kind)
    path = file.make(tmp_path, sources, make_bait(tmp_path / "bait"))
    monkeypatch.setattr(sys, "argv", ["edgesparse", "inspect", str(path)])
    capfd.readouterr()
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert not (tmp_path / "bait" / CANARY).exists()
    printed = capfd.readouterr().err.splitlines()
    assert len([line for line in printed if "error" in line]) == 1
    assert not any("Traceback" in line for line in printed)


def test_what_opens_a_bait_is_seen(tmp_path: Path) -> None:
    bait = make_bait(tmp_path / "bait")
    watch = Watch(bait)
    (bait / "vocabulary.txt").read_text()
    assert b"vocabulary.txt" in watch.seen()
    watch = Watch(bait)
    assert watch.seen() == b""
