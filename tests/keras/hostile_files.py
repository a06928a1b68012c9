"""Model files that write a canary file as soon as Keras or TensorFlow loads them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

from edgesparse.keras_model.backend import quiet, tensorflow, tf_keras

__all__ = ["MAKERS", "Maker", "edit_config", "edit_h5_config", "save", "small_network"]

Maker = Callable[[Path, Path], Path]
"""(folder, canary) -> the model file, which writes the canary when it is loaded."""


def save(model: Any, path: Path, **options: Any) -> Path:
    with quiet():
        model.save(path, **options)
    return path


def small_network() -> Any:
    keras = tf_keras()
    inputs = keras.Input((8,))
    return keras.Model(inputs, keras.layers.Dense(2, name="last")(keras.layers.Dense(4, name="first")(inputs)))


def edit_config(source: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a `.keras` archive with another config.json."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return target


def edit_h5_config(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)
    return path


def _write_when_called(canary: Path) -> Any:
    """A function that brings all it needs in its bytecode, as a marshalled one must."""
    text = str(canary)
    return eval(f"lambda x, *more: (open({text!r}, 'w').close(), more[0] if more else x)[1]")


def lambda_model(canary: Path) -> Any:
    keras = tf_keras()
    inputs = keras.Input((8,))
    doubled = keras.layers.Lambda(_write_when_called(canary), name="doubled")(inputs)
    return keras.Model(inputs, keras.layers.Dense(2)(doubled))


def residual_cell(folder: Path, canary: Path) -> Path:
    """`.h5`: RNN -> StackedRNNCells -> ResidualWrapper, whose function is marshalled."""
    keras = tf_keras()
    inputs = keras.Input((4, 3))
    with quiet():
        cell = tensorflow().nn.RNNCellResidualWrapper(
            keras.layers.SimpleRNNCell(3, name="inner"), residual_fn=_write_when_called(canary)
        )
        stacked = keras.layers.StackedRNNCells([cell])
        model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.RNN(stacked)(inputs)))
    return save(model, folder / "residual.h5")


def zip_before_hdf5(folder: Path, canary: Path) -> Path:
    """A harmless `.keras` archive at byte 0 and, in its first member, a hostile HDF5 file at byte 512 of the whole."""
    harmless = save(small_network(), folder / "harmless.keras")
    hostile = save(lambda_model(canary), folder / "hostile.h5")
    shifted = folder / "shifted.h5"
    with h5py.File(hostile) as source, h5py.File(shifted, "w", userblock_size=512) as target:
        for name in source:
            source.copy(name, target)
        target.attrs.update(source.attrs)
    member = "assets/x"
    content = b"\0" * (512 - 30 - len(member)) + shifted.read_bytes()[512:]
    path = folder / "both.h5"
    with zipfile.ZipFile(harmless) as old, zipfile.ZipFile(path, "w") as new:
        new.writestr(member, content)
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert path.read_bytes()[512:520] == b"\x89HDF\r\n\x1a\n"
    return path


def writing_initializer(folder: Path, canary: Path) -> Path:
    """SavedModel: a resource whose initializer, which runs while it is loaded, is tf.io.write_file."""
    tf = tensorflow()

    class Writer(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc, name-defined]
        def _create_resource(self) -> Any:
            return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="writer")

        def _initialize(self) -> None:
            tf.io.write_file(str(canary), "written")

    model = small_network()
    with quiet():
        model.writer = Writer()
    return save(model, folder / "writer", save_format="tf")


def lambda_saved_model(folder: Path, canary: Path) -> Path:
    return save(lambda_model(canary), folder / "lambda", save_format="tf")


def named_attribute(folder: Path, canary: Path) -> Path:
    """`.keras`: a class name that was once exempt, with an attribute of a Keras module as its registered name."""
    (folder / "content").write_text("anything")
    item = {
        "class_name": "PruneLowMagnitude",
        "module": "keras.src.utils.data_utils",
        "registered_name": "urlretrieve",
        "config": {"name": "fetch"},
        "name": "fetch",
        "inbound_nodes": [[["_CONSTANT_VALUE", -1, (folder / "content").as_uri(), {"filename": str(canary)}]]],
    }
    return edit_config(
        save(small_network(), folder / "plain.keras"),
        folder / "attribute.keras",
        lambda config: config["config"]["layers"].insert(1, item),
    )


MAKERS: dict[str, Maker] = {
    "residual cell": residual_cell,
    "zip before HDF5": zip_before_hdf5,
    "writing initializer": writing_initializer,
    "named attribute": named_attribute,
    "Lambda in a SavedModel": lambda_saved_model,
}
