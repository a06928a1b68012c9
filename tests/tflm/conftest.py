"""The user's TFLite Micro, where there is one."""

from __future__ import annotations

import os

import pytest

from edgesparse.boards import CORES
from edgesparse.tflm import TflmLibrary, find_library


@pytest.fixture(scope="session")
def library(gcc: str) -> TflmLibrary:
    """TFLite Micro for Cortex-M4. No package has it as a library for Cortex-M, so that CI cannot have it either."""
    if not os.environ.get("TFLM_DIR"):
        pytest.skip("TFLM_DIR is not set: needs TFLite Micro, built for cortex-m4+fp by its own Makefile")
    return find_library(CORES["cortex-m4"])
