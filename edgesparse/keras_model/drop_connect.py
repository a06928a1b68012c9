"""DropConnect: what its two classes (of tf_keras and of Keras 3) share, and how it is taken out of a model again.

Wan, Zeiler, Zhang, Le Cun and Fergus, "Regularization of neural networks using DropConnect" (2013).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from edgesparse.errors import SettingsError, UnsupportedError

__all__ = ["CLASS_NAMES", "check", "is_drop_connect", "kernels", "replaced", "strip_config"]

CLASS_NAMES = frozenset({"DropConnect", "edgesparse>DropConnect"})
"""In the configs of Keras 3 and `.keras`; and in those of the `.h5` files of Keras 2."""

_LAYERS = "Dense Conv1D Conv2D DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D".split()
_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


def check(layer: Any, rate: object, keras: Any, other: str) -> None:
    """SettingsError unless 0 <= rate < 1, UnsupportedError for a layer without a kernel that is known here.

    keras: the module that the layer must come from. other: where DropConnect for the other Keras is.
    """
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < 1:
        raise SettingsError(f"DropConnect: rate: expected a number from 0 to below 1, got {rate!r}")
    kind = type(layer).__name__
    kinds = [getattr(keras.layers, name) for name in _LAYERS if hasattr(keras.layers, name)]
    if isinstance(layer, tuple(kinds)):
        return
    if kind in _LAYERS:
        raise UnsupportedError(
            f"DropConnect: layer {layer.name!r} ({kind}) is of another Keras than {keras.__name__}; import"
            f" DropConnect from {other}",
            (kind,),
        )
    named = f"{getattr(layer, 'name', layer)!r} ({kind})"
    raise UnsupportedError(
        f"DropConnect: layer {named} has no kernel to drop weights of; wrap one of: {', '.join(_LAYERS)}", (kind,)
    )


def kernels(layer: Any) -> dict[str, Any]:
    """The kernels of a built layer, by the attribute that holds each."""
    wanted = [getattr(layer, name) for name in _KERNELS if getattr(layer, name, None) is not None]
    # Keras 3 keeps some of them behind properties.
    return {name: value for name, value in vars(layer).items() if any(value is kernel for kernel in wanted)}


@contextmanager
def replaced(layer: Any, values: Mapping[str, Any]) -> Iterator[None]:
    """While the body runs, attributes of the layer are `values`; Keras does not notice."""
    attributes = vars(layer)
    before = {name: attributes[name] for name in values}
    attributes.update(values)
    try:
        yield
    finally:
        attributes.update(before)


def is_drop_connect(item: Mapping[str, Any]) -> bool:
    """Whether a serialised layer is a DropConnect around another one."""
    inner = item.get("config")
    return item.get("class_name") in CLASS_NAMES and isinstance(inner, dict) and isinstance(inner.get("layer"), dict)


def strip_config(config: Any) -> Any:
    """A copy of a model's config (Keras 2 or 3) with the wrapped layer, under the wrapper's name, in place of each
    DropConnect."""
    if isinstance(config, list | tuple):
        return type(config)(strip_config(value) for value in config)
    if not isinstance(config, dict):
        return config
    if is_drop_connect(config):
        outer, layer = config["config"], config["config"]["layer"]
        inner = {**layer["config"], "name": outer["name"]}
        inner |= {key: outer[key] for key in ("batch_input_shape", "trainable") if key in outer}
        around = {key: config[key] for key in ("name", "inbound_nodes") if key in config}
        return strip_config({**layer, **around, "config": inner})
    return {key: strip_config(value) for key, value in config.items()}
