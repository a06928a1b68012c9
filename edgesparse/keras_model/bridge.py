"""Keras 3 to tf_keras: translate the config, rebuild, copy the weights, compare with Keras 3.

Keras 3 itself is not imported here (it cannot share a process with the legacy Keras that TF-MOT needs). The
comparison runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.keras_model import keras3_check
from edgesparse.keras_model.drop_connect import CLASS_NAMES, strip_config
from edgesparse.keras_model.files import WEIGHTS_MEMBER, ModelFile
from edgesparse.keras_model.keras3_layers import ACTIVATIONS, LAYERS
from edgesparse.keras_model.known_classes import CONTAINERS, role_of
from edgesparse.keras_model.predict import predict
from edgesparse.keras_model.rebuild import KERAS_ERRORS, check_container, one_line, rebuild
from edgesparse.keras_model.scan import Config, plain_config
from edgesparse.keras_model.validate import check_shapes
from edgesparse.keras_model.weights import copy_weights
from edgesparse.system import processes
from edgesparse.system.scratch import working_folder

__all__ = ["load_keras3", "translate"]

_CHECK_SECONDS = 120.0
_TOLERANCE = 1e-5
_CHECK_SAMPLES = 8


def load_keras3(file: ModelFile, *, unsafe: bool) -> Any:
    """Rebuild a Keras 3 `.h5` or `.keras` model in tf_keras.

    UnsupportedError with the names of all layers that are not in keras3_layers.LAYERS; ModelError when the rebuilt
    model's outputs differ from Keras 3's by more than 1e-5 (relative where outputs exceed 1). Runs nothing from the
    file, with `unsafe` either: code in it is only refused later, as a layer without a translation.
    """
    if file.format == "saved_model":
        raise ModelError(
            f"{file.path}: a SavedModel of Keras 3 holds no layers; save it with model.save('model.keras')"
        )
    stored = plain_config(file.path, file.config, keras_major=3, unsafe=unsafe)
    check_container(file.path, stored)
    try:
        config = strip_config(stored)
        _refuse_unknown(file.path, config)
        translated = translate(config)
    except KERAS_ERRORS as error:  # a config that lacks keys, or has other types under them
        raise ModelError(f"{file.path}: the model configuration is damaged: {one_line(error)}") from error
    model = rebuild(file.path, translated)
    check_shapes(model, str(file.path))
    copy_weights(file, model, stored, config)
    _compare(file, model, keras3_config(stored))
    return model


def _layers(config: Config) -> Iterator[Config]:
    """All layers of a container's config, containers within included."""
    for layer in config["config"].get("layers", []):
        yield layer
        if layer.get("class_name") in CONTAINERS:
            yield from _layers(layer)


def _refuse_unknown(path: Path, config: Config) -> None:
    refused = []
    for layer in _layers(config):
        kind = str(layer.get("class_name"))
        name = str(layer.get("name") or layer["config"].get("name"))
        if kind not in LAYERS and kind not in CONTAINERS:
            refused.append((name, kind))
            continue
        activation = layer["config"].get("activation") if kind in LAYERS else None
        if activation is not None and (not isinstance(activation, str) or activation not in ACTIVATIONS):
            word = (
                activation
                if isinstance(activation, str)
                else activation.get("class_name")
                if isinstance(activation, dict)
                else activation
            )
            refused.append((name, f"{kind} with activation {word}"))
    if refused:
        names = ", ".join(f"{name!r} ({kind})" for name, kind in refused)
        raise UnsupportedError(
            f"{path}: no translation from Keras 3 for {names}; save the model with tf_keras, or give an int8 .tflite",
            tuple(kind for _, kind in refused),
        )


# ---------------------------------------------------------------------------------------------------- configuration


def translate(config: Config) -> Config:
    """The tf_keras config {class_name, config} of a Keras 3 model's config. The argument is not changed."""
    return {"class_name": _container_class(config), "config": _translate_container(config)}


def _container_class(config: Config) -> str:
    return "Sequential" if config["class_name"] == "Sequential" else "Functional"


def _translate_container(config: Config) -> Config:
    inner = config["config"]
    result: Config = {"name": inner["name"], "layers": [_translate_layer(layer) for layer in inner["layers"]]}
    if config["class_name"] == "Sequential":
        if inner.get("build_input_shape") is not None:
            result["build_input_shape"] = inner["build_input_shape"]
        return result
    result["trainable"] = inner.get("trainable", True)
    nested = {
        layer["name"]: layer for layer in inner["layers"] if layer["class_name"] in CONTAINERS and _has_input(layer)
    }
    for source, layer in zip(inner["layers"], result["layers"], strict=True):
        layer["inbound_nodes"] = [_translate_node(node, nested) for node in source.get("inbound_nodes", [])]
    result["input_layers"] = [[name, 0, index] for name, _, index in _references(inner["input_layers"])]
    result["output_layers"] = [
        [name, _output_index(nested[name], node) if name in nested else node, index]
        for name, node, index in _references(inner["output_layers"])
    ]
    return result


def _has_input(layer: Config) -> bool:
    layers = layer["config"].get("layers") or [{}]
    return bool(layer["class_name"] != "Sequential" or layers[0].get("class_name") == "InputLayer")


def _output_index(layer: Config, node: int) -> int:
    # tf_keras counts the node that links a nested model's own input to its output; Keras 3 counts it in
    # output_layers of
    # Functional only.
    if layer["class_name"] == "Sequential" or len(layer.get("inbound_nodes", [])) == 1:
        return 1 if len(layer.get("inbound_nodes", [])) == 1 else node + 1
    return max(node, 1)


