"""Pruned Keras model + calibration inputs -> int8 .tflite; and the proofs of zeros and of clusters."""

from edgesparse.quantize.aware import train_aware
from edgesparse.quantize.choose import Quantized, quantize_corrected
from edgesparse.quantize.convert import MAX_CALIBRATION, float_tflite, quantize
from edgesparse.quantize.synthetic import synthetic_inputs
from edgesparse.quantize.values import check_values
from edgesparse.quantize.zeros import check_zeros, match_kernels

__all__ = [
    "MAX_CALIBRATION",
    "Quantized",
    "check_values",
    "check_zeros",
    "float_tflite",
    "match_kernels",
    "quantize",
    "quantize_corrected",
    "synthetic_inputs",
    "train_aware",
]
