"""Judge a model's configuration before anything is made from it, and keep of it only what was judged.

Keras runs code while it loads: Lambda layers hold marshalled bytecode, a `module` key is imported, and a
`registered_name` may be any attribute of that module. So the plain JSON is walked first, every object in it has to be
on a list, and what the models are built from is a copy without modules, registered names and compile configurations:
a class is only ever found by its plain name among Keras' own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.keras_model.keras3_layers import LAYERS
from edgesparse.keras_model.known_classes import (
    CLASSES,
    CODE,
    CONTAINERS,
    DROP_CONNECT,
    NAMES,
    PRUNING_WRAPPER,
    is_tensor_function,
    role_of,
)

__all__ = ["Config", "layer_configs", "plain_config"]

Config = dict[str, Any]

_DEEPEST = 150
"""Levels of lists and objects; a nested model takes four."""

_KERAS_MODULES = ("keras", "tf_keras", "builtins", "tensorflow.keras", "tensorflow.python.keras")
_FUNCTION_MODULES = (None, "builtins", "keras.activations", "tf_keras.activations")
_OTHER_MODULES = {
    **dict.fromkeys(
        (PRUNING_WRAPPER, *CLASSES["schedule"]), ("tensorflow_model_optimization.python.core.sparsity.keras",)
    ),
    **dict.fromkeys(
        DROP_CONNECT, tuple(f"edgesparse.keras_model.drop_connect_{keras}" for keras in ("tf_keras", "keras3"))
    ),
}
"""Classes that are not Keras' own, and where they are."""

_NUMBERS = frozenset("bool int8 int16 int32 int64 uint8 float16 float32 float64".split())


def layer_configs(config: Any, owner: str = "model") -> Iterator[tuple[str, Config]]:
    """Yield (layer name, serialised object) for every object in a config, containers and wrapped layers included.

    Any dict with a `class_name` counts as an object; an initializer or an activation is named after the layer that
    owns it.
    """
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            owner = _name(config, owner)
            yield owner, config
        for value in config.values():
            yield from layer_configs(value, owner)
    elif isinstance(config, list):
        for value in config:
            yield from layer_configs(value, owner)


def plain_config(source: object, config: Config, *, keras_major: int = 2, unsafe: bool = False) -> Config:
    """A copy of a model's config that names nothing but known classes, or an error that names all others.

    The copy has class names, configurations, layer names and inbound nodes, tuples and shapes as tuples, functions and
    dtype policies by their names. ModelError for code, for foreign modules and for objects that are not Keras' own,
    unless `unsafe`, with which the copy may hold any of them; UnsupportedError for unknown layers in any case, which
    in a config of Keras 3 are all those that have no translation (keras3_layers.py).
    """
    judge = _Judge(source, keras_major)
    result = judge.walk(config, "model", "layer", 0)
    if str(config.get("class_name")) not in CONTAINERS:
        judge.layers.append((_name(config, "model"), str(config.get("class_name"))))
    judge.report(unsafe=unsafe)
    assert isinstance(result, dict)
    return result


def _name(item: Config, owner: str) -> str:
    inner = item.get("config")
    return str(item.get("name") or (inner.get("name") if isinstance(inner, dict) else None) or owner)


