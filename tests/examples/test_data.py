"""The data scripts of the examples: what they write is what the models take, and nothing of the test is in the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SHAPES = {
    "digits": ((1437, 8, 8, 1), (360, 8, 8, 1), 10),
    "mnist": ((4000, 28, 28, 1), (1000, 28, 28, 1), 10),
    "imu": ((2589, 128, 6), (1016, 128, 6), 7),
}


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / name / "data.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def written(name: str, folder: Path, *arguments: object) -> dict[str, Any]:
    out = folder / f"{name}.npz"
    done = run(name, *arguments, out)
    assert done.returncode == 0, done.stderr
    with np.load(out) as loaded:
        return {key: loaded[key] for key in loaded.files}


@pytest.mark.parametrize("name", SHAPES)
def test_samples_have_the_shape_of_the_model_and_every_class(name: str, tmp_path: Path) -> None:
    data = written(name, tmp_path)
    shape, test_shape, classes = SHAPES[name]
    assert data["x"].shape == shape
    assert data["x_test"].shape == test_shape
    assert data["x"].dtype == data["x_test"].dtype == np.float32
    assert np.isfinite(data["x"]).all()
    for y, x in ((data["y"], data["x"]), (data["y_test"], data["x_test"])):
        assert len(y) == len(x)
        assert set(y.tolist()) == set(range(classes))


@pytest.mark.parametrize("name", ["mnist", "imu"])
def test_no_sample_of_the_test_is_used_elsewhere(name: str, tmp_path: Path) -> None:
    data = written(name, tmp_path)
    assert not {x.tobytes() for x in data["x"]} & {x.tobytes() for x in data["x_test"]}


def test_people_of_the_imu_test_are_in_nothing_else(tmp_path: Path) -> None:
    from seglearn.datasets import load_watch

    data = written("imu", tmp_path)
    recordings = load_watch()
    sizes = {
        person: sum(
            (len(x) - 128) // 64 + 1
            for x, who in zip(recordings["X"], recordings["subject"], strict=True)
            if who == person
        )
        for person in set(recordings["subject"].tolist())
    }
    people = np.random.default_rng(0).permutation(sorted(sizes))
    assert len(data["x_test"]) == sum(sizes[person] for person in people[:3])
    assert len(data["x"]) == sum(sizes[person] for person in people[3:])


def archive(folder: Path, marked: range) -> Path:
    """aeon's two files, with made-up values: 200 for training, 400 in the test, which begin with the same."""
    place = folder / "aeon" / "datasets" / "data" / "KDD-TSAD_135"
    place.mkdir(parents=True)
    values = 100 + 10 * np.sin(np.arange(400) / 5)
    for part, count in (("TRAIN", 200), ("TEST", 400)):
        lines = [f"{time},{values[time]:.5f},{int(part == 'TEST' and time in marked)}" for time in range(count)]
        text = "\n".join(["timestamp,value,is_anomaly", *lines])
        (place / f"135_UCR_Anomaly_InternalBleeding16_{part}.csv").write_text(text + "\n")
    return folder


def test_windows_of_the_anomaly_are_those_that_hold_a_marked_value(tmp_path: Path) -> None:
    data = written("anomaly", tmp_path, archive(tmp_path / "aeon", range(340, 345)))
    assert data["x"].shape == (200 - 127, 128)
    assert data["x_test"].shape == (19, 128)  # from 200 on, every 4 values, up to 400 - 128
    np.testing.assert_array_equal(data["x"], data["y"])
    starts = 200 + 4 * np.arange(19)
    np.testing.assert_array_equal(data["anomaly_test"], (starts + 127 >= 340) & (starts <= 344))


def test_values_are_scaled_by_the_normal_part_only(tmp_path: Path) -> None:
    folder = archive(tmp_path / "aeon", range(0))
    data = written("anomaly", tmp_path, folder)
    normal = np.round(100 + 10 * np.sin(np.arange(200) / 5), 5)
    np.testing.assert_allclose(data["x"][0], (normal[:128] - normal.mean()) / normal.std(), atol=1e-4)


@pytest.mark.parametrize("name", ["digits", "mnist", "imu", "anomaly"])
def test_without_arguments_the_usage_is_one_line(name: str) -> None:
    done = run(name)
    assert done.returncode == 1
    assert done.stderr.startswith("usage: python data.py ")
    assert len(done.stderr.splitlines()) == 1


def test_missing_anomaly_data_says_how_to_get_it(tmp_path: Path) -> None:
    done = run("anomaly", tmp_path, tmp_path / "out.npz")
    assert done.returncode == 1
    assert "pip install --no-deps --target" in done.stderr
    assert not (tmp_path / "out.npz").exists()
