"""Every requirement has a lowest and a highest version, and the lock file has one version in between, with hashes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import edgesparse

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(edgesparse.__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS: dict[str, list[str]] = {
    "build-system": PROJECT["build-system"]["requires"],
    "dependencies": PROJECT["project"]["dependencies"],
    **PROJECT["project"]["optional-dependencies"],
}
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
_PIN = re.compile(
    r"^(?P<pin>\S+==[^\s;]+(?: ;[^\\\n]+)?) \\\n"
    r"(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+",
    re.MULTILINE,
)


def bounds(requirement: str) -> set[str]:
    """`lower`, `upper`: which ends its versions have."""
    found = set()
    for part in Requirement(requirement).specifier:
        if part.operator in (">=", ">", "==", "~="):
            found.add("lower")
        if part.operator in ("<", "<=", "==", "~="):
            found.add("upper")
    return found


def locked(python: str) -> dict[str, Version]:
    """Versions by name, of the pins whose marker holds on Linux for a Python version."""
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    environment |= {"sys_platform": "linux", "platform_machine": "x86_64", "platform_system": "Linux"}
    found: dict[str, Version] = {}
    for match in _PIN.finditer((ROOT / "requirements" / "lock.txt").read_text()):
        pin = Requirement(match["pin"])
        if pin.marker is None or pin.marker.evaluate(environment):
            (specifier,) = pin.specifier
            assert pin.name not in found, f"{pin.name} has two versions for Python {python}"
            found[canonicalize_name(pin.name)] = Version(specifier.version)
    return found


@pytest.mark.parametrize("group", GROUPS)
def test_every_requirement_has_two_bounds(group: str) -> None:
    open_ended = [requirement for requirement in GROUPS[group] if bounds(requirement) != {"lower", "upper"}]
    assert not open_ended


def test_what_has_no_bound_is_found() -> None:
    assert bounds("numpy>=1.26") == {"lower"}
    assert bounds("numpy<2") == {"upper"}
    assert bounds("numpy; python_version < '3.12'") == set()
    assert bounds("numpy==2.14.0") == bounds("numpy>=1.26,<2") == {"lower", "upper"}


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_file_has_a_version_within_the_bounds(python: str) -> None:
    pins = locked(python)
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    checked = 0
    for requirement in map(Requirement, (text for group in GROUPS.values() for text in group)):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            name = canonicalize_name(requirement.name)
            assert name in pins, f"{name}: not in requirements/lock.txt; run make lock"
            assert pins[name] in requirement.specifier, f"{name} {pins[name]}: not {requirement}; run make lock"
            checked += 1
    assert checked > 30


def test_the_lock_file_is_pins_with_hashes_and_nothing_else() -> None:
    text = (ROOT / "requirements" / "lock.txt").read_text()
    rest = "".join(line for line in _PIN.sub("", text).splitlines(keepends=True) if not line.startswith("#"))
    assert not rest.strip()
    assert len(_PIN.findall(text)) > 100
    assert "://" not in text, "a lock file names no place to download from"
