"""Load a Keras model from a file or from memory, as a tf_keras model that the later stages can rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.keras_model.backend import quiet, tf_keras, tfmot
from edgesparse.keras_model.bridge import load_keras3
from edgesparse.keras_model.drop_connect import CLASS_NAMES, is_drop_connect, strip_config
from edgesparse.keras_model.files import ModelFile, read_model_file
from edgesparse.keras_model.known_classes import PRUNING_WRAPPER
from edgesparse.keras_model.loaded import LoadedModel
from edgesparse.keras_model.rebuild import KERAS_ERRORS, check_container, one_line, rebuild
from edgesparse.keras_model.saved_model import check_graph, copy_variables
from edgesparse.keras_model.scan import Config, layer_configs, plain_config
from edgesparse.keras_model.timelimit import time_limit
from edgesparse.keras_model.validate import check_model, check_shapes, free_batch, rebuilt
from edgesparse.keras_model.weights import copy_weights
from edgesparse.keras_model.wrappers import strip_pruning_config
from edgesparse.system.scratch import working_folder

__all__ = ["from_object", "load"]

_LOAD_SECONDS = 300.0


def load(path: Path, *, unsafe: bool = False) -> LoadedModel:
    """Load `.h5`, `.keras` or a SavedModel folder, of Keras 2 or Keras 3 (which one, the file says).

    The model is rebuilt from a configuration that was judged, and the weights are copied into it: nothing from the file
    runs. unsafe: let tf_keras load files of Keras 2, Lambda layers and modules outside of Keras included, that is, code
    from the file. Keras 3 models are rebuilt in any case, and compared with Keras 3. TF-MOT's pruning wrappers and
    DropConnect are stripped. Raises ModelError (UnsupportedError where layers are the reason).
    """
    path = Path(path)
    file = read_model_file(path)
    if file.keras_major == 3:
        model = load_keras3(file, unsafe=unsafe)
    else:
        config = plain_config(path, file.config, unsafe=unsafe)
        model = _load_unsafe(file, config) if unsafe else _load_keras2(file, config)
    return _finish(model, str(path), file.format, file.keras_version, path.stem or path.name)


def from_object(model: Any) -> LoadedModel:
    """Take a tf_keras or Keras 3 model that is in memory. The given model is not changed.

    ModelError for anything else, for subclassed models and for models that `load` would refuse.
    """
    keras = tf_keras()
    if isinstance(model, keras.Model):
        config = {"class_name": type(model).__name__, "config": _config(model)}
        plain_config(f"model {model.name!r}", config, unsafe=True)
        with time_limit(_LOAD_SECONDS, f"model {model.name!r}: copying"):
            copy = free_batch(_strip_drop_connect(_strip_pruning(model)), always=True)
        return _finish(copy, f"model {model.name!r}", "object", str(keras.__version__), str(model.name))
    if any(base.__module__.split(".")[0] == "keras" for base in type(model).__mro__) and hasattr(model, "save"):
        with working_folder() as folder:
            path = folder / f"{model.name}.keras"
            model.save(path)
            loaded = load(path)
        return LoadedModel(loaded.model, "object", loaded.keras_version, str(model.name))
    raise ModelError(
        f"expected a tf_keras or Keras model, got {type(model).__module__}.{type(model).__name__}; give a path"
        " or a model"
    )


def _config(model: Any) -> dict[str, Any]:
    """The config of a Functional or Sequential model; UnsupportedError for subclassed ones, which have none of their
    layers in it."""
    if not model._is_graph_network:
        kind = type(model).__name__
        raise UnsupportedError(
            f"model {model.name!r} ({kind}): subclassed models and models without an input shape cannot be converted;"
            " build it as a Functional or Sequential model with an Input",
            (kind,),
        )
    config: dict[str, Any] = model.get_config()
    return config


def _finish(model: Any, source: str, file_format: str, version: str, name: str) -> LoadedModel:
    check_shapes(model, source)
    model = free_batch(model)
    check_model(model, source)
    return LoadedModel(model, file_format, version, name)


def _load_keras2(file: ModelFile, stored: Config) -> Any:
    """Rebuild a model of Keras 2; stored: its config as judged."""
    check_container(file.path, stored)
    try:
        plain = strip_pruning_config(strip_config(stored))
    except KERAS_ERRORS as error:  # a config that lacks keys, or has other types under them
        raise ModelError(f"{file.path}: the model configuration is damaged: {one_line(error)}") from error
    if file.format == "saved_model":
        check_graph(file.path)
    model = rebuild(file.path, plain)
    check_shapes(model, str(file.path))
    with quiet():
        if file.format == "saved_model":
            copy_variables(file.path, model, stored, plain)
        else:
            copy_weights(file, model, stored, plain)
    return model


def _load_unsafe(file: ModelFile, config: Config) -> Any:
    """Let tf_keras load a file, and run what is in it."""
    keras = tf_keras()
    items = [item for _, item in layer_configs(config)]
    pruned = any(item["class_name"] == PRUNING_WRAPPER for item in items)
    custom_objects = _pruning_objects() if pruned else {}
    if any(map(is_drop_connect, items)):
        custom_objects |= _drop_connect_objects()
    options = {"safe_mode": False} if file.format == "keras" else {}
    try:
        with quiet(), time_limit(_LOAD_SECONDS, f"{file.path}: loading"):
            model = keras.models.load_model(file.path, compile=False, custom_objects=custom_objects, **options)
            if pruned:
                model = _strip_pruning(model)
            model = _strip_drop_connect(model)
            if file.format == "saved_model":
                model = free_batch(model, always=True)
    except KERAS_ERRORS as error:
        raise ModelError(f"{file.path}: tf_keras cannot load it: {one_line(error)}") from error
    return model


def _pruning_objects() -> dict[str, Any]:
    sparsity = tfmot().sparsity.keras
    wrapper = _prune_wrapper()
    return {
        PRUNING_WRAPPER: wrapper,
        "PolynomialDecay": sparsity.PolynomialDecay,
        "ConstantSparsity": sparsity.ConstantSparsity,
    }


def _prune_wrapper() -> Any:
    """TF-MOT's wrapper class; it is not part of TF-MOT's public names."""
    tfmot()
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper

    return pruning_wrapper.PruneLowMagnitude


def _strip_pruning(model: Any) -> Any:
    if not any(type(layer).__name__ == PRUNING_WRAPPER for layer in model._flatten_layers(include_self=False)):
        return model
    return tfmot().sparsity.keras.strip_pruning(model)


def _drop_connect_objects() -> dict[str, Any]:
    from edgesparse.keras_model.drop_connect_tf_keras import DropConnect  # imports TensorFlow

    return dict.fromkeys(CLASS_NAMES, DropConnect)


def _strip_drop_connect(model: Any) -> Any:
    """A copy without the wrappers; the model itself where there are none, or where it has no config to change."""
    if not getattr(model, "_is_graph_network", False):
        return model
    config = model.get_config()
    if not any(is_drop_connect(item) for _, item in layer_configs(config)):
        return model
    return rebuilt(model, strip_config(config))
