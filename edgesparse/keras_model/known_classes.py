"""All that a model's configuration may name: Keras' own classes and functions that do nothing but compute.

Not here, although they are Keras' own: what holds code (Lambda), what reads files (the lookup layers take the path of a
vocabulary), and what has no numbers at its input.
"""

from __future__ import annotations

import re

from edgesparse.keras_model.drop_connect import CLASS_NAMES as DROP_CONNECT

__all__ = [
    "CLASSES",
    "CODE",
    "CONTAINERS",
    "DROP_CONNECT",
    "NAMES",
    "PRUNING_WRAPPER",
    "is_tensor_function",
    "role_of",
]

CONTAINERS = frozenset({"Functional", "Model", "Sequential"})

PRUNING_WRAPPER = "PruneLowMagnitude"
"""TF-MOT's wrapper around a layer whose weights it prunes."""

_OPS = ("TFOpLambda", "SlicingOpLambda")
"""A function of TensorFlow, by its name, as a layer."""

_LAYERS = frozenset(
    (
        "Activation ActivityRegularization Add AdditiveAttention AlphaDropout Attention Average AveragePooling1D"
        " AveragePooling2D AveragePooling3D BatchNormalization BatchNormalizationV1 BatchNormalizationV2 Bidirectional"
        " CategoryEncoding CenterCrop Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose"
        " ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D Dense DepthwiseConv1D DepthwiseConv2D"
        " Discretization Dot Dropout ELU EinsumDense Embedding Flatten GRU GRUCell GaussianDropout GaussianNoise"
        " GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D"
        " GlobalMaxPooling3D GroupNormalization Identity InputLayer LSTM LSTMCell LayerNormalization LeakyReLU"
        " LocallyConnected1D LocallyConnected2D Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum"
        " MultiHeadAttention Multiply Normalization PReLU Permute RNN RandomBrightness RandomContrast RandomCrop"
        " RandomFlip RandomHeight RandomRotation RandomTranslation RandomWidth RandomZoom ReLU RepeatVector Rescaling"
        " Reshape Resizing SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax SpatialDropout1D"
        " SpatialDropout2D SpatialDropout3D StackedRNNCells Subtract ThresholdedReLU"
        " TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D"
        " ZeroPadding3D"
    ).split()
)

_ACTIVATION_LAYERS = frozenset("ELU LeakyReLU PReLU ReLU Softmax ThresholdedReLU".split())

_INITIALIZERS = frozenset(
    "Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones Orthogonal"
    " RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros".split()
)
_REGULARIZERS = frozenset("L1 L1L2 L2 OrthogonalRegularizer".split())
_CONSTRAINTS = frozenset("MaxNorm MinMaxNorm NonNeg RadialConstraint UnitNorm".split())

CLASSES = {
    "layer": _LAYERS | CONTAINERS | DROP_CONNECT | {PRUNING_WRAPPER, *_OPS},
    "activation": _ACTIVATION_LAYERS | {"Activation"},
    "initializer": _INITIALIZERS,
    "regularizer": _REGULARIZERS,
    "constraint": _CONSTRAINTS,
    "schedule": frozenset({"ConstantSparsity", "PolynomialDecay"}),
}
"""Per role: the classes of serialised objects."""

NAMES = {
    "activation": _ACTIVATION_LAYERS
    | frozenset(
        "elu exponential gelu hard_sigmoid leaky_relu linear log_softmax mish relu relu6 selu sigmoid silu softmax"
        " softmax_v2 softplus softsign swish tanh".split()
    ),
    "initializer": _INITIALIZERS
    | frozenset(
        "constant glorot_normal glorot_uniform he_normal he_uniform identity lecun_normal lecun_uniform normal one ones"
        " orthogonal random_normal random_uniform truncated_normal uniform variance_scaling zero zeros".split()
    ),
    "regularizer": _REGULARIZERS | frozenset("l1 l1_l2 l2 orthogonal_regularizer".split()),
    "constraint": _CONSTRAINTS
    | frozenset("max_norm maxnorm min_max_norm non_neg nonneg radial_constraint unit_norm unitnorm".split()),
}
"""Per role: what a string may be, which Keras looks up by name."""

CODE = frozenset(
    "Lambda __lambda__ ClassMethod InstanceMethod InstanceProperty TensorFlowOpLayer DeviceWrapper DropoutWrapper"
    " ResidualWrapper".split()
)
"""Keras' own classes that take functions from the file: as bytecode, by name, or as an op of any kind."""

_IN_NAMESPACES = re.compile(r"(__operators__|image|linalg|math|nn)\.[a-z_0-9]+")
"""Functions in namespaces of TensorFlow that only compute; tf.io and tf.py_function are not among them."""
_FUNCTIONS = frozenset(
    "cast clip_by_value compat.v1.gather compat.v1.pad compat.v1.shape compat.v1.transpose concat convert_to_tensor"
    " einsum expand_dims fill gather identity one_hot ones_like pad range repeat reshape reverse shape slice split"
    " squeeze stack strided_slice tile transpose unstack where zeros_like".split()
)
_BACKEND_FUNCTIONS = frozenset(
    "abs all any argmax argmin batch_dot batch_flatten cast clip concatenate cos dot elu equal exp expand_dims flatten"
    " greater greater_equal hard_sigmoid l2_normalize less less_equal log max maximum mean min minimum not_equal"
    " permute_dimensions pow prod relu repeat repeat_elements reshape resize_images reverse round sigmoid sign sin"
    " softmax softplus softsign sqrt square squeeze stack std sum tanh tile transpose var".split()
)


def is_tensor_function(name: str) -> bool:
    """Whether a function of TensorFlow, named as TFOpLambda does, takes tensors and only computes."""
    namespace, _, function = name.rpartition(".")
    if namespace in ("keras.activations", "keras.backend"):
        return function in (NAMES["activation"] if namespace == "keras.activations" else _BACKEND_FUNCTIONS)
    return name in _FUNCTIONS or _IN_NAMESPACES.fullmatch(name) is not None


def role_of(key: str) -> str:
    """What an object is for that stands under this key of a configuration: a key of CLASSES."""
    if key == "pruning_schedule":
        return "schedule"
    for role in NAMES:
        if key.endswith(role):
            return role
    return "layer"