def _references(layers: Any) -> list[tuple[str, int, int]]:
    """input_layers or output_layers as [(name, node, tensor)]; Keras 3 writes one flat, more as a list or dict."""
    if isinstance(layers, dict):
        layers = list(layers.values())
    if layers and isinstance(layers[0], str):
        layers = [layers]
    return [(str(name), int(node), int(index)) for name, node, index in layers]


def _translate_node(node: Any, nested: dict[str, Config]) -> list[Any]:
    """One call of a layer: {args, kwargs} with __keras_tensor__ objects -> [[name, node, tensor, kwargs], ...]."""
    tensors = list(_tensors(node["args"]))
    # `training` and `mask` are Keras' own arguments; inference does not depend on them.
    tensors += [
        tensor for key, value in node["kwargs"].items() if key not in ("mask", "training") for tensor in _tensors(value)
    ]
    result = []
    for tensor in tensors:
        name, index, position = tensor["config"]["keras_history"]
        result.append([name, index + 1 if name in nested else index, position, {}])
    return result


def _tensors(value: Any) -> Iterator[Config]:
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            yield value
        else:
            for item in value.values():
                yield from _tensors(item)
    elif isinstance(value, list):
        for item in value:
            yield from _tensors(item)


def _translate_layer(layer: Config) -> Config:
    kind = layer["class_name"]
    name = layer.get("name") or layer["config"]["name"]
    if kind in CONTAINERS:
        return {
            "class_name": _container_class(layer),
            "config": {**_translate_container(layer), "name": name},
            "name": name,
        }
    rule = LAYERS[kind]
    config = {key: _plain(value) for key, value in layer["config"].items() if key not in rule.drop}
    for old, new in rule.rename:
        if old in config:
            config[new] = config.pop(old)
    return {"class_name": kind, "config": config, "name": name}


def _plain(value: Any) -> Any:
    """Keras 3's serialised objects in Keras 2's form: initializers without axes."""
    if isinstance(value, dict) and "class_name" in value:
        kept = {key: _plain(item) for key, item in value["config"].items() if key not in ("input_axes", "output_axes")}
        return {"class_name": value["class_name"], "config": kept}
    return value


_MODULES = {
    "layer": "keras.layers",
    "activation": "keras.layers",
    "initializer": "keras.initializers",
    "regularizer": "keras.regularizers",
    "constraint": "keras.constraints",
}


def keras3_config(value: Any, role: str = "layer") -> Any:
    """A config from plain_config in the form that Keras 3 reads, which only finds what has a module."""
    if isinstance(value, list | tuple):
        return [keras3_config(item, role) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: keras3_config(item, role_of(key)) for key, item in value.items()}
    kind = result.get("class_name")
    if kind is None or kind == "__keras_tensor__":
        return result
    if kind in CONTAINERS:
        kind = "Sequential" if kind == "Sequential" else "Model"
        return {**result, "class_name": kind, "module": "keras", "registered_name": None}
    if kind in CLASS_NAMES:
        module = "edgesparse.keras_model.drop_connect_keras3"
        return {**result, "class_name": "DropConnect", "module": module, "registered_name": "edgesparse>DropConnect"}
    return {**result, "module": _MODULES[role], "registered_name": None}


# ---------------------------------------------------------------------------------------------------- comparison


def _compare(file: ModelFile, model: Any, config: Config) -> None:
    generator = np.random.default_rng(0)
    shape = (_CHECK_SAMPLES, *model.inputs[0].shape[1:])
    x = generator.standard_normal(shape).astype(np.float32)
    expected = _keras3_outputs(file, config, x)
    got = predict(model, x)
    if expected.shape != got.shape:
        raise ModelError(
            f"{file.path}: rebuilt in tf_keras, the output has shape {got.shape}, in Keras 3 {expected.shape}"
        )
    if not np.isfinite(expected).all():
        return  # NaN weights: refused later, with the layer's name
    limit = _TOLERANCE * max(1.0, float(np.abs(expected).max(initial=0.0)))
    difference = float(np.abs(expected - got).max(initial=0.0))
    if not difference <= limit:
        raise ModelError(
            f"{file.path}: rebuilt in tf_keras, outputs differ from Keras 3's by {difference:.3g} (limit"
            f" {limit:.3g}); save the model with tf_keras"
        )


def _keras3_outputs(file: ModelFile, config: Config, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Run the model in Keras 3, in a process of its own with a time limit: from the judged config and the weights."""
    environment = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    environment |= {
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    with working_folder() as folder:
        (folder / "config.json").write_text(json.dumps(config))
        np.save(folder / "inputs.npy", x)
        # Keras goes by the name: the weights of a .keras archive and those of a .h5 file have other layouts.
        weights = folder / ("model.h5" if file.format == "h5" else WEIGHTS_MEMBER)
        if file.format == "h5":
            shutil.copyfile(file.path, weights)
        else:
            with zipfile.ZipFile(file.path) as archive:
                weights.write_bytes(archive.read(WEIGHTS_MEMBER))
        outputs = folder / "outputs.npy"
        arguments = [folder / "config.json", weights, folder / "inputs.npy", outputs]
        command = [sys.executable, "-W", "ignore", str(keras3_check.__file__), *map(str, arguments)]
        done = processes.run(command, timeout_s=_CHECK_SECONDS, env=environment)
        if done.stopped:
            raise ModelError(f"{file.path}: Keras 3, loading and running it, {done.stopped}; give a smaller model")
        done.check_killed(f"{file.path}: Keras 3, loading and running it,")
        if done.code != 0 or not outputs.is_file():
            lines = [line for line in done.errors.splitlines() if line.strip()] or ["no message"]
            raise ModelError(f"{file.path}: Keras 3 cannot load and run it: {lines[-1][:300]}")
        result: npt.NDArray[np.float32] = np.load(outputs)
    return result
