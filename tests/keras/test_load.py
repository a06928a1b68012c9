"""Keras 2 files load; what cannot be used is refused in one line, before anything from the file runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.keras_model import final_activation, from_object, input_shape, iter_layers, load, predict, rebuild
from edgesparse.keras_model.backend import quiet, tf_keras, tfmot
from edgesparse.keras_model.scan import plain_config

X = np.random.default_rng(0).standard_normal((5, 8, 8, 3)).astype(np.float32)


def small_model(batch: int | None = None) -> Any:
    keras = tf_keras()
    with quiet():
        keras.utils.set_random_seed(3)
        inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)], name="inner")
        x = inputs = keras.Input((8, 8, 3), batch_size=batch)
        x = keras.layers.BatchNormalization(name="norm")(keras.layers.Conv2D(4, 3, name="conv")(x))
        x = inner(keras.layers.GlobalAveragePooling2D()(x))
        return keras.Model(inputs, keras.layers.Softmax()(x), name="small")


def save(model: Any, path: Path, **options: Any) -> Path:
    with quiet():
        model.save(path, **options)
    return path


def one_line(caught: pytest.ExceptionInfo[ModelError]) -> bool:
    return "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["small.h5", "small.keras", "small"])
def test_keras2_files_load_with_the_same_outputs(tmp_path: Path, name: str) -> None:
    model = small_model()
    expected = predict(model, X)
    loaded = load(save(model, tmp_path / name))
    np.testing.assert_allclose(predict(loaded.model, X), expected, atol=1e-6)
    assert loaded.name == "small"
    assert loaded.format == {"small.h5": "h5", "small.keras": "keras", "small": "saved_model"}[name]
    assert loaded.keras_version.startswith("2.")
    assert input_shape(loaded.model) == (8, 8, 3)
    assert final_activation(loaded.model) == "softmax"
    assert "inner/dense" in {path.rstrip("_0123456789") for path, _ in iter_layers(loaded.model)}


def test_the_final_activation_is_found_inside_a_nested_model() -> None:
    keras = tf_keras()
    inner = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(5, activation="tanh"), keras.layers.Reshape((5, 1))]
    )
    inputs = keras.Input((4,))
    assert final_activation(keras.Model(inputs, inner(inputs))) == "tanh"


def test_a_fixed_batch_becomes_free(tmp_path: Path) -> None:
    model = small_model(batch=5)
    loaded = load(save(model, tmp_path / "batch.h5"))
    assert loaded.model.inputs[0].shape[0] is None
    np.testing.assert_allclose(predict(loaded.model, X), predict(model, X), atol=1e-6)


def test_from_object_copies_the_model() -> None:
    model = small_model()
    loaded = from_object(model)
    assert loaded.format == "object"
    loaded.model.get_layer("conv").kernel.assign(np.zeros((3, 3, 3, 4)))
    assert np.any(model.get_layer("conv").get_weights()[0])


def test_from_object_refuses_other_objects_and_subclassed_models() -> None:
    class Subclassed(tf_keras().Model):  # type: ignore[misc]  # tf_keras has no types
        def call(self, inputs: Any) -> Any:
            return inputs

    with pytest.raises(ModelError, match=r"expected a tf_keras or Keras model, got builtins\.int"):
        from_object(3)
    with pytest.raises(ModelError, match="subclassed"):
        from_object(Subclassed())


def test_pruning_wrappers_are_stripped(tmp_path: Path) -> None:
    keras = tf_keras()
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8), keras.layers.Dense(2)])
    with quiet():
        pruned = tfmot().sparsity.keras.prune_low_magnitude(model)
    x = np.ones((1, 8), np.float32)
    expected = predict(model, x)
    for name in ("pruned.h5", "pruned.keras"):
        loaded = load(save(pruned, tmp_path / name))
        assert [type(layer).__name__ for _, layer in iter_layers(loaded.model)] == ["Dense", "Dense"]
        np.testing.assert_allclose(predict(loaded.model, x), expected, atol=1e-6)


# ------------------------------------------------------------------------------------------ code and custom layers


def lambda_model(wrapped: bool) -> Any:
    keras = tf_keras()
    layer = keras.layers.Lambda(lambda value: value * 2.0, name="doubler")
    inputs = keras.Input((4, 8))
    x = keras.layers.TimeDistributed(layer, name="timed")(inputs) if wrapped else layer(inputs)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


@pytest.mark.parametrize(
    ("name", "wrapped"),
    [("code.h5", False), ("code.h5", True), ("code.keras", False), ("code.keras", True), ("code", True)],
)
def test_a_lambda_layer_is_refused_by_name(tmp_path: Path, name: str, wrapped: bool) -> None:
    path = save(lambda_model(wrapped), tmp_path / name)
    with pytest.raises(ModelError, match=r"'doubler'.*executes code.*--unsafe") as caught:
        load(path)
    assert one_line(caught)


def test_a_lambda_layer_loads_with_unsafe(tmp_path: Path) -> None:
    model = lambda_model(wrapped=False)
    x = np.ones((1, 4, 8), np.float32)
    loaded = load(save(model, tmp_path / "code.h5"), unsafe=True)
    np.testing.assert_allclose(predict(loaded.model, x), predict(model, x), atol=1e-6)


def test_a_custom_layer_is_refused_by_name(tmp_path: Path) -> None:
    keras = tf_keras()

    class Scaled(keras.layers.Layer):  # type: ignore[misc, name-defined]  # tf_keras has no types
        def call(self, inputs: Any) -> Any:
            return inputs * 3.0

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), Scaled(name="mine")])
    for name in ("custom.h5", "custom.keras"):
        with pytest.raises(UnsupportedError, match=r"'mine' \(Scaled\)") as caught:
            load(save(model, tmp_path / name))
        assert one_line(caught)
        assert caught.value.names == ("Scaled",)


def wrapped_in_model(item: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "m", "layers": [item]}}


@pytest.mark.parametrize(
    "item",
    [
        {
            "class_name": "Dense",
            "config": {"name": "d", "activation": {"class_name": "function", "module": "os", "config": "system"}},
        },
        {
            "class_name": "Dense",
            "config": {
                "name": "d",
                "activation": {"class_name": "function", "module": "keras.utils", "config": "get_file"},
            },
        },
        {
            "class_name": "Dense",
            "config": {
                "name": "d",
                "kernel_initializer": {"class_name": "Popen", "module": "subprocess", "config": {}},
            },
        },
    ],
)
def test_a_module_outside_of_keras_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"'d'.* would import a module outside of Keras"):
        plain_config("m.keras", wrapped_in_model(item))


@pytest.mark.parametrize(
    "item",
    [
        {
            "class_name": "Dense",
            "config": {"name": "d", "activation": {"class_name": "__lambda__", "config": {"value": "..."}}},
        },
        {"class_name": "TFOpLambda", "config": {"name": "d", "function": "io.write_file"}},
        {"class_name": "Custom>Lambda", "config": {"name": "d"}},
    ],
)
def test_hidden_code_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"'d'.*executes code"):
        plain_config("m.keras", wrapped_in_model(item))


def test_plain_tensor_functions_pass() -> None:
    item = {"class_name": "TFOpLambda", "config": {"name": "d", "function": "math.add"}}
    plain_config("m.h5", wrapped_in_model(item))


# ------------------------------------------------------------------------------------------ damaged and unfit files


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        load(tmp_path / "none.h5")


@pytest.mark.parametrize("name", ["text.h5", "text.keras", "text.onnx"])
@pytest.mark.parametrize("content", [b"", b"just some text\n"])
def test_a_text_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"text\.") as caught:
        load(path)
    assert one_line(caught)


@pytest.mark.parametrize("name", ["cut.h5", "cut.keras"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, share: float) -> None:
    path = save(small_model(), tmp_path / name)
    data = path.read_bytes()
    path.write_bytes(data[: max(20, int(len(data) * share))])
    with pytest.raises(ModelError) as caught:
        load(path)
    assert one_line(caught)


def test_a_weights_file_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "small.weights.h5"
    with quiet():
        small_model().save_weights(path)
    with pytest.raises(ModelError, match=r"weights only.*model\.save"):
        load(path)


def test_a_folder_without_a_saved_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"saved_model\.pb"):
        load(tmp_path)


def test_a_damaged_saved_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff not a protobuf")
    with pytest.raises(ModelError, match="damaged"):
        load(tmp_path)


def test_nan_weights_are_refused_by_layer(tmp_path: Path) -> None:
    model = small_model()
    weights = model.get_layer("norm").get_weights()
    weights[2][1] = np.nan
    model.get_layer("norm").set_weights(weights)
    with pytest.raises(ModelError, match="layer 'norm' has NaN or infinite weights"):
        load(save(model, tmp_path / "nan.h5"))


def test_several_inputs_or_outputs_are_refused() -> None:
    keras = tf_keras()
    a, b = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    x = keras.layers.Dense(2)(keras.layers.Add()([a, b]))
    with pytest.raises(ModelError, match="expected one input, got 2: 'left', 'right'"):
        from_object(keras.Model([a, b], x))
    x = keras.layers.Dense(2)(a)
    with pytest.raises(ModelError, match="expected one output, got 2"):
        from_object(keras.Model(a, [x, keras.layers.Dense(2)(x)]))


def test_an_open_height_is_refused_by_input() -> None:
    keras = tf_keras()
    inputs = keras.Input((None, 8, 3), name="photo")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs))
    with pytest.raises(ModelError, match=r"input 'photo' has unknown sizes \(None, None, 8, 3\)"):
        from_object(keras.Model(inputs, x))


def test_a_config_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = save(small_model(), tmp_path / "json.h5")
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = "{not json"
    with pytest.raises(ModelError, match="no JSON"):
        load(path)


def test_a_config_whose_layers_cannot_be_connected_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "_REBUILD_SECONDS", 3.0)
    path = save(small_model(), tmp_path / "loop.h5")
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["inbound_nodes"][0][0][1] = 7
        config["config"]["layers"][2]["inbound_nodes"][0][0][1] = 7
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(ModelError) as caught:
        load(path)
    assert one_line(caught)
