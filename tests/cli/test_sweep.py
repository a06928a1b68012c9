"""`edgesparse sweep` on the digits network: points, fronts, going on, bad input."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgesparse.cli import main
from edgesparse.commands import sweep as command
from edgesparse.commands.sweep import sweep
from edgesparse.errors import (
    DoesNotFitError,
    EdgesparseError,
    MismatchError,
    OutputError,
    SettingsError,
    ToolMissingError,
)
from edgesparse.missing import Missing
from edgesparse.system.interrupts import InterruptedBySignal

DIGITS = Path(__file__).parents[2] / "examples" / "digits"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the network and its samples."""
    folder = tmp_path_factory.mktemp("sweep")
    shutil.copyfile(DIGITS / "digits.h5", folder / "digits.h5")
    subprocess.run([sys.executable, str(DIGITS / "data.py"), str(folder / "digits.npz")], check=True)
    return folder


@pytest.fixture(scope="module")
def swept(place: Path) -> Path:
    """A sweep of two combinations."""
    sweep(place / "digits.h5", out=place / "out", data=str(place / "digits.npz"), sparsity=(0.5, 0.8), vectors=1)
    return place / "out"


def test_a_sweep_has_a_folder_a_line_and_a_page_for_every_combination(swept: Path) -> None:
    assert sorted(path.name for path in swept.iterdir()) == [
        "oneshot-auto-0.5", "oneshot-auto-0.8", "sweep.csv", "sweep.html", "sweep.json",
    ]  # fmt: skip
    stored = json.loads((swept / "sweep.json").read_text())
    assert stored["metric"] == "top1"
    for point in stored["points"]:
        report = json.loads((swept / point["name"] / "report.json").read_text())
        assert point["settings"] == report["settings"]
        assert point["figures"]["flash_bytes"] == report["sparse"]["flash_bytes"]
        assert point["figures"]["test"]["samples"] == 180
        assert point["figures"]["validation"]["samples"] == 180
        halves = point["figures"]["test"]["value"] + point["figures"]["validation"]["value"]
        assert halves / 2 == pytest.approx(report["accuracy"]["sparse_int8"], abs=1e-5)
    assert stored["dense"]["test"]["value"] >= 0.97
    assert set(stored["fronts"]["flash"]) <= {"oneshot-auto-0.5", "oneshot-auto-0.8"}


def test_what_is_done_is_not_done_again(swept: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in swept.glob("*/report.json")}
    made: list[str] = []
    real = command.convert
    monkeypatch.setattr(command, "convert", lambda *a, **k: made.append(str(k["out"])) or real(*a, **k))
    again = {"out": place / "out", "data": str(place / "digits.npz"), "vectors": 1}
    found = sweep(place / "digits.h5", sparsity=(0.8, 0.5, 0.9), **again)
    assert [Path(path).name for path in made] == ["oneshot-auto-0.9"]
    assert [point.name for point in found.points] == ["oneshot-auto-0.8", "oneshot-auto-0.5", "oneshot-auto-0.9"]
    assert before == {path: path.stat().st_mtime_ns for path in before}
    made.clear()
    sweep(place / "digits.h5", sparsity=(0.9,), **again)
    sweep(place / "digits.h5", sparsity=(0.5,), **again)
    assert not made, "a sweep of others does not forget them"
    sweep(place / "digits.h5", sparsity=(0.5,), **{**again, "vectors": 2})
    assert len(made) == 1, "other settings are another point"


