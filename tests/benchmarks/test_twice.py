"""benchmarks.twice: the same model twice gives the same bytes, and what differs is found."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import twice
from tests.conftest import skip_or_fail
from tests.support.small_networks import conv_network


def test_every_file_of_either_side_is_compared(tmp_path: Path) -> None:
    pair = twice.Pair(tmp_path / "a", tmp_path / "b")
    for side, content in ((pair.first, b"one"), (pair.second, b"two")):
        (side / "model").mkdir(parents=True)
        (side / "same").write_bytes(b"")
        (side / "model" / "other").write_bytes(content)
    (pair.second / "more").write_bytes(b"")
    assert pair.files == ("model/other", "more", "same")
    assert twice.differing(pair) == ["model/other", "more"]


def test_models_are_files_and_folders(tmp_path: Path) -> None:
    for name in ("a.h5", "b.keras", "c.tflite", "d/saved_model.pb", "e/f", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in twice.models(tmp_path)] == ["a.h5", "b.keras", "c.tflite", "d"]


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not shutil.which("arm-none-eabi-gcc"):
        skip_or_fail("arm-none-eabi-gcc is not installed")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "conv.tflite").write_bytes(conv_network())
    (tmp_path / "models" / "damaged.tflite").write_bytes(conv_network()[:99])
    monkeypatch.setenv("EDGESPARSE_TEST_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(sys, "argv", ["twice", "--out", str(tmp_path / "out")])
    assert twice.main() == 3
    printed = capsys.readouterr().out
    assert "conv.tflite: 2" in printed
    assert ", 0 differ" in printed
    assert "damaged.tflite: exit code 2: " in printed
    assert "1 of 2 models are the same to the byte; not: damaged.tflite" in printed
