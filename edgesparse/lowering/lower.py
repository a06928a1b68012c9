"""Graph -> PackedModel: each op to the kernel calls that run it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgesparse.boards import Core
from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.graph import Graph
from edgesparse.lowering import shapes
from edgesparse.lowering.binary import lower_mul, lower_sum
from edgesparse.lowering.call import KernelCall
from edgesparse.lowering.channelwise import lower_channelwise, pairs_of
from edgesparse.lowering.context import Context
from edgesparse.lowering.conv_2d import lower_conv_2d
from edgesparse.lowering.depthwise_conv_2d import lower_depthwise_conv_2d
from edgesparse.lowering.elementwise import (
    lower_dequantize,
    lower_hard_swish,
    lower_leaky_relu,
    lower_logistic,
    lower_quantize,
    lower_relu,
    lower_relu6,
    lower_tanh,
)
from edgesparse.lowering.formats import CODE_BYTES
from edgesparse.lowering.fully_connected import lower_fully_connected
from edgesparse.lowering.gate import ACTIVATION, BIAS, INTEGERS, NEW_SHAPE, OPERAND, WEIGHTS, OpRule, check
from edgesparse.lowering.model import Layer, PackedModel
from edgesparse.lowering.move import lower_concatenation, lower_pad, lower_reshape, lower_resize_nearest_neighbor
from edgesparse.lowering.reduce import (
    lower_average_pool_2d,
    lower_max_pool_2d,
    lower_mean,
    lower_reduce_max,
    lower_softmax,
)

__all__ = ["LOWERINGS", "lower", "supported_kinds"]

LOWERINGS: dict[str, OpRule] = {
    "ADD": OpRule(lower_sum, shapes.broadcast, inputs=(OPERAND, OPERAND)),
    "AVERAGE_POOL_2D": OpRule(lower_average_pool_2d, shapes.pooled, one_image=True, keeps_quantization=True),
    "CONCATENATION": OpRule(
        lower_concatenation, shapes.concatenated, repeats=True, most_axes=6, keeps_quantization=True
    ),
    "CONV_2D": OpRule(lower_conv_2d, shapes.convolved, inputs=(ACTIVATION, WEIGHTS, BIAS), one_image=True),
    "DEPTHWISE_CONV_2D": OpRule(
        lower_depthwise_conv_2d, shapes.depthwise_convolved, inputs=(ACTIVATION, WEIGHTS, BIAS), one_image=True
    ),
    "DEQUANTIZE": OpRule(lower_dequantize, shapes.of_first_input, dtypes=(("int8", "float32"),)),
    "FULLY_CONNECTED": OpRule(lower_fully_connected, shapes.fully_connected, inputs=(ACTIVATION, WEIGHTS, BIAS)),
    "HARD_SWISH": OpRule(lower_hard_swish, shapes.of_first_input),
    "LEAKY_RELU": OpRule(lower_leaky_relu, shapes.of_first_input),
    "LOGISTIC": OpRule(lower_logistic, shapes.of_first_input, output_quantization=(1 / 256, -128)),
    "MAXIMUM": OpRule(lower_channelwise, shapes.broadcast, inputs=(OPERAND, OPERAND)),
    "MAX_POOL_2D": OpRule(lower_max_pool_2d, shapes.pooled, one_image=True, keeps_quantization=True),
    "MEAN": OpRule(lower_mean, shapes.reduced, inputs=(ACTIVATION, INTEGERS)),
    "MINIMUM": OpRule(lower_channelwise, shapes.broadcast, inputs=(OPERAND, OPERAND)),
    "MUL": OpRule(lower_mul, shapes.broadcast, inputs=(OPERAND, OPERAND)),
    "PAD": OpRule(lower_pad, shapes.padded, inputs=(ACTIVATION, INTEGERS), most_axes=4, keeps_quantization=True),
    "PRELU": OpRule(lower_channelwise, shapes.broadcast, inputs=(OPERAND, OPERAND)),
    "QUANTIZE": OpRule(lower_quantize, shapes.of_first_input, dtypes=(("int8", "int8"), ("float32", "int8"))),
    "REDUCE_MAX": OpRule(lower_reduce_max, shapes.reduced, inputs=(ACTIVATION, INTEGERS), keeps_quantization=True),
    "RELU": OpRule(lower_relu, shapes.of_first_input),
    "RELU6": OpRule(lower_relu6, shapes.of_first_input, keeps_quantization=True),
    "RESHAPE": OpRule(
        lower_reshape,
        shapes.reshaped,
        inputs=(ACTIVATION, NEW_SHAPE),
        dtypes=(("int8", "int8"), ("float32", "float32")),
    ),
    "RESIZE_NEAREST_NEIGHBOR": OpRule(
        lower_resize_nearest_neighbor,
        shapes.resized,
        inputs=(ACTIVATION, INTEGERS),
        one_image=True,
        keeps_quantization=True,
    ),
    "SOFTMAX": OpRule(lower_softmax, shapes.of_first_input, output_quantization=(1 / 256, -128)),
    "SUB": OpRule(lower_sum, shapes.broadcast, inputs=(OPERAND, OPERAND)),
    "TANH": OpRule(lower_tanh, shapes.of_first_input, output_quantization=(1 / 128, 0)),
}
"""The kernels that exist, by TFLite's op name, and the rule that an op keeps before one is chosen."""

