"""Weights behind TFLite Micro's own op TFLM_DECODE, one module per encoding."""
