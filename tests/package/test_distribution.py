"""The wheel and the sdist: complete, the same from both, and the wheel works without the checkout."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import edgesparse
from tests.support.small_networks import conv_network

ROOT = Path(edgesparse.__file__).parent.parent


def build(target: Path, source: Path, *options: str) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), *options, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build(folder, ROOT, "--wheel")
    (path,) = folder.iterdir()
    return path


def test_the_wheel_carries_all_that_is_no_python(wheel: Path) -> None:
    names = set(contents(wheel))
    for path in (ROOT / "firmware_templates").rglob("*"):
        if path.is_file():
            assert f"edgesparse/firmware_templates/{path.relative_to(ROOT / 'firmware_templates')}" in names
    for path in (ROOT / "edgesparse").rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert str(path.relative_to(ROOT)) in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not [name for name in names if not name.startswith(("edgesparse/", "edgesparse-"))]


@pytest.mark.slow
def test_the_sdist_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    build(tmp_path, ROOT)  # the sdist, and a wheel from what is in it
    (sdist,) = tmp_path.glob("*.tar.gz")
    (other,) = tmp_path.glob("*.whl")
    assert contents(other) == contents(wheel)
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert names >= {"LICENSE", "README.md", "SECURITY.md", "pyproject.toml", "requirements/lock.txt"}
    assert not [name for name in names if name.startswith((".venv", "build/", "dist/"))]


@pytest.mark.slow
def test_the_wheel_alone_makes_firmware(wheel: Path, tmp_path: Path, gcc: str) -> None:
    """Installed into an environment that finds this one's dependencies, and nothing of the checkout."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    programs = tmp_path / "env" / "bin"
    install = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--quiet"]
    subprocess.run([*install, "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)], check=True)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "env"), "platbase": str(tmp_path / "env")}))
    # A .pth line becomes a folder to import from, whose own .pth files, such as the checkout's, are not read.
    (own / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "net.tflite").write_bytes(conv_network())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run(*command: object) -> str:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    place = run(programs / "python", "-c", "import edgesparse; print(edgesparse.__file__)").strip()
    assert Path(place).is_relative_to(own)
    assert run(programs / "edgesparse", "--version").split()[-1] == edgesparse.__version__
    run(programs / "edgesparse", "firmware", "net.tflite", "--out", "out")
    report = json.loads((elsewhere / "out" / "report.json").read_text())
    assert report["bit_exact"]
    run(programs / "edgesparse", "export", "out", "--format", "cmake", "--out", "library")
    assert (elsewhere / "library" / "CMakeLists.txt").is_file()