_NOTICEABLE_SHARE = 0.02
"""Layers with this share of a network's instructions may have a kernel that does not pay in bytes..."""
_NOTICEABLE_SAVING = 0.05
"""...if it saves this share."""


def supported_kinds() -> frozenset[str]:
    """Op kinds that have a kernel."""
    return frozenset(LOWERINGS)


def lower(
    graph: Graph,
    core: Core,
    *,
    dense_only: bool = False,
    optimize: str = "latency",
    forced: str = "",
    zero_inputs: Mapping[int, float] | None = None,
) -> PackedModel:
    """Choose kernels and pack weights for every op.

    `dense_only` keeps all weights dense, whatever zeros they hold: the dense twin. `optimize`: "latency" or "flash";
    `forced`: a format that every layer takes which can (see Policy). `zero_inputs`: by op index, the measured share of
    an op's input values that are zero; without, no layer takes a kernel that skips them. UnsupportedError
    lists all ops without a kernel at once; ModelError where an op contradicts itself.
    """
    _refuse_missing(graph)
    for op in graph.ops:
        check(graph, op, LOWERINGS[op.kind])
    measured, pairs = zero_inputs or {}, pairs_of(graph)
    excluded = frozenset(CODE_BYTES) if dense_only else frozenset()
    while True:
        contexts = [
            Context(graph, core, index, excluded, optimize, forced, measured.get(index), pairs)
            for index in range(len(graph.ops))
        ]
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as a rescaling factor
            lowered = [_calls(context) for context in contexts]
        wasteful = frozenset() if forced else _format_that_does_not_pay(contexts, lowered) - excluded
        if not wasteful:
            break
        excluded |= wasteful
    aliases: dict[int, int] = {}
    for op, calls in zip(graph.ops, lowered, strict=True):
        if not calls:
            source = graph.first_activation(op)
            aliases[op.outputs[0]] = aliases.get(source, source)
    layers = tuple(_layer(graph, index, calls, pairs) for index, calls in enumerate(lowered))
    return PackedModel(tuple(call for calls in lowered for call in calls), aliases, layers)


def _calls(context: Context) -> tuple[KernelCall, ...]:
    """Of one op; errors of the arithmetic, which knows no layers, get the layer's name."""
    try:
        return LOWERINGS[context.op.kind].lower(context)
    except ModelError as error:
        if isinstance(error, UnsupportedError) or str(error).startswith(context.where):
            raise
        raise ModelError(f"{context.where}: {error}") from error


def _refuse_missing(graph: Graph) -> None:
    missing: dict[str, list[str]] = defaultdict(list)
    for op in graph.ops:
        if op.kind not in LOWERINGS:
            missing[op.kind].append(op.name)
    if missing:
        text = ", ".join(f"{kind} ({', '.join(names)})" for kind, names in missing.items())
        raise UnsupportedError(
            f"no kernel for {text}; replace these layers: there are kernels for {', '.join(LOWERINGS)}", tuple(missing)
        )


def _format_that_does_not_pay(
    contexts: list[Context], lowered: list[tuple[KernelCall, ...]]
) -> frozenset[tuple[str, str]]:
    """The (kind, format) that saves the fewest bytes, if these are less than its kernel's code takes; or none.

    It saves what its layers would take with the other formats in use. Under "latency" it stays where these layers are a
    noticeable part of the network's instructions, and so is what they save.
    """
    kinds = [context.op.kind for context in contexts]
    used = {
        (kind, call.weight_format)
        for kind, calls in zip(kinds, lowered, strict=True)
        for call in calls
        if (kind, call.weight_format) in CODE_BYTES
    }
    total = sum(call.estimated_instructions for calls in lowered for call in calls)
    gains: dict[tuple[str, str], int] = {}
    for pair in sorted(used):
        unlinked = frozenset(CODE_BYTES) - used | {pair}
        layers, saved_bytes, saved_instructions = 0, 0, 0
        for context, calls in zip(contexts, lowered, strict=True):
            if (context.op.kind, calls[0].weight_format if calls else "") == pair:
                others = LOWERINGS[context.op.kind].lower(replace(context, excluded=context.excluded | unlinked))
                layers += _instructions(calls)
                saved_bytes += _weight_bytes(others) - _weight_bytes(calls)
                saved_instructions += _instructions(others) - _instructions(calls)
        noticeable = layers >= _NOTICEABLE_SHARE * total and saved_instructions >= _NOTICEABLE_SAVING * total
        if contexts[0].optimize == "flash" or not noticeable:
            gains[pair] = saved_bytes - CODE_BYTES[pair]
    worst = min(gains, key=lambda pair: gains[pair], default=None)
    return frozenset() if worst is None or gains[worst] >= 0 else frozenset({worst})


def _instructions(calls: tuple[KernelCall, ...]) -> int:
    return sum(call.estimated_instructions for call in calls)


def _weight_bytes(calls: tuple[KernelCall, ...]) -> int:
    return sum(call.weight_bytes for call in calls)


def _layer(graph: Graph, index: int, calls: tuple[KernelCall, ...], pairs: Mapping[int, int]) -> Layer:
    reason = calls[0].reason if calls else _why_no_call(graph, pairs.get(index))
    return Layer(_weight_bytes(calls), _instructions(calls), reason)


def _why_no_call(graph: Graph, following: int | None) -> str:
    if following is not None:
        return f"the kernel of {graph.ops[following].name!r} does it too"
    return "no kernel: the output is the input's memory"
