"""Whether edgesparse works with the lowest and with the newest versions that pyproject.toml allows.

For each, an environment of its own is made, with all dependencies of that kind: `lowest` takes the lowest version of
what pyproject.toml names, and the newest that fits of what those need. Then a model is converted, run and compared,
and the tests of the readers run. Takes minutes and gigabytes, which are removed again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
KINDS = {"lowest": "lowest-direct", "newest": "highest"}
EXTRAS = "demo,device,mobile,test"
TESTS = (
    "tests/core/test_read.py",
    "tests/core/test_data.py",
    "tests/core/test_layers.py",
    "tests/core/test_generated_c.py",
    "tests/tflite/test_slim.py",
    "tests/keras/test_load.py",
    "tests/keras/test_hostile_files.py",
)


def main() -> int:
    """Run both, or those that the arguments name; the exit code is 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], default=list(KINDS))
    kinds: list[str] = parser.parse_args().kinds
    failed = [kind for kind in kinds if not _works(kind)]
    for kind in kinds:
        print(f"{kind}: {'fails' if kind in failed else 'works'}")
    return 1 if failed else 0


def _works(kind: str) -> bool:
    with tempfile.TemporaryDirectory(prefix=f"edgesparse-{kind}-") as text:
        folder = Path(text)
        environment, python = _environment(folder), folder / "env" / "bin" / "python"
        uv = [sys.executable, "-m", "uv"]

        def run(*command: str | Path) -> bool:
            words = [str(word) for word in command]
            print("+", *words, flush=True)
            return subprocess.run(words, cwd=ROOT, env=environment, check=False).returncode == 0

        convert = ("--data", folder / "digits.npz", "--method", "oneshot", "--out", folder / "digits.edgesparse")
        return (
            run(*uv, "venv", "--quiet", "--python", sys.executable, folder / "env")
            and run(*uv, "pip", "install", "--quiet", "--python", python, "--resolution", KINDS[kind], f".[{EXTRAS}]")
            and run(*uv, "pip", "list", "--python", python)
            and run(python, "examples/digits/data.py", folder / "digits.npz")
            and run(folder / "env" / "bin" / "edgesparse", "convert", "examples/digits/digits.h5", *convert)
            and run(python, "-m", "ruff", "check", "--no-cache", ".")
            and run(python, "-m", "mypy", f"--cache-dir={folder / 'mypy'}")
            and run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *TESTS)
        )


def _environment(folder: Path) -> dict[str, str]:
    """This one's, with the environment's programs first, none of this one's packages and no Python to be fetched."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    path = f"{folder / 'env' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**found, "PATH": path, "UV_PYTHON_DOWNLOADS": "never", "UV_CACHE_DIR": str(folder / "cache")}


if __name__ == "__main__":
    sys.exit(main())
