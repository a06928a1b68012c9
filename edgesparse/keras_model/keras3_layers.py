"""Which Keras 3 layers can be rebuilt in tf_keras, and how their configs differ.

Read off both libraries' get_config. A layer that is not here is refused by name. All of these compute the same in
Keras 2 and 3; the rebuilt model is compared with Keras 3 all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ACTIVATIONS", "LAYERS", "LayerRule"]


@dataclass(frozen=True)
class LayerRule:
    """Keys of the Keras 3 config that tf_keras does not know, and those that it calls otherwise."""

    drop: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()


_PLAIN = LayerRule()
_LORA = LayerRule(drop=("lora_rank", "lora_alpha", "quantization_config"))

LAYERS: dict[str, LayerRule] = {
    "Activation": _PLAIN,
    "ActivityRegularization": _PLAIN,
    "Add": _PLAIN,
    "AlphaDropout": _PLAIN,
    "Average": _PLAIN,
    "AveragePooling1D": _PLAIN,
    "AveragePooling2D": _PLAIN,
    "BatchNormalization": LayerRule(drop=("renorm", "renorm_clipping", "renorm_momentum", "synchronized")),
    "Concatenate": _PLAIN,
    "Conv1D": _LORA,
    "Conv2D": _LORA,
    "Cropping1D": _PLAIN,
    "Cropping2D": _PLAIN,
    "Dense": _LORA,
    "DepthwiseConv2D": _PLAIN,
    "Dropout": _PLAIN,
    "ELU": _PLAIN,
    "Flatten": _PLAIN,
    "GaussianDropout": LayerRule(drop=("seed",)),
    "GaussianNoise": LayerRule(drop=("seed",)),
    "GlobalAveragePooling1D": _PLAIN,
    "GlobalAveragePooling2D": _PLAIN,
    "GlobalMaxPooling1D": _PLAIN,
    "GlobalMaxPooling2D": _PLAIN,
    "InputLayer": LayerRule(drop=("optional",), rename=(("batch_shape", "batch_input_shape"),)),
    "LeakyReLU": LayerRule(rename=(("negative_slope", "alpha"),)),
    "MaxPooling1D": _PLAIN,
    "MaxPooling2D": _PLAIN,
    "Maximum": _PLAIN,
    "Minimum": _PLAIN,
    "Multiply": _PLAIN,
    "PReLU": _PLAIN,
    "Permute": _PLAIN,
    "ReLU": _PLAIN,
    "Rescaling": _PLAIN,
    "Reshape": _PLAIN,
    "SeparableConv1D": _PLAIN,
    "SeparableConv2D": _PLAIN,
    "Softmax": _PLAIN,
    "SpatialDropout1D": LayerRule(drop=("noise_shape", "seed")),
    "SpatialDropout2D": LayerRule(drop=("noise_shape", "seed")),
    "Subtract": _PLAIN,
    "UpSampling2D": _PLAIN,
    "ZeroPadding1D": LayerRule(drop=("data_format",)),
    "ZeroPadding2D": _PLAIN,
}

ACTIVATIONS = frozenset(
    {
        "linear",
        "relu",
        "relu6",
        "sigmoid",
        "tanh",
        "softmax",
        "elu",
        "selu",
        "softplus",
        "softsign",
        "exponential",
        "silu",
        "swish",
        "gelu",
        "mish",
    }
)
"""Activations with the same formula in both. hard_sigmoid and leaky_relu differ."""
