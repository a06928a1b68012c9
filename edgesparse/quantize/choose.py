"""Plain int8, equalized, with corrected biases, or both: whichever is clearly closest to the float model.

All is fitted to every other calibration sample and judged on those between, so that nothing is judged on what it was
fitted to. Plain stays where it is close enough, and where another is not better by a margin and beyond chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError
from edgesparse.graph import FloatArray
from edgesparse.keras_model.predict import predict
from edgesparse.missing import Missing
from edgesparse.quantize.bias_correction import correct_biases
from edgesparse.quantize.convert import MAX_CALIBRATION, float_tflite, quantize
from edgesparse.quantize.equalize import equalize
from edgesparse.result import Correction

__all__ = ["MIN_SAMPLES", "Quantized", "quantize_corrected"]

Float64 = npt.NDArray[np.float64]

MIN_SAMPLES = 32
"""Half of them judge: fewer say too little."""

_CLOSE = 0.03
"""Output error that needs no correction: int8 outputs have a step of 0.004 to 0.008 of their range."""

_MARGIN = 0.8
"""Of the error so far: what is worth changing the model for."""

_STANDARD_ERRORS = 2.0
"""By which the difference must exceed the margin, sample by sample."""


@dataclass(frozen=True, eq=False)
class Quantized:
    """An int8 .tflite, and the tf_keras model whose weights it has: the one that was given, or its equalized copy.

    error, error_plain: of the outputs on the samples that judge, a number of `samples`, mean distance to the float
    model's over the mean distance of those to their mean; of the file, and of what plain quantization gives. None
    where nothing was judged, unjudged says why.
    """

    data: bytes
    model: Any
    equalized: bool = False
    bias_corrected: bool = False
    samples: int = 0
    error_plain: float | None = None
    error: float | None = None
    unjudged: str = ""

    @property
    def correction(self) -> Correction:
        """As a report has it."""
        return Correction(
            equalized=self.equalized,
            bias_corrected=self.bias_corrected,
            samples=self.samples,
            output_error_plain=self._judged(self.error_plain),
            output_error=self._judged(self.error),
        )

    def _judged(self, error: float | None) -> float | Missing:
        return Missing(self.unjudged) if error is None else round(error, 6)


def quantize_corrected(
    model: Any,
    calibration: FloatArray,
    *,
    dense_per_channel: bool,
    outputs_of: Callable[[bytes, FloatArray], FloatArray],
    unjudged: str = "",
) -> Quantized:
    """Quantize a tf_keras model as quantize does, equalized and with corrected biases where that clearly helps.

    calibration: as for quantize; under MIN_SAMPLES the result is plain. outputs_of: (int8 .tflite, inputs [n, *input])
    -> float outputs [n, ...]. unjudged: why the result must be plain, for one that must. Same arguments, same bytes.
    Errors as quantize raises them.
    """
    plain = Quantized(quantize(model, calibration, dense_per_channel=dense_per_channel), model)
    if not unjudged and len(calibration) < MIN_SAMPLES:
        unjudged = f"needs {MIN_SAMPLES} samples to judge by, got {len(calibration)}"
    if unjudged:
        return replace(plain, unjudged=unjudged)
    fit, judge = (calibration[start:MAX_CALIBRATION:2] for start in (0, 1))
    wanted = predict(model, judge)
    spread = float(_lengths(wanted - wanted.mean(axis=0)).mean())
    if spread == 0.0:
        return replace(plain, unjudged="the float model's outputs are the same for all samples")

    def errors_of(data: bytes) -> Float64:
        return _lengths(outputs_of(data, judge) - wanted) / spread

    errors = errors_of(plain.data)
    error = float(errors.mean())
    best = replace(plain, samples=len(judge), error_plain=error, error=error)
    if error <= _CLOSE:
        return best
    equalized = equalize(model, fit, dense_per_channel=dense_per_channel)
    if equalized is not None:
        data = quantize(equalized, calibration, dense_per_channel=dense_per_channel)
        found = errors_of(data)
        if _clearly_less(found, errors):
            errors = found
            best = replace(best, data=data, model=equalized, equalized=True, error=float(found.mean()))
    corrected = _corrected(best, fit)
    if corrected is not None:
        found = errors_of(corrected)
        if _clearly_less(found, errors):
            best = replace(best, data=corrected, bias_corrected=True, error=float(found.mean()))
    return best


def _corrected(quantized: Quantized, x: FloatArray) -> bytes | None:
    """None where TFLite has no float form of the model."""
    try:
        return correct_biases(quantized.data, float_tflite(quantized.model), x)
    except ModelError:
        return None


def _lengths(values: FloatArray) -> Float64:
    """Euclidean, of each sample's outputs [n, ...]."""
    lengths: Float64 = np.linalg.norm(values.reshape(len(values), -1).astype(np.float64), axis=1)
    return lengths


def _clearly_less(errors: Float64, known: Float64) -> bool:
    """Whether errors [n] of the same samples are less than known ones by the margin, and not by chance."""
    gains = _MARGIN * known - errors
    return bool(gains.mean() > _STANDARD_ERRORS * gains.std() / np.sqrt(len(gains)))
