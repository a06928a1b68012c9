"""Copy the arrays of a `.h5` or `.keras` file into a model that was rebuilt from the file's configuration.

    .h5     a group per layer of the outermost model; its attribute weight_names lists trainable, then other weights,
            those of all layers inside included
    .keras  a group per layer: layers/<class in snake case>[_n], n counting the layers of a class in a model; in it
            vars/<i>, and a group per layer that it has as an attribute, or per attribute with a list of layers

`stored` is the config in the file with its wrappers, `plain` the one without that the model was made of; the lists of
layers in both correspond.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from edgesparse.errors import ModelError
from edgesparse.keras_model.drop_connect import is_drop_connect
from edgesparse.keras_model.files import WEIGHTS_MEMBER, ModelFile
from edgesparse.keras_model.known_classes import CONTAINERS, PRUNING_WRAPPER
from edgesparse.keras_model.rebuild import KERAS_ERRORS, one_line
from edgesparse.keras_model.scan import Config
from edgesparse.keras_model.wrappers import layer_name

__all__ = ["assign", "copy_weights", "is_wrapper", "layers_as_stored"]

_OF_PRUNING = re.compile(r"(mask|threshold|pruning_step)(_\d+)?(:\d+)?")
"""Names of the variables that a pruning wrapper adds."""

Arrays = Mapping[str, Any]
"""Datasets of a file by their paths."""


def copy_weights(file: ModelFile, model: Any, stored: Config, plain: Config) -> None:
    """Copy all weights; ModelError where the file lacks some, has others or is damaged."""
    try:
        if file.format == "h5":
            with h5py.File(file.path, "r") as archive:
                if "model_weights" not in archive:
                    raise ModelError(f"{file.path}: the file has no weights; save the model again")
                _copy_h5(file.path, archive["model_weights"], model, stored, plain)
        else:
            with zipfile.ZipFile(file.path) as outer:
                content = io.BytesIO(outer.read(WEIGHTS_MEMBER))
            with h5py.File(content, "r") as archive:
                _copy_keras(file.path, _by_path(archive), "", model, stored, plain)
    except KERAS_ERRORS as error:  # h5py's errors for damaged files are many
        raise ModelError(f"{file.path}: the weights cannot be read: {one_line(error)}") from error
    for layer in model._flatten_layers(include_self=False):
        layer.finalize_state()


def layers_as_stored(model: Any, stored: Config, plain: Config) -> Iterator[tuple[Any, Config, Config]]:
    """(layer, its config in the file, its config without wrappers) of a model's layers, in the file's order."""
    for outer, inner in zip(stored["config"]["layers"], plain["config"]["layers"], strict=True):
        # A Sequential model does not count its InputLayer among its layers.
        if inner["class_name"] != "InputLayer":
            yield model.get_layer(layer_name(inner)), outer, inner


def is_wrapper(item: Config) -> bool:
    """Whether a config in the file is that of a wrapper which the model was rebuilt without."""
    return item["class_name"] == PRUNING_WRAPPER or is_drop_connect(item)


def assign(source: Path, name: str, variables: Sequence[Any], arrays: Sequence[Any]) -> None:
    """Set a layer's variables to arrays, which are read only when their shapes fit."""
    expected = [tuple(variable.shape) for variable in variables]
    got = [tuple(array.shape) for array in arrays]
    if expected != got:
        raise ModelError(
            f"{source}: layer {name!r}: expected weights of shapes {expected}, got {got}; save the model again"
        )
    for variable, array in zip(variables, arrays, strict=True):
        values = np.asarray(array)
        if values.dtype.kind not in "biuf":
            raise ModelError(f"{source}: layer {name!r}: expected numbers as weights, got {values.dtype}")
        variable.assign(values.astype(variable.dtype.as_numpy_dtype))


# ---------------------------------------------------------------------------------------------------- .h5


def _copy_h5(source: Path, group: Any, model: Any, stored: Config, plain: Config) -> None:
    for layer, outer, _ in layers_as_stored(model, stored, plain):
        name = layer_name(outer)
        entry = group.get(name)
        names = _weight_names(entry) if entry is not None else []
        if _has_pruning(outer):
            names = [name for name in names if not _OF_PRUNING.fullmatch(name.rpartition("/")[2])]
        variables = [*layer.trainable_weights, *layer.non_trainable_weights]
        assign(source, layer.name, variables, [entry[name] for name in names])


def _weight_names(entry: Any) -> list[str]:
    """The attribute weight_names, which Keras splits into weight_names0, weight_names1, ... where it is long."""
    parts = [entry.attrs["weight_names"]] if "weight_names" in entry.attrs else []
    while f"weight_names{len(parts)}" in entry.attrs:
        parts.append(entry.attrs[f"weight_names{len(parts)}"])
    return [name.decode() if isinstance(name, bytes) else str(name) for part in parts for name in part]


