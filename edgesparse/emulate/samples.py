"""The host's file that the harness reads inputs from, where there is one (firmware_templates/project/harness.h)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["SAMPLES_NAME", "sample_file"]

SAMPLES_NAME = "es.samples"
"""In the working folder of the debugger or emulator."""


def sample_file(samples: npt.NDArray[Any]) -> bytes:
    """The file's bytes for [n, ...] samples, n >= 1, in the model's input dtype.

    n as 4 bytes, little-endian; the samples; the first one again, on which the harness checks that equal inputs give
    equal outputs.
    """
    rows = np.ascontiguousarray(samples)
    return len(rows).to_bytes(4, "little") + rows.tobytes() + rows[:1].tobytes()
