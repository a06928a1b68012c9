"""Make a tf_keras model of a configuration that was judged (scan.py); no file is involved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.keras_model.backend import quiet, tensorflow, tf_keras
from edgesparse.keras_model.known_classes import CONTAINERS
from edgesparse.keras_model.nodes import check_nodes
from edgesparse.keras_model.scan import Config
from edgesparse.keras_model.timelimit import time_limit
from edgesparse.limits import MAX_WEIGHT_BYTES

__all__ = ["KERAS_ERRORS", "check_container", "one_line", "rebuild"]

_REBUILD_SECONDS = 120.0

KERAS_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NameError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""Keras has no error type of its own: a damaged or unknown model shows as any of these. Recursion too deep and
NotImplementedError are RuntimeErrors."""


def check_container(source: object, config: Config) -> None:
    """UnsupportedError unless the config is that of a Functional or Sequential model."""
    inner = config["config"]
    wanted = ("layers",) if config["class_name"] == "Sequential" else ("layers", "input_layers", "output_layers")
    if config["class_name"] in CONTAINERS and isinstance(inner, dict) and all(key in inner for key in wanted):
        return
    kind = str(config["class_name"])
    raise UnsupportedError(
        f"{source}: {kind} is no Functional or Sequential model; subclassed models cannot be converted", (kind,)
    )


def rebuild(source: object, config: Config) -> Any:
    """The tf_keras model of a config in tf_keras' form, from plain_config, with initial weights."""
    keras = tf_keras()
    base = keras.Sequential if config["class_name"] == "Sequential" else keras.Model
    errors = (*KERAS_ERRORS, tensorflow().errors.OpError)
    try:
        check_nodes(source, config)
        with quiet(), _bounded(source), time_limit(_REBUILD_SECONDS, f"{source}: rebuilding in tf_keras"):
            return base.from_config(config["config"])
    except errors as error:
        raise ModelError(f"{source}: cannot be rebuilt in tf_keras: {one_line(error)}") from error


@contextmanager
def _bounded(source: object) -> Iterator[None]:
    """ModelError where variables would take more than MAX_WEIGHT_BYTES, before they are allocated."""
    left = MAX_WEIGHT_BYTES

    def create(next_creator: Callable[..., Any], **options: Any) -> Any:
        nonlocal left
        shape, dtype = options.get("shape"), options.get("dtype")
        if shape is not None and shape.is_fully_defined():
            left -= math.prod(shape.as_list()) * (tensorflow().as_dtype(dtype).size if dtype is not None else 4)
        if left < 0:
            raise ModelError(
                f"{source}: weights of more than {MAX_WEIGHT_BYTES:,} bytes, with {options.get('name')!r} of shape"
                f" {shape}; no board has as much"
            )
        return next_creator(**options)

    with tensorflow().variable_creator_scope(create):
        yield


def one_line(error: BaseException) -> str:
    """The beginning of an error's message, or its type; of Keras' errors about an object, what was wrong with it."""
    text = " ".join(str(error).split()).rpartition("Exception encountered: ")[2] or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."
