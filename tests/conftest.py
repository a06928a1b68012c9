"""What all tests share: the folder of extra models, and tools that may be missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.chromium import find_chromium

REQUIRE_TOOLS = os.environ.get("EDGESPARSE_REQUIRE_TOOLS") == "1"


def pytest_configure() -> None:
    """Hear Ctrl-C, which a shell has its background jobs ignore, in what tests start too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def skip_or_fail(reason: str) -> None:
    """Skip, or fail where EDGESPARSE_REQUIRE_TOOLS=1 says that nothing may be missing."""
    if REQUIRE_TOOLS:
        pytest.fail(f"{reason} (EDGESPARSE_REQUIRE_TOOLS=1)")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of real models that EDGESPARSE_TEST_MODELS names."""
    folder = os.environ.get("EDGESPARSE_TEST_MODELS")
    if not folder:
        pytest.skip("EDGESPARSE_TEST_MODELS is not set")
    path = Path(folder)
    assert path.is_dir(), f"EDGESPARSE_TEST_MODELS={folder} is not a folder"
    return path


@pytest.fixture(scope="session")
def gcc() -> str:
    """arm-none-eabi-gcc."""
    if shutil.which("arm-none-eabi-gcc") is None:
        skip_or_fail("arm-none-eabi-gcc is not installed")
    return "gcc"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium or Chrome."""
    path = find_chromium()
    if path is None:
        skip_or_fail("chromium is not installed")
    return str(path)


@pytest.fixture(scope="session")
def qemu() -> str:
    """qemu-system-arm."""
    if shutil.which("qemu-system-arm") is None:
        skip_or_fail("qemu-system-arm is not installed")
    return "qemu"


@pytest.fixture(scope="session")
def gdb() -> str:
    """gdb-multiarch."""
    if shutil.which("gdb-multiarch") is None:
        skip_or_fail("gdb-multiarch is not installed")
    return "gdb-multiarch"


@pytest.fixture(scope="session")
def openocd() -> str:
    """openocd."""
    if shutil.which("openocd") is None:
        skip_or_fail("openocd is not installed")
    return "openocd"


@pytest.fixture(scope="session")
def stlink() -> str:
    """st-flash and st-util."""
    if shutil.which("st-flash") is None or shutil.which("st-util") is None:
        skip_or_fail("stlink-tools is not installed")
    return "st-flash"


@pytest.fixture(scope="session")
def pyocd() -> str:
    """pyocd, as a package of this Python."""
    if importlib.util.find_spec("pyocd") is None:
        skip_or_fail("the Python package pyocd is not installed")
    return "pyocd"