class _Judge:
    """Walks a config once: copies what is known, and notes what is not as (layer name, what)."""

    def __init__(self, source: object, keras_major: int) -> None:
        self.source = source
        self.keras_major = keras_major
        self.classes = CLASSES if keras_major < 3 else {**CLASSES, "layer": CONTAINERS | DROP_CONNECT | set(LAYERS)}
        self.code: list[tuple[str, str]] = []
        self.foreign: list[tuple[str, str]] = []
        self.layers: list[tuple[str, str]] = []
        self.objects: list[tuple[str, str]] = []

    def walk(self, value: Any, owner: str, role: str, depth: int) -> Any:
        """A copy of anything in a config. role: what an object or a name here would be for."""
        if depth > _DEEPEST:
            raise ModelError(f"{self.source}: the model configuration is nested more than {_DEEPEST} levels deep")
        if isinstance(value, dict):
            if "class_name" in value:
                return self._object(value, owner, role, depth)
            return {key: self.walk(item, owner, role_of(str(key)), depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            items = (self.walk(item, owner, role, depth + 1) for item in value)
            return tuple(items) if isinstance(value, tuple) else list(items)
        if isinstance(value, str):
            if role in NAMES and value not in NAMES[role]:
                self.objects.append((owner, f"{role} {value!r}"))
            elif value == "_COMPOSITE_TYPE":  # how tf_keras marks text that it decodes to a type of any name
                self.code.append((owner, value))
        return value

    def _object(self, item: Config, owner: str, role: str, depth: int) -> Any:
        kind, inner = item["class_name"], item.get("config")
        owner = _name(item, owner)
        if not isinstance(kind, str):
            self.objects.append((owner, f"{role} {kind!r}"[:80]))
            return None
        if kind in ("__tuple__", "TensorShape"):
            items = item.get("items")
            return tuple(self.walk(items, owner, role, depth + 1)) if isinstance(items, list | tuple) else ()
        if kind == "__ellipsis__":
            return Ellipsis
        if kind in ("Policy", "DTypePolicy") and isinstance(inner, dict):
            return str(inner.get("name"))
        if kind in ("__numpy__", "__tensor__"):
            return self._array(inner, owner)
        if kind == "function":
            return self._function(item, owner, role)
        if kind != "__keras_tensor__":
            self._judge(item, owner, role)
        result = {"class_name": kind, "config": self._config(kind, item, owner, depth)}
        if "name" in item:
            result["name"] = str(item["name"])
        if "inbound_nodes" in item:
            result["inbound_nodes"] = self.walk(item["inbound_nodes"], owner, "layer", depth + 1)
        return result

    def _config(self, kind: str, item: Config, owner: str, depth: int) -> Any:
        inner = item.get("config")
        if kind == "Sequential" and isinstance(inner, list):  # Keras 2.0 to 2.2
            inner = {"name": "sequential", "layers": inner}
        result = {} if inner is None else self.walk(inner, owner, role_of("config"), depth + 1)
        build = item.get("build_config")
        if kind == "Sequential" and isinstance(build, dict) and isinstance(result, dict):
            shape = build.get("input_shape")
            if isinstance(shape, list) and all(size is None or isinstance(size, int) for size in shape):
                result.setdefault("build_input_shape", shape)
        return result

    def _array(self, inner: Any, owner: str) -> Any:
        if not isinstance(inner, dict) or str(inner.get("dtype")) not in _NUMBERS:
            self.objects.append((owner, "an array of no numbers"))
            return None
        try:
            return np.array(inner.get("value"), dtype=str(inner["dtype"]))
        except (TypeError, ValueError, OverflowError) as error:
            raise ModelError(f"{self.source}: layer {owner!r}: a constant in it is no array of numbers") from error

    def _function(self, item: Config, owner: str, role: str) -> str:
        name, module = str(item.get("config")), item.get("module")
        if module not in _FUNCTION_MODULES:
            self.foreign.append((owner, f"{module}.{name}"[:80]))
        elif name not in NAMES.get(role, ()):
            self.objects.append((owner, f"function {name!r}"))
        return name

    def _judge(self, item: Config, owner: str, role: str) -> None:
        kind, inner = item["class_name"], item.get("config")
        if kind.rpartition(">")[2] in CODE:
            self.code.append((owner, kind))
        elif kind in ("TFOpLambda", "SlicingOpLambda"):
            function = str(inner.get("function")) if isinstance(inner, dict) else ""
            if not is_tensor_function(function):
                self.code.append((owner, f"{kind} of {function}"))
        elif (found := _foreign(item)) is not None:
            looks_like_a_layer = "inbound_nodes" in item or isinstance(item.get("build_config"), dict)
            if role == "layer" and (looks_like_a_layer or ">" in str(item.get("registered_name") or "")):
                self.layers.append((owner, kind))
            else:
                self.foreign.append((owner, found))
        elif kind not in self.classes[role]:
            (self.layers if role == "layer" else self.objects).append(
                (owner, kind if role == "layer" else f"{role} {kind}")
            )
        elif kind in DROP_CONNECT | {PRUNING_WRAPPER}:
            wrapped = inner.get("layer") if isinstance(inner, dict) else None
            if not isinstance(wrapped, dict) or "class_name" not in wrapped:
                self.layers.append((owner, f"{kind} around no layer"))
        elif role == "layer" and not isinstance(inner, dict | list if kind == "Sequential" else dict):
            self.layers.append((owner, f"{kind} with a configuration that is no object"))

    def report(self, *, unsafe: bool) -> None:
        """Raise what was found."""
        if self.code and not unsafe:
            raise ModelError(
                f"{self.source}: layer {_listed(self.code)} executes code from the file when it is loaded; replace it"
                " by a Keras layer, or pass --unsafe if you trust the file"
            )
        if self.layers:
            listed = _listed(self.layers)
            text = f"custom layers are not supported: {listed}; build the model from Keras' own layers for numbers"
            if self.keras_major >= 3:
                text = (
                    f"no translation from Keras 3 for {listed}; save the model with tf_keras, or give an int8 .tflite"
                )
            raise UnsupportedError(f"{self.source}: {text}", tuple(kind for _, kind in dict.fromkeys(self.layers)))
        if self.foreign and not unsafe:
            raise ModelError(
                f"{self.source}: layer {_listed(self.foreign)} would import a module outside of Keras; remove it, or"
                " pass --unsafe if you trust the file"
            )
        if self.objects and not unsafe:
            raise ModelError(
                f"{self.source}: layer {_listed(self.objects)} is not one of Keras' own; replace it, or pass --unsafe"
                " if you trust the file"
            )


def _listed(findings: list[tuple[str, str]]) -> str:
    texts = (f"{name!r} ({what})" for name, what in dict.fromkeys(findings))
    return ", ".join("".join(char if char.isprintable() else "?" for char in text[:160]) for text in texts)


def _foreign(item: Config) -> str | None:
    """The module, or the name in it, that an object is not allowed to ask for."""
    kind, module, registered = item["class_name"], item.get("module"), item.get("registered_name")
    plain = kind.rpartition(">")[2]
    if registered is not None and str(registered).rpartition(">")[2] != plain:
        return f"{module}.{registered}"[:80]
    if module is None or any(module == name or str(module).startswith(f"{name}.") for name in _KERAS_MODULES):
        return None
    return None if str(module).startswith(_OTHER_MODULES.get(kind, ())) else str(module)[:80]
