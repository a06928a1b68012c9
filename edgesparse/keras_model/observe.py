"""Run a model and step in where a layer computes: to see its inputs, to change it, to go on with the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

__all__ = ["Step", "linear", "run_with", "stepping"]

Step = Callable[[Any, Callable[[Any], Any]], Any]
"""(inputs, the layer's own computation) -> outputs, in place of the layer's call."""


def run_with(model: Any, inputs: Any, steps: Mapping[str, tuple[Any, Step]]) -> Any:
    """model(inputs) in inference mode with some layers' calls replaced, see stepping; returns the outputs."""
    with stepping(steps):
        return model(inputs, training=False)


@contextmanager
def stepping(steps: Mapping[str, tuple[Any, Step]]) -> Iterator[None]:
    """Replace the calls of some layers while the body runs, eagerly or in the trace of a tf.function.

    steps: layer path -> (layer, step). Layers in nested models and wrappers count; one that is used several times
    is stepped into each time. Inside another stepping, a step computes with what that one has put in place. The layers
    compute as before afterwards, whatever happens.
    """
    replaced = []
    try:
        for layer, step in steps.values():
            replaced.append((layer, layer.__dict__.get("call")))
            object.__setattr__(layer, "call", _replacement(layer.call, step))
        yield
    finally:
        for layer, call in reversed(replaced):
            layer.__dict__.pop("call", None)
            if call is not None:
                object.__setattr__(layer, "call", call)


@contextmanager
def linear(layer: Any) -> Iterator[Callable[[Any], Any]]:
    """The layer without its activation, which is given instead."""
    activation = getattr(layer, "activation", None)
    if activation is None:
        yield lambda outputs: outputs
        return
    layer.activation = None
    try:
        yield activation
    finally:
        layer.activation = activation


def _replacement(original: Callable[..., Any], step: Step) -> Callable[..., Any]:
    def call(inputs: Any, *arguments: Any, **options: Any) -> Any:
        return step(inputs, lambda x: original(x, *arguments, **options))

    return call
