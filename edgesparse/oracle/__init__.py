"""The reference interpreters that decide what the right bytes are, each in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError, ToolMissingError
from edgesparse.oracle.process import interpreters, run, worker_environment
from edgesparse.oracle.worker import MODULES, RUNTIME_MISSING

__all__ = [
    "MODULES",
    "PHONE_RUNTIMES",
    "OracleRun",
    "decoded_weights",
    "interpreters",
    "reference_outputs",
    "run_on_phone_runtime",
    "run_tflite_micro",
    "runtime_remedy",
    "runtime_version",
    "worker_environment",
    "zero_shares",
]

PHONE_RUNTIMES = {"tflite-runtime": "tflite-runtime", "litert": "ai-edge-litert"}
"""The runtimes that phones use, each with the distribution that brings it."""

_DISTRIBUTIONS = {"tflite-micro": "tflite-micro", "tflite-runtime": "tflite-runtime"}


@dataclass(frozen=True, eq=False)
class OracleRun:
    """Outputs [n, ...] and the interpreter that made them, such as `tflite-micro 0.dev20261023182759`."""

    outputs: npt.NDArray[Any]
    reference: str


def reference_outputs(model: bytes, inputs: npt.NDArray[Any]) -> OracleRun:
    """Run TFLite Micro's reference kernels, or tflite-runtime's where TFLite Micro refuses the file.

    inputs: [n, ...] in the model's input dtype, without the batch axis.
    ModelError when both refuse the model, ToolMissingError when none is installed.
    """
    reasons = []
    missing = 0
    for runtime, distribution in _DISTRIBUTIONS.items():
        code, result = run(runtime, model, inputs)
        if isinstance(result, np.ndarray):
            return OracleRun(outputs=result, reference=f"{runtime} {metadata.version(distribution)}")
        missing += code == RUNTIME_MISSING
        reasons.append(f"{runtime}: {result}")
    if missing == len(_DISTRIBUTIONS):
        raise ToolMissingError("no reference interpreter is installed; pip install tflite-micro")
    raise ModelError(f"no reference interpreter runs the model: {'; '.join(reasons)}")


def runtime_version(distribution: str) -> str | None:
    """The installed version of a distribution, None where it is missing."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def runtime_remedy(runtime: str) -> str:
    """How to get one of PHONE_RUNTIMES."""
    return "pip install edgesparse[mobile]" if runtime == "litert" else "pip install edgesparse (Python before 3.12)"


def run_on_phone_runtime(
    runtime: str, model: bytes, inputs: npt.NDArray[Any], *, reference: bool
) -> npt.NDArray[Any] | str:
    """Outputs [n, ...] of one of PHONE_RUNTIMES; the reason where it fails.

    reference: its reference kernels, else its default ones, which are XNNPACK's where they can be.
    """
    return run(runtime if reference else f"{runtime}-default", model, inputs)[1]


def run_tflite_micro(model: bytes, inputs: npt.NDArray[Any]) -> OracleRun | str:
    """As reference_outputs, on TFLite Micro alone; the reason where it fails."""
    result = run("tflite-micro", model, inputs)[1]
    return result if isinstance(result, str) else OracleRun(result, f"tflite-micro {metadata.version('tflite-micro')}")


def decoded_weights(model: bytes, sample: npt.NDArray[Any]) -> npt.NDArray[Any] | str:
    """What the TFLM_DECODE ops expand on TFLite Micro, int8 [weights of all of them]; the reason where it fails.

    sample: an input without the batch axis.
    """
    result = run("tflite-micro-decoded", model, sample[np.newaxis])[1]
    return result if isinstance(result, str) else result[0]


def zero_shares(model: bytes, inputs: npt.NDArray[Any]) -> npt.NDArray[Any] | str:
    """Mean share of values at the zero point over inputs [n, ...], by tensor index; NaN for tensors that are not int8.

    The reason where tflite-runtime refuses the model.
    """
    result = run("tflite-runtime-zeros", model, inputs)[1]
    return result if isinstance(result, str) else result.mean(axis=0)
