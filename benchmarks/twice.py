"""Whether the same input gives the same bytes: every model is converted twice, and all files are compared.

    EDGESPARSE_TEST_MODELS=folder python -m benchmarks.twice [--only NAME ...] [--keep]

The two runs are processes of their own, with other seeds of Python's hashes, in other working folders, into output
folders of other names. Every file of the output folder is compared by its bytes: sources, model files, images, objects,
report.json, report.html. Exit code: 0 nothing differs, 3 something does, 2 nothing can be compared.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

__all__ = ["Pair", "differing", "main"]

ROOT = Path(__file__).resolve().parent.parent
_RUNS = (("first", "1", "out"), ("second", "4242", "other-name.edgesparse"))
"""Working folder, PYTHONHASHSEED, and name of the output folder."""
_ARGUMENTS = {"convert": ("--sparsity", "0.5"), "firmware": ()}


@dataclass(frozen=True)
class Pair:
    """The output folders of both runs of a model."""

    first: Path
    second: Path

    @property
    def files(self) -> tuple[str, ...]:
        """Relative paths of the files of either."""
        found = {str(p.relative_to(side)) for side in (self.first, self.second) for p in side.rglob("*") if p.is_file()}
        return tuple(sorted(found))


def differing(pair: Pair) -> list[str]:
    """The files that are not the same to the byte in both, or are in one only."""
    return [name for name in pair.files if _content(pair.first / name) != _content(pair.second / name)]


def models(folder: Path) -> list[Path]:
    """The model files and SavedModel folders of a folder."""
    files = [path for path in folder.iterdir() if path.suffix in (".h5", ".keras", ".tflite")]
    return sorted([*files, *(path.parent for path in folder.glob("*/saved_model.pb"))])


def main() -> int:
    """Run, compare, print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="NAME", help="globs of file names")
    parser.add_argument("--keep", action="store_true", help="keep both output folders where nothing differs, too")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "twice")
    arguments = parser.parse_args()
    folder = os.environ.get("EDGESPARSE_TEST_MODELS")
    if not folder or not Path(folder).is_dir():
        print("error: EDGESPARSE_TEST_MODELS names no folder with models", file=sys.stderr)
        return 2
    found = [path for path in models(Path(folder).resolve()) if _is_chosen(path.name, arguments.only)]
    wrong = [path.name for path in found if not _compare(path, arguments.out.resolve() / path.name, arguments.keep)]
    files = "no model" if not found else f"{len(found) - len(wrong)} of {len(found)} models are the same to the byte"
    print(files if not wrong else f"{files}; not: {', '.join(wrong)}")
    return 3 if wrong else 0 if found else 2


def _is_chosen(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _compare(model: Path, folder: Path, keep: bool) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    outs = [_run(model, folder / name, seed, out) for name, seed, out in _RUNS]
    if any(isinstance(out, str) for out in outs):
        print(f"{model.name}: {'; '.join(map(str, outs))}", flush=True)
        return False
    pair = Pair(*(Path(out) for out in outs))
    files, different = pair.files, differing(pair)
    print(f"{model.name}: {len(files)} files, {len(different)} differ {' '.join(different[:8])}".rstrip(), flush=True)
    if not different and not keep:
        shutil.rmtree(folder)
    return bool(files) and not different


def _run(model: Path, folder: Path, seed: str, name: str) -> Path | str:
    """The output folder, or the last words of a run that failed."""
    folder.mkdir(parents=True)
    command = "firmware" if model.suffix == ".tflite" else "convert"
    code = "from edgesparse.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, command, str(model), *_ARGUMENTS[command], "--out", name],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return folder / name if done.returncode == 0 else f"exit code {done.returncode}: {done.stderr.strip()[-300:]}"


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