def test_a_point_that_fails_says_why_and_the_others_go_on(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = command.convert

    def convert(*arguments: object, **named: object) -> object:
        if named["sparsity"] == 0.5:
            raise DoesNotFitError("too large", memory="flash", overflow_bytes=1)
        return real(*arguments, **named)

    monkeypatch.setattr(command, "convert", convert)
    given = {"out": tmp_path / "out", "data": str(place / "digits.npz"), "vectors": 1}
    found = sweep(place / "digits.h5", sparsity=(0.5, 0.9), **given)
    assert found.points[0].figures == Missing("too large")
    assert not isinstance(found.points[1].figures, Missing)
    with pytest.raises(EdgesparseError, match="no combination could be converted: too large"):
        sweep(place / "digits.h5", sparsity=(0.5,), **{**given, "out": tmp_path / "other"})


@pytest.mark.parametrize("error", [MismatchError("differs"), OutputError("disk full"), ToolMissingError("no make")])
def test_what_is_not_the_models_fault_ends_the_sweep(
    error: EdgesparseError, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(command, "convert", convert)
    with pytest.raises(type(error)):
        sweep(place / "digits.h5", out=tmp_path / "out", data=str(place / "digits.npz"))


def test_an_interruption_keeps_what_is_done_and_says_so(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = command.convert

    def convert(*arguments: object, **named: object) -> object:
        if named["sparsity"] == 0.9:
            raise InterruptedBySignal(signal.SIGTERM)
        return real(*arguments, **named)

    monkeypatch.setattr(command, "convert", convert)
    words = ["edgesparse", "sweep", str(place / "digits.h5"), "--data", str(place / "digits.npz"), "--vectors", "1"]
    monkeypatch.setattr(sys, "argv", [*words, "--sparsity", "0.5,0.9", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 143
    assert f"ended by SIGTERM; {tmp_path / 'out'}: 1 of 2 combinations are done." in capsys.readouterr().err
    assert json.loads((tmp_path / "out" / "sweep.json").read_text())["made"] == ["oneshot-auto-0.5"]


def test_a_sweep_that_was_killed_at_its_first_point_goes_on(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    (folder / ".oneshot-auto-0.5.new").mkdir(parents=True)
    given = {"out": folder, "data": str(place / "digits.npz"), "vectors": 1, "sparsity": (0.5,)}
    sweep(place / "digits.h5", **given)
    (folder / "sweep.json").unlink()
    (folder / "sweep.csv").unlink()
    (folder / "sweep.html").unlink()
    assert sweep(place / "digits.h5", **given).points[0].name == "oneshot-auto-0.5"
    assert not list(folder.glob(".*"))


def test_settings_that_need_samples_or_training_go_with_a_sweep() -> None:
    chosen = command._candidates({"data": "x.npz", "quantize": "qat"}, (0.5,), ("auto",), ("oneshot",), (0.0,))
    assert chosen[0].quantize == "qat"
    chosen = command._candidates({"data": "x.npz", "activity_l1": 0.1}, (0.5,), ("auto",), ("finetune",), (0.0,))
    assert chosen[0].activity_l1 == 0.1
    chosen = command._candidates({"data": "x.npz", "board": "mps3-an547"}, (0.5,), ("auto",), ("oneshot",), (0.0,))
    assert chosen[0].emulator == "qemu"


def test_a_pattern_with_a_sparsity_of_its_own_is_one_point(place: Path) -> None:
    chosen = command._candidates({"data": "x.npz"}, (0.5, 0.8), ("nm=2:4", "auto"), ("oneshot",), (0.0,))
    assert [command._name(settings) for settings in chosen] == [
        "oneshot-nm2of4-0.5", "oneshot-auto-0.5", "oneshot-auto-0.8",
    ]  # fmt: skip
    with pytest.raises(SettingsError, match="is empty"):
        command._candidates({}, (), ("auto",), ("oneshot",), (0.0,))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.tflite"], "sweep prunes, and needs the Keras model"),
        (["no.h5"], "no.h5: no such file"),
        (["digits.h5", "--sparsity", "0.5,x"], "--sparsity: expected numbers between commas, got '0.5,x'"),
        (["digits.h5", "--sparsity", ","], "is empty"),
        (["digits.h5", "--sparsity", "1.5"], "sparsity: expected a number from 0 to 0.99"),
        (["digits.h5", "--pattern", "auto,stripes"], "pattern: expected one of"),
        (["digits.h5", "--method", "magic"], "method: expected one of"),
        (["digits.h5"], "give --data FILE"),
        (["digits.h5", "--data", "few.npz"], "3 samples to compare by; expected 20 or more"),
        (["digits.h5", "--data", "digits.npz", "--out", "foreign"], "foreign: holds no sweep"),
        (["digits.h5", "--data", "digits.npz", "--out", "no/where"], "no such folder"),
        (["digits.h5", "--data", "digits.npz", "--out", "few.npz"], "is a file or a link"),
    ],
)
def test_bad_input_is_one_line_with_exit_2(
    arguments: list[str], message: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    (place / "foreign").mkdir(exist_ok=True)
    (place / "foreign" / "mine.txt").write_text("mine")
    (place / "model.tflite").write_bytes(b"")
    np.savez(place / "few.npz", x=np.zeros((3, 8, 8, 1), np.float32))
    monkeypatch.setattr(sys, "argv", ["edgesparse", "sweep", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    complaint = capsys.readouterr().err.strip().splitlines()[-1]
    assert complaint.startswith("edgesparse: error: ")
    assert message in complaint
