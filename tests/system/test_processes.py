"""Children end as a group, with their parent, in time, and say no more than is wanted."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edgesparse.errors import ResourceError
from edgesparse.system.processes import Scope, StoppedError, group, run
from tests.support.processes import alive, wait_for

PARENT = """
import sys
from edgesparse.system.processes import run
run(["sh", "-c", sys.argv[1]], timeout_s=600)
"""
FAMILY = "sleep 600 & echo $! >%(folder)s/child; echo $$ >%(folder)s/leader; wait"


def numbers(folder: Path) -> list[int]:
    return [int((folder / name).read_text()) for name in ("leader", "child")]


def are_there(folder: Path) -> bool:
    paths = [folder / name for name in ("leader", "child")]
    return all(path.is_file() and path.read_text().strip() for path in paths)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_group_ends_with_its_parent(number: int, tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, FAMILY % {"folder": tmp_path}], stderr=subprocess.DEVNULL)
    with parent:
        assert wait_for(lambda: are_there(tmp_path))
        parent.send_signal(number)
    assert wait_for(lambda: not any(map(alive, numbers(tmp_path))))


def test_a_group_ends_when_its_time_is_over(tmp_path: Path) -> None:
    begin = time.monotonic()
    done = run(["sh", "-c", FAMILY % {"folder": tmp_path}], timeout_s=1)
    assert time.monotonic() - begin < 30
    assert done.stopped == "took over 1 s"
    assert wait_for(lambda: not any(map(alive, numbers(tmp_path))))


def test_who_outlives_its_leader_is_ended(tmp_path: Path) -> None:
    """A compiler that hangs when make has ended holds the pipe that is listened to."""
    done = run(["sh", "-c", f"sleep 600 & echo $! >{tmp_path}/child; echo done"], timeout_s=60)
    assert (done.code, done.output, done.stopped) == (0, "done\n", "")
    assert wait_for(lambda: not alive(int((tmp_path / "child").read_text())))


def test_who_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    done = run(["sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 3"], timeout_s=60)
    assert (done.code, done.stopped) == (3, "")


def test_a_command_that_never_stops_talking_is_ended() -> None:
    done = run(["sh", "-c", "while :; do echo 0123456789012345678901234567890123456789; done"], timeout_s=60,
               limit_bytes=1 << 20)  # fmt: skip
    assert done.stopped == "printed over 1 MiB"
    assert 1 << 20 < len(done.output) < 2 << 20


def test_what_is_printed_is_kept_apart_or_merged() -> None:
    command = ["sh", "-c", "echo out; echo error >&2; printf '\\377'; exit 7"]
    done = run(command, timeout_s=60)
    assert (done.code, done.output, done.errors) == (7, "out\n\ufffd", "error\n")
    assert run(command, timeout_s=60, merged=True).errors == ""
    assert run(["sh", "-c", "kill -SEGV $$"], timeout_s=60).code == -signal.SIGSEGV


def test_arguments_are_no_shell_text(tmp_path: Path) -> None:
    hostile = f"$(touch {tmp_path}/canary); `touch {tmp_path}/canary` ' \" \\ -- \n"
    assert run([sys.executable, "-c", "import sys; print(sys.argv[1:], end='')", hostile, ""], timeout_s=60).output == (
        str([hostile, ""])
    )
    assert not list(tmp_path.iterdir())


def test_what_is_no_program_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("")
    for path in ("no-such-tool", str(tmp_path / "text")):
        with pytest.raises(FileNotFoundError, match=Path(path).name):
            run([path], timeout_s=60)


def test_a_scope_ends_what_started_in_it(tmp_path: Path) -> None:
    scope, done = Scope(), list[int]()

    def work() -> None:
        done.append(scope.run(lambda: run(["sh", "-c", FAMILY % {"folder": tmp_path}], timeout_s=600)).code)

    thread = threading.Thread(target=work)
    thread.start()
    assert wait_for(lambda: are_there(tmp_path))
    scope.stop()
    thread.join(60)
    assert done == [-signal.SIGKILL]
    assert not any(map(alive, numbers(tmp_path)))
    with pytest.raises(StoppedError):
        scope.run(lambda: run(["true"], timeout_s=60))
    assert run(["true"], timeout_s=60).code == 0


def test_nothing_is_left_open() -> None:
    def descriptors() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = descriptors()
    for _ in range(3):
        run(["true"], timeout_s=60)
        with group(["cat"], stdin=subprocess.PIPE):
            pass
    assert descriptors() == before


def test_who_was_killed_is_said() -> None:
    with pytest.raises(ResourceError, match="make was killed, as the system does where memory runs out"):
        run(["sh", "-c", "kill -KILL $$"], timeout_s=60).check_killed("make")


@pytest.mark.parametrize(("script", "seconds"), [("exit 9", 60), ("kill -SEGV $$", 60), ("sleep 600", 0.2)])
def test_who_was_not_killed_by_others_is_not_said_to_be(script: str, seconds: float) -> None:
    run(["sh", "-c", script], timeout_s=seconds).check_killed("make")
