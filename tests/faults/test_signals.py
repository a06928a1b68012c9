"""Signals at random moments: nothing half done, nothing left, and the same command works afterwards."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.faults.table import CONVERT, FIRMWARE
from tests.faults.workplace import Workplace, contents, prepared
from tests.support.processes import wait_for

pytestmark = pytest.mark.slow

WORDS = {
    signal.SIGINT: "interrupted; no output was written",
    signal.SIGTERM: "ended by SIGTERM; no output was written",
    signal.SIGHUP: "ended by SIGHUP; no output was written",
}
MOMENTS = 30
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)


@pytest.fixture(scope="module")
def durations(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], float]:
    """Seconds that the commands take, by what they are."""
    place, took = prepared(tmp_path_factory.mktemp("whole")), {}
    for command in (FIRMWARE, CONVERT):
        begin = time.monotonic()
        result = place.run(*command, "--force")
        assert result.code == 0, result.errors
        took[command] = time.monotonic() - begin
    return took


@pytest.mark.parametrize("number", range(MOMENTS))
def test_a_signal_at_a_random_moment(
    number: int,
    made: Path,
    durations: dict[tuple[str, ...], float],
    tmp_path: Path,
) -> None:
    chance = random.Random(number)
    command = CONVERT if number % 5 == 0 else FIRMWARE
    sent = SIGNALS[number % len(SIGNALS)]
    place = prepared(tmp_path)
    before = number % 2 == 0
    if before:
        shutil.copytree(made / "work" / "out", place.out, symlinks=True)
    process = place.start(command)
    try:
        moment = chance.uniform(0.05, 1) * durations[command]
        assert not wait_for(lambda: False, moment)
        process.send_signal(sent)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert "Traceback" not in errors
    assert wait_for(lambda: not place.running(), 20), place.running()
    done = process.returncode == 0
    if done:
        assert (place.out / "report.json").is_file()
    elif sent != signal.SIGKILL:
        assert process.returncode in (128 + sent, -sent), errors  # the latter before the program could say so
        assert process.returncode == -sent or WORDS[sent] in errors
    if not done and before:
        assert contents(place.out) == contents(made / "work" / "out")
    if sent != signal.SIGKILL:
        assert place.left() == []
    again = place.run(*FIRMWARE)
    assert again.code == 0, again.errors
    assert contents(place.out) == contents(made / "work" / "out")
    assert place.left() == []


def test_one_of_two_runs_into_one_folder_wins(made: Path, tmp_path: Path) -> None:
    place = prepared(tmp_path)
    runs = [place.start(FIRMWARE) for _ in range(4)]
    ends = [(*run.communicate(timeout=120), run.returncode) for run in runs]
    assert sorted(code for _, _, code in ends) == [0, 2, 2, 2]
    refused = [errors for _, errors, code in ends if code]
    assert all("out: another edgesparse (process " in errors for errors in refused)
    assert contents(place.out) == contents(made / "work" / "out")
    assert place.left() == []


def test_a_full_disk_behind_standard_output(tmp_path: Path) -> None:
    place = prepared(tmp_path)
    with Path("/dev/full").open("w") as full:
        process = place.start(FIRMWARE, stdout=full)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 6
    assert "No space left on device" in errors
    assert "Traceback" not in errors
    assert place.left() == []
    assert Workplace(tmp_path).run("report", "out").code == 0
