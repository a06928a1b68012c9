"""emulate --data: a dataset on the emulated device gives what the int8 model gives on the host."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rich.console import Console

from edgesparse.commands.emulate import emulate
from edgesparse.commands.firmware import firmware
from edgesparse.emulate import diagnose
from edgesparse.errors import DataError, EdgesparseError, MismatchError, SettingsError
from edgesparse.measure import dataset as evaluate
from edgesparse.missing import Missing
from edgesparse.network import Network
from edgesparse.oracle import OracleRun, reference_outputs
from edgesparse.record import to_json
from edgesparse.report.show.terminal import summary
from tests.conftest import skip_or_fail
from tests.support.small_networks import conv_network

SAMPLES = 9


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder; tests take copies of it."""
    for name, version, _ in diagnose():
        if name == "unicorn" and version is None:
            skip_or_fail("unicorn is not installed")
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "net.tflite").write_bytes(conv_network())
    firmware(folder / "net.tflite", out=folder / "out", vectors=2)
    return folder / "out"


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "out")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    path = tmp_path / "test.npz"
    x = rng.normal(0, 3, (SAMPLES, 8, 8, 4)).astype(np.float32)
    np.savez(path, x=x, y=rng.integers(0, 10, SAMPLES))
    return path


def host(folder: Path, data: Path) -> tuple[npt.NDArray[Any], float]:
    """The int8 model's outputs, and its accuracy."""
    network = Network.load(folder / "model.int8.tflite")
    with np.load(data) as arrays:
        x, y = arrays["x"], arrays["y"]
    outputs = reference_outputs(network.data, network.quantized(x)).outputs.reshape(len(x), -1)
    return outputs, float((outputs.argmax(axis=1) == y).mean())


@pytest.mark.parametrize("emulator", ["unicorn", "qemu"])
def test_the_device_gives_the_hosts_outputs_and_accuracy(
    emulator: str, folder: Path, data: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if emulator == "qemu":
        request.getfixturevalue("qemu")
    runs = []
    run_samples = evaluate.run_samples

    def keep(*arguments: Any, **options: Any) -> Any:
        runs.append(run_samples(*arguments, **options))
        return runs[-1]

    monkeypatch.setattr(evaluate, "run_samples", keep)
    report = emulate(folder, emulator=emulator, data=str(data))
    dataset = report.dataset
    expected, accuracy = host(folder, data)
    assert runs[0].outputs.tobytes() == expected.tobytes()
    assert dataset.samples == SAMPLES
    assert dataset.emulator.startswith(emulator)
    assert dataset.accuracy.device == dataset.accuracy.int8_host == pytest.approx(accuracy)
    assert dataset.agreement.int8_host.equal == SAMPLES
    counts = np.sort(runs[0].instructions)
    instructions = dataset.instructions
    assert [instructions[name] for name in ("min", "median", "max")] == [counts[0], counts[SAMPLES // 2], counts[-1]]
    assert runs[0].instructions[instructions.max_sample] == counts[-1]
    assert runs[0].instructions[instructions.min_sample] == counts[0]
    assert isinstance(dataset.cycles, Missing) == (emulator == "qemu")
    assert json.loads((folder / "report.json").read_text())["dataset"] == to_json(dataset)


def test_the_first_samples_only_and_no_labels(folder: Path, data: Path, tmp_path: Path) -> None:
    with np.load(data) as arrays:
        np.save(tmp_path / "x.npy", arrays["x"])
    report = emulate(folder, data=str(tmp_path / "x.npy"), samples=4, memory_profile="stm32l4r5")
    dataset = report.dataset
    assert dataset.samples == 4
    assert "labels" in dataset.accuracy.reason
    assert dataset.memory.profile == "stm32l4r5"
    assert dataset.memory.cycles.min <= dataset.memory.cycles.max
    console = Console(width=200, file=io.StringIO())
    for part in summary(report):
        console.print(part, soft_wrap=True)
    assert isinstance(console.file, io.StringIO)
    assert "4 samples on the device" in console.file.getvalue()
    assert emulate(folder).dataset is None, "of another run"


def test_another_output_is_a_mismatch_that_names_the_sample(
    folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reference(model: bytes, inputs: npt.NDArray[Any]) -> OracleRun:
        run = reference_outputs(model, inputs)
        outputs = run.outputs.copy()
        outputs[6].reshape(-1)[3] ^= 1
        return OracleRun(outputs, run.reference)

    monkeypatch.setattr(evaluate, "_reference", reference)
    with pytest.raises(MismatchError, match=r"test\.npz: output of sample 6 differs .* first at byte 3") as caught:
        emulate(folder, data=str(data))
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"x": np.zeros((3, 8, 8))}, r"x: expected shape \(samples, 8, 8, 4\), got \(3, 8, 8\)"),
        ({"x": np.full((3, 8, 8, 4), np.nan)}, "NaN"),
        ({"x": np.zeros((0, 8, 8, 4))}, "sample"),
        ({"x": np.zeros((3, 8, 8, 4)), "y": np.array([0, 1, 10])}, r"labels run from 0 to 10, .* 0 to 9"),
        ({"x": np.zeros((3, 8, 8, 4)), "y": np.zeros((3, 4))}, r"targets have shape \(3, 4\)"),
        ({"x": np.zeros((3, 8, 8, 4)), "y": np.zeros(2, int)}, "2"),
    ],
    ids=["shape", "nan", "empty", "labels", "targets", "lengths"],
)
def test_data_that_does_not_fit_is_refused_in_one_line(
    arrays: dict[str, npt.NDArray[Any]], expected: str, made: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    before = (made / "report.json").read_bytes()
    with pytest.raises(DataError, match=expected) as caught:
        emulate(made, data=str(tmp_path / "bad.npz"))
    assert "bad.npz" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert (made / "report.json").read_bytes() == before


def test_options_that_make_no_sense_are_refused_in_one_line(made: Path, data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(conv_network(seed=1))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"data": str(data), "samples": 0}, "samples: expected a whole number from 1, got 0"),
        ({"data": str(data), "samples": -3}, "samples: expected a whole number from 1, got -3"),
        ({"samples": 5}, "--samples: is about the samples of --data FILE"),
        ({"model": other}, "--model: is about the samples of --data FILE"),
        ({"data": str(data), "model": other}, "is not the file that this folder was made from"),
        ({"data": str(data), "model": tmp_path / "none.h5"}, "no such file"),
        ({"data": "nothing.npz"}, "nothing.npz"),
    ]
    for options, expected in cases:
        with pytest.raises(EdgesparseError) as caught:
            emulate(made, **options)
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 2
        assert isinstance(caught.value, SettingsError) or options.get("data") is not None
