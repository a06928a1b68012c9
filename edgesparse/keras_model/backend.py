"""The one place that imports TensorFlow, tf_keras and TF-MOT, and that keeps them quiet.

Imported on first use, so that `import edgesparse` stays fast. TF-MOT and the converter need Keras 2:
TF_USE_LEGACY_KERAS must be set before TensorFlow's first import.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgesparse.system.memory import need_address_space

__all__ = ["quiet", "tensorflow", "tf_keras", "tfmot"]

_ENVIRONMENT = {
    "TF_USE_LEGACY_KERAS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # oneDNN changes the order of float sums with the number of threads: outputs would not repeat.
    "TF_ENABLE_ONEDNN_OPTS": "0",
}

_TENSORFLOW_BYTES = 2 << 30
"""What it takes to be imported, and some for its work: with less, its threads' memory is asked for without end."""


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what is written to file descriptor 2 and all Python warnings while the body runs.

    TensorFlow's C++ side logs straight to the descriptor, whatever its log level says. A progress display
    that must stay visible meanwhile has to write to a duplicate of the descriptor made before.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with tempfile.TemporaryFile() as sink, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            os.dup2(sink.fileno(), 2)
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(saved, 2)
    finally:
        os.close(saved)


def tensorflow() -> Any:
    """The tensorflow module, silenced."""
    return _import("tensorflow")


def tf_keras() -> Any:
    """The tf_keras (Keras 2) module, silenced."""
    _import("tensorflow")
    return _import("tf_keras")


def tfmot() -> Any:
    """The tensorflow_model_optimization module, silenced."""
    tf_keras()
    return _import("tensorflow_model_optimization")


def _import(name: str) -> Any:
    if name in sys.modules:
        return sys.modules[name]
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    if name == "tensorflow":
        need_address_space(_TENSORFLOW_BYTES, "TensorFlow", "")
    with quiet():
        module = importlib.import_module(name)
        if name == "tensorflow":
            module.get_logger().setLevel(logging.ERROR)
            importlib.import_module("absl.logging").set_verbosity("error")
    return module
