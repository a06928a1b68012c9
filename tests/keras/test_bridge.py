"""Keras 3 files are rebuilt in tf_keras, equal to Keras 3, or refused by layer name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.keras_model import bridge, iter_layers, load, output_shape
from edgesparse.keras_model.keras3_layers import LAYERS
from edgesparse.keras_model.timelimit import time_limit


@pytest.fixture(scope="module")
def keras3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras3")
    environment = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    environment |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    script = Path(__file__).parent / "keras3_models.py"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


# Each load compares the outputs with Keras 3's.
@pytest.mark.parametrize("name", ["residual.h5", "nested.keras", "shared.keras", "sequential.h5", "drop_connect.keras"])
def test_a_keras3_model_gives_keras3s_outputs(keras3: Path, name: str) -> None:
    loaded = load(keras3 / name)
    assert loaded.keras_version.startswith("3.")
    assert loaded.format == name.split(".")[1]
    assert loaded.model.inputs[0].shape[0] is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["residual.keras", "nested.h5", "shared.h5", "sequential.keras", "drop_connect.h5"])
def test_a_keras3_model_in_the_other_format_gives_keras3s_outputs(keras3: Path, name: str) -> None:
    assert load(keras3 / name).keras_version.startswith("3.")


@pytest.mark.parametrize(
    ("name", "layer", "kind"),
    [
        ("custom", "doubled", "Doubled"),
        ("hard", "hard", "hard_sigmoid"),
        ("ops", "absolute", "Absolute"),
        ("normalized", "norm", "LayerNormalization"),
    ],
)
def test_layers_without_a_translation_are_refused_by_name(keras3: Path, name: str, layer: str, kind: str) -> None:
    with pytest.raises(UnsupportedError, match=f"'{layer}.*{kind}") as caught:
        load(keras3 / f"{name}.keras")
    assert "\n" not in str(caught.value)


def test_a_keras3_lambda_is_refused_with_and_without_unsafe(keras3: Path) -> None:
    with pytest.raises(ModelError, match=r"'doubler'.*executes code.*--unsafe"):
        load(keras3 / "lambda.keras")
    with pytest.raises(UnsupportedError, match="no translation from Keras 3 for 'doubler'"):
        load(keras3 / "lambda.keras", unsafe=True)


def test_an_exported_saved_model_is_refused_with_advice(keras3: Path) -> None:
    with pytest.raises(ModelError, match=r"no Keras layers.*model\.save"):
        load(keras3 / "exported")


def test_a_different_output_is_refused(keras3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_keras3_outputs", lambda file, config, x: np.full((len(x), 12), 0.5, np.float32))
    with pytest.raises(ModelError, match="outputs differ from Keras 3's by"):
        load(keras3 / "shared.keras")


def test_a_keras3_file_that_lacks_a_layers_weights_is_refused(keras3: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.h5"
    shutil.copy(keras3 / "sequential.h5", path)
    with h5py.File(path, "a") as file:
        names = [name for name in file["model_weights"] if name.startswith("dense")]
        del file["model_weights"][names[0]]
    with pytest.raises(ModelError, match=r"layer 'dense.*expected weights of shapes \[\(8, 2\), \(2,\)\], got \[\]"):
        load(path)


def test_a_nested_models_weights_reach_its_layers(keras3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_compare", lambda file, model, config: None)
    model = load(keras3 / "nested.keras").model
    layers = dict(iter_layers(model))
    name = next(path for path in layers if path.startswith("head/dense"))
    with (
        zipfile.ZipFile(keras3 / "nested.keras") as archive,
        h5py.File(archive.open("model.weights.h5"), "r") as weights,
    ):
        expected = np.asarray(weights["layers/sequential/layers/dense/vars/0"])
    np.testing.assert_array_equal(layers[name].get_weights()[0], expected)
    assert output_shape(model) == (3,)


def test_translate_does_not_change_its_argument(keras3: Path) -> None:
    with zipfile.ZipFile(keras3 / "nested.keras") as archive:
        text = archive.read("config.json").decode()
    config = json.loads(text)
    bridge.translate(config)
    assert config == json.loads(text)


def test_every_listed_layer_exists_in_tf_keras() -> None:
    from edgesparse.keras_model.backend import tf_keras

    layers = tf_keras().layers
    assert [name for name in LAYERS if not hasattr(layers, name)] == []


def test_the_time_limit_ends_an_endless_loop() -> None:
    def count_forever() -> None:
        with time_limit(0.2, "counting"):
            while True:
                pass

    with pytest.raises(ModelError, match="did not finish within"):
        count_forever()
