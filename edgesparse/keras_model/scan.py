"""Judge a model's configuration before anything is made from it: code, custom layers, foreign modules.

Keras runs code while it loads: Lambda layers hold marshalled bytecode, and a `module` key is imported. So the plain
JSON is walked first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.keras_model.drop_connect import CLASS_NAMES

__all__ = ["Finding", "check_config", "layer_configs"]

_CONTAINERS = frozenset({"Functional", "Model", "Sequential"})
_KERAS_MODULES = ("keras", "tf_keras", "builtins", "tensorflow.keras", "tensorflow.python.keras")
_FUNCTION_MODULES = (None, "builtins", "keras.activations", "tf_keras.activations")
_PRUNING_MODULE = "tensorflow_model_optimization.python.core.sparsity.keras"
_PRUNING_CLASSES = frozenset({"PruneLowMagnitude", "ConstantSparsity", "PolynomialDecay"})
_DROP_CONNECT_MODULES = tuple(f"edgesparse.keras_model.drop_connect_{keras}" for keras in ("tf_keras", "keras3"))
_TENSOR_FUNCTIONS = ("__operators__.", "math.", "nn.", "linalg.", "image.", "keras.activations.", "keras.backend.")
"""Namespaces of TensorFlow whose functions only compute; tf.io and tf.py_function are not among them."""
_TENSOR_FUNCTION_NAMES = frozenset(
    "cast clip_by_value concat expand_dims identity pad reshape slice split squeeze stack strided_slice tile"
    " transpose unstack"
    " zeros_like ones_like convert_to_tensor shape compat.v1.transpose compat.v1.pad compat.v1.shape".split()
)

Finding = tuple[str, str]
"""(layer name, class name)"""


def layer_configs(config: Any, owner: str = "model") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (layer name, serialised object) for every object in a config, containers and wrapped layers included.

    Any dict with a `class_name` counts as an object; an initializer or an activation is named after the layer that
    owns it.
    """
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            inner = config.get("config")
            name = inner.get("name") if isinstance(inner, dict) else None
            owner = str(config.get("name") or name or owner)
            yield owner, config
        for value in config.values():
            yield from layer_configs(value, owner)
    elif isinstance(config, list):
        for value in config:
            yield from layer_configs(value, owner)


def check_config(path: object, configs: Iterable[dict[str, Any]], known: frozenset[str], *, unsafe: bool) -> None:
    """Refuse configs that would run code or that hold layers unknown to Keras.

    known: class names of Keras' own layers. ModelError for code (unless `unsafe`) and foreign modules,
    UnsupportedError with all names for custom layers.
    """
    code: list[Finding] = []
    foreign: list[str] = []
    custom: list[Finding] = []
    for config in configs:
        # What the model was compiled with is not loaded, at the top level only.
        for name, item in layer_configs({key: value for key, value in config.items() if key != "compile_config"}):
            kind = item["class_name"]
            if _runs_code(item):
                code.append((name, kind))
            elif (module := _foreign_module(item)) is not None:
                if isinstance(item.get("build_config"), dict) or "inbound_nodes" in item or _is_custom(item):
                    custom.append((name, kind))
                else:
                    foreign.append(f"{name!r} ({module})")
        custom.extend(_unknown_layers(config, known))
    if code and not unsafe:
        names = ", ".join(f"{name!r} ({kind})" for name, kind in dict.fromkeys(code))
        raise ModelError(
            f"{path}: layer {names} executes code from the file when it is loaded; replace it by a Keras layer,"
            " or pass --unsafe"
            " if you trust the file"
        )
    if custom:
        unique = tuple(dict.fromkeys(custom))
        names = ", ".join(f"{name!r} ({kind})" for name, kind in unique)
        raise UnsupportedError(
            f"{path}: custom layers are not supported: {names}; build the model from Keras' own layers",
            tuple(kind for _, kind in unique),
        )
    if foreign and not unsafe:
        raise ModelError(
            f"{path}: layer {', '.join(dict.fromkeys(foreign))} would import a module outside of Keras; remove"
            " it, or pass --unsafe if you"
            " trust the file"
        )


def _runs_code(item: dict[str, Any]) -> bool:
    kind = item["class_name"]
    if kind in ("Lambda", "__lambda__") or kind.endswith(">Lambda"):
        return True
    if kind == "TFOpLambda":
        inner = item.get("config")
        function = str(inner.get("function")) if isinstance(inner, dict) else ""
        return function not in _TENSOR_FUNCTION_NAMES and not function.startswith(_TENSOR_FUNCTIONS)
    return False


def _foreign_module(item: dict[str, Any]) -> str | None:
    module = item.get("module")
    if item["class_name"] == "function" and module not in _FUNCTION_MODULES:
        return str(module)
    if module is None or any(module == name or str(module).startswith(f"{name}.") for name in _KERAS_MODULES):
        return None
    if item["class_name"] in _PRUNING_CLASSES and str(module).startswith(_PRUNING_MODULE):
        return None
    if item["class_name"] in CLASS_NAMES and module in _DROP_CONNECT_MODULES:
        return None
    return str(module)


def _is_custom(item: dict[str, Any]) -> bool:
    return ">" in str(item.get("registered_name") or "")


def _unknown_layers(config: Any, known: frozenset[str]) -> Iterator[Finding]:
    """Layers of a container's `layers` list, and layers in wrappers, whose class Keras does not have."""
    if isinstance(config, list):
        for value in config:
            yield from _unknown_layers(value, known)
        return
    if not isinstance(config, dict):
        return
    inner = config.get("config")
    if isinstance(inner, dict):
        children = (
            [child for child in inner.get("layers", []) if isinstance(child, dict)]
            if isinstance(inner.get("layers"), list)
            else []
        )
        for key in ("layer", "forward_layer", "backward_layer", "cell"):
            children += [inner[key]] if isinstance(inner.get(key), dict) else []
        for child in children:
            kind = str(child.get("class_name"))
            name = child.get("name") or (child.get("config") or {}).get("name") or kind
            if kind not in known and kind not in _PRUNING_CLASSES and not _runs_code({"class_name": kind, **child}):
                yield str(name), kind
        # Only containers may be at the top.
        if children and config.get("class_name") not in known | _CONTAINERS | _PRUNING_CLASSES:
            yield (
                str(config.get("name") or inner.get("name") or config.get("class_name")),
                str(config.get("class_name")),
            )
        for child in children:
            yield from _unknown_layers(child, known)