def _has_pruning(item: Config) -> bool:
    if item["class_name"] in CONTAINERS:
        return any(_has_pruning(layer) for layer in item["config"]["layers"])
    return bool(item["class_name"] == PRUNING_WRAPPER)


# ---------------------------------------------------------------------------------------------------- .keras


def _by_path(archive: Any) -> dict[str, Any]:
    """All datasets by path; what was saved on Windows has backslashes within the names of groups."""
    arrays: dict[str, Any] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name.replace("\\", "/")] = item

    archive.visititems(note)
    return arrays


_LISTS = ("layers", "_layer_checkpoint_dependencies")
"""The attribute of a model under which its layers are stored; the second by Keras 2.12 and 2.13."""


def _copy_keras(source: Path, arrays: Arrays, path: str, model: Any, stored: Config, plain: Config) -> None:
    layers = list(layers_as_stored(model, stored, plain))
    folder = next((f"{path}{name}/" for name in _LISTS if _has(arrays, f"{path}{name}/")), f"{path}layers/")
    keys = _keys(arrays, folder, [_stored_class(outer) for _, outer, _ in layers])
    for (layer, outer, inner), key in zip(layers, keys, strict=True):
        here = f"{key}layer/" if is_wrapper(outer) else key
        if inner["class_name"] in CONTAINERS:
            if layer.weights and not _has(arrays, here):
                raise ModelError(
                    f"{source}: layer {layer.name!r} has no weights in the file (expected {here[:-1]});"
                    " save the model as .h5"
                )
            nested = outer["config"]["layer"] if is_wrapper(outer) else outer
            _copy_keras(source, arrays, here, layer, nested, inner)
        else:
            _copy_layer(source, arrays, here, layer, set())


def _has(arrays: Arrays, folder: str) -> bool:
    return any(path.startswith(folder) for path in arrays)


def _stored_class(item: Config) -> str:
    """The class that a layer had when it was saved, which its group is named after."""
    kind = str(item["class_name"]).rpartition(">")[2]
    aliases = {"Model": "Functional", "BatchNormalizationV1": "BatchNormalization"}
    return _snake_case(aliases.get(kind, kind))


def _keys(arrays: Arrays, folder: str, classes: Sequence[str]) -> list[str]:
    """The folder of each layer, in order; Keras 2.12 counted some layers twice, so only the order says which."""
    groups = {path.removeprefix(folder).partition("/")[0] for path in arrays if path.startswith(folder)}
    result = []
    for position, kind in enumerate(classes):
        number = classes[:position].count(kind)
        numbers = sorted(
            int(group.removeprefix(kind)[1:] or 0)
            for group in groups
            if re.fullmatch(rf"{re.escape(kind)}(_\d+)?", group)
        )
        if len(numbers) == classes.count(kind):
            number = numbers[number]
        result.append(f"{folder}{kind}_{number}/" if number else f"{folder}{kind}/")
    return result


def _copy_layer(source: Path, arrays: Arrays, folder: str, layer: Any, seen: set[int]) -> None:
    """One layer and those in it, each of which is stored under one of the attributes that lead to it."""
    if id(layer) in seen:
        return
    seen.add(id(layer))
    own = [*layer._trainable_weights, *layer._non_trainable_weights]
    count = sum(path.startswith(f"{folder}vars/") for path in arrays)
    if own or count:
        names = [f"{folder}vars/{index}" for index in range(count)]
        assign(source, layer.name, own, [arrays[name] for name in names])
    for inner in layer._flatten_layers(recursive=False, include_self=False):
        if id(inner) in seen or not inner.weights:
            continue
        place = next((key for key in _attributes(layer, inner) if _has(arrays, f"{folder}{key}/")), None)
        if place is None:
            raise ModelError(
                f"{source}: layer {layer.name!r}: no weights of {inner.name!r} in it; save the model again"
            )
        _copy_layer(source, arrays, f"{folder}{place}/", inner, seen)


def _attributes(layer: Any, inner: Any) -> Iterator[str]:
    """Where a layer may have been stored in another one: attribute, or attribute/<class>[_n] for a list of layers."""
    lists = dict.fromkeys(_LISTS, layer.layers) if hasattr(layer, "layers") else {}
    for name, value in {**vars(layer), **lists}.items():
        if value is inner:
            yield name
        elif isinstance(value, list | tuple):
            kinds = [_snake_case(type(item).__name__) for item in value]
            for position, item in enumerate(value):
                if item is inner:
                    number = kinds[:position].count(kinds[position])
                    yield f"{name}/{kinds[position]}_{number}" if number else f"{name}/{kinds[position]}"


def _snake_case(name: str) -> str:
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
