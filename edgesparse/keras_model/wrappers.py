"""Take TF-MOT's pruning wrappers out of a configuration; drop_connect.py does so with DropConnect."""

from __future__ import annotations

from typing import Any

from edgesparse.keras_model.known_classes import CONTAINERS, PRUNING_WRAPPER
from edgesparse.keras_model.scan import Config

__all__ = ["layer_name", "strip_pruning_config"]


def layer_name(item: Config) -> str:
    """The name of a serialised layer."""
    return str(item.get("name") or item["config"].get("name"))


def strip_pruning_config(config: Config) -> Config:
    """A copy of a container's config with the wrapped layer, under its own name, in place of each pruning wrapper.

    `layers` keeps its length and order. A wrapper's name stays where the layer's own is taken.
    """
    layers = [_unwrapped(item) for item in config["config"]["layers"]]
    old = [layer_name(item) for item in config["config"]["layers"]]
    new = [layer_name(item) for item in layers]
    if len(set(new)) < len(new):
        new = old
    names = dict(zip(old, new, strict=True))
    for item, name in zip(layers, new, strict=True):
        if "name" in item:
            item["name"] = name
        item["config"] = {**item["config"], "name": name}
        if "inbound_nodes" in item:
            item["inbound_nodes"] = _renamed(item["inbound_nodes"], names)
    inner = {**config["config"], "layers": layers}
    for key in ("input_layers", "output_layers"):
        if key in inner:
            inner[key] = _renamed(inner[key], names)
    return {**config, "config": inner}


def _unwrapped(item: Config) -> Config:
    if item["class_name"] == PRUNING_WRAPPER:
        outer, layer = item["config"], item["config"]["layer"]
        around: Config = {key: item[key] for key in ("name", "inbound_nodes") if key in item}
        first = {key: outer[key] for key in ("batch_input_shape",) if key in outer}
        if "name" in around:
            around["name"] = layer_name(layer)
        return _unwrapped({**layer, **around, "config": {**first, **layer["config"]}})
    return strip_pruning_config(item) if item["class_name"] in CONTAINERS else dict(item)


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """Nodes with other names: a reference is a list of a layer's name, a node's index, a tensor's, and maybe more."""
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_renamed(item, names) for item in value]
        if len(items) >= 3 and isinstance(items[0], str) and isinstance(items[1], int):
            items[0] = names.get(items[0], items[0])
        return type(value)(items)
    return value
