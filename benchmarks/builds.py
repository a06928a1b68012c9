"""Building a corpus with the `edgesparse` of a source tree, through the command line alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from benchmarks.corpus import Entry, RefusedError

__all__ = ["Outcome", "build", "check_tree", "checkout", "commit_of"]

_RUN = [sys.executable, "-c", "from edgesparse.cli import main; main()"]
_TOOL_MISSING = 4
_UNSET = ("TFLM_DIR",)
"""TFLite Micro's own build is no part of what is compared, and takes minutes."""


@dataclass(frozen=True)
class Outcome:
    """What one call of the command line left behind.

    `message`: "" where it succeeded, else the last line of stderr, without the paths of this run. `folder` exists only
    where it succeeded.
    """

    exit_code: int
    message: str
    folder: Path

    @property
    def built(self) -> bool:
        """Whether there is an output folder."""
        return self.exit_code == 0

    def report(self) -> dict[str, Any]:
        """The report.json of the output folder."""
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return report

    def describe(self) -> str:
        """ "built", or the exit code and the message."""
        return "built" if self.built else f"exit {self.exit_code}: {self.message}"


def commit_of(root: Path, reference: str) -> str:
    """The hash of a commit of the repository; RefusedError where there is none of that name."""
    command = ["git", "-C", str(root), "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RefusedError(f"{reference!r} is no commit of {root}")
    return result.stdout.strip()


@contextmanager
def checkout(root: Path, commit: str, within: Path) -> Iterator[Path]:
    """A work tree of the commit, in a new folder that is removed when the block ends, however it ends."""
    within.mkdir(parents=True, exist_ok=True)
    tree = Path(mkdtemp(prefix="tree-", dir=within))
    git = ["git", "-C", str(root), "worktree"]
    try:
        subprocess.run([*git, "add", "--quiet", "--force", "--detach", str(tree), commit], check=True)
        yield tree
    finally:
        subprocess.run([*git, "remove", "--force", str(tree)], check=False, capture_output=True)
        shutil.rmtree(tree, ignore_errors=True)


def check_tree(tree: Path) -> None:
    """RefusedError unless `edgesparse` is the tree's own when it runs there: else two trees would compare as equal."""
    command = [sys.executable, "-c", "import edgesparse; print(edgesparse.__file__)"]
    result = subprocess.run(command, cwd=tree, env=_environment(tree), capture_output=True, text=True, check=False)
    found = result.stdout.strip()
    if not found or not Path(found).resolve().is_relative_to(tree.resolve()):
        raise RefusedError(f"{tree} would run the edgesparse of {found or result.stderr.strip()}")


def build(
    entries: Sequence[Entry], trees: Mapping[str, Path], out: Path, *, jobs: int, say: Callable[[str], None]
) -> dict[str, dict[str, Outcome]]:
    """Every entry with every tree: outcomes by the tree's name, then the entry's.

    The folders are OUT/tree/entry; what lay there before is removed. jobs: how many builds run at a time.
    RefusedError where a compiler or an emulator is missing, or nothing at all could be built: that compares nothing.
    """
    for name in trees:
        shutil.rmtree(out / name, ignore_errors=True)
        (out / name).mkdir(parents=True)
    outcomes: dict[str, dict[str, Outcome]] = {name: {} for name in trees}
    pool = ThreadPoolExecutor(jobs)
    started: dict[Future[tuple[Outcome, float]], tuple[str, str]] = {}
    try:
        for entry in entries:
            for name, tree in trees.items():
                started[pool.submit(_run, entry, tree, out / name / entry.name)] = name, entry.name
        for number, done in enumerate(as_completed(started), 1):
            tree_name, entry_name = started[done]
            outcome, seconds = done.result()
            if outcome.exit_code == _TOOL_MISSING:
                raise RefusedError(f"{entry_name}: {outcome.message}")
            outcomes[tree_name][entry_name] = outcome
            say(f"{number}/{len(started)} {tree_name} {entry_name}: {outcome.describe()} ({seconds:.1f} s)")
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if not any(outcome.built for side in outcomes.values() for outcome in side.values()):
        raise RefusedError("nothing was built")
    return outcomes


def _run(entry: Entry, tree: Path, out: Path) -> tuple[Outcome, float]:
    start = time.perf_counter()
    result = subprocess.run(
        [*_RUN, *entry.arguments(out)], cwd=tree, env=_environment(tree), capture_output=True, text=True, check=False
    )
    message = ""
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or ["no message"]
        message = lines[-1]
        for path, name in ((entry.model, entry.model.name), (out, "OUT"), (tree, "TREE")):
            message = message.replace(str(path), name)
    return Outcome(result.returncode, message, out), time.perf_counter() - start


def _environment(tree: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _UNSET}
    return {**kept, "PYTHONPATH": str(tree)}
