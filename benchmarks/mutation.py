"""Which changes of the code the tests notice: mutation testing with mutmut, of the modules in GROUPS.

    python -m benchmarks.mutation [--only GROUP ...] [--again] [--write]

mutmut makes copies of each function that differ from it in one place: another operator, a number more by one, an
argument less. For each it runs those tests of its group that reach the function, until one fails. Prints how many were
noticed, and those that were not, which is the list to work on. --again tests only those another time, after tests were
changed; a run without it begins anew. --write puts the table into docs/mutation.md. Exit code 1 where less than LEAST
percent of a group were noticed. Needs mutmut (pip install 'edgesparse[mutation]').
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GROUPS", "LEAST", "Group", "Score", "main", "read_scores", "table"]

LEAST = 85
"""Percent of the mutants of each group that tests must notice."""

ROOT = Path(__file__).resolve().parent.parent
_WORK = ROOT / "build" / "mutation"
_DOC = ROOT / "docs" / "mutation.md"
_BEGIN, _END = "<!-- made by make mutation: begin -->\n", "<!-- made by make mutation: end -->\n"
_COPIED = ("edgesparse", "tests", "firmware_templates", "docs", "pyproject.toml")
_MEMORY_BYTES = 3 << 30
"""What a changed function may ask for, before it is a MemoryError."""


@dataclass(frozen=True)
class Group:
    """Modules whose mutants are tested together, as globs, and the tests for them, as pytest takes them."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


GROUPS: Mapping[str, Group] = {
    "packing": Group(("edgesparse/packing/*.py",), ("tests/packing",)),
    "requantization": Group(("edgesparse/fixedpoint.py",), ("tests/kernels/test_fixedpoint.py",)),
    "planning": Group(
        ("edgesparse/lowering/arena.py",),
        ("tests/core/test_memory.py", "-k", "not seconds"),
    ),
    "reader": Group(
        ("edgesparse/tflite/read.py", "edgesparse/tflite/flatbuffer.py"),
        ("tests/tflite/test_flatbuffer.py", "tests/tflite/test_read_file.py"),
    ),
    "gate": Group(("edgesparse/lowering/gate.py",), ("tests/kernels/test_gate_rules.py",)),
}

_NOT_CODE = [r"^\s*raise [A-Z_a-z]+\("]
"""Lines that are not changed, with all that is in their brackets: what a message says is not what the code does."""

_QUICK = [*("-p", "tests.support.first_failure"), *("-p", "pytest_timeout"), *("-p", "no:cacheprovider"),
          *("-p", "no:unraisableexception"), *("-p", "no:threadexception")]  # fmt: skip
"""Starting pytest takes longer than most tests."""

_STATES = {0: "survived", 1: "killed", 3: "killed", 5: "untested", 33: "untested"}
_TIMEOUTS = {24, -24, 36, 152}


@dataclass(frozen=True)
class Score:
    """What became of the mutants of one module. `survivors` and `endless` name some of them."""

    module: str
    mutants: int
    survivors: tuple[str, ...]
    endless: tuple[str, ...]  # tests that came to no end, which is a failure too

    @property
    def noticed(self) -> int:
        """How many made a test fail."""
        return self.mutants - len(self.survivors)


def main() -> int:
    """Run mutmut on each group, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=tuple(GROUPS), default=list(GROUPS), metavar="GROUP")
    parser.add_argument("--again", action="store_true", help="only what was not noticed the last time")
    parser.add_argument("--show", action="store_true", help="run nothing, print what the last runs found")
    parser.add_argument("--write", action="store_true", help="put the table into docs/mutation.md")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time (default 2)")
    arguments = parser.parse_args()
    if arguments.write and set(arguments.only) != set(GROUPS):
        parser.error("--write takes all groups")
    scores: list[Score] = []
    low = []
    for name in arguments.only:
        folder = _WORK / name
        if not arguments.show:
            _run(GROUPS[name], folder, again=arguments.again, jobs=arguments.jobs)
        found = read_scores(folder)
        for score in found:
            for what, mutants in (("not noticed", score.survivors), ("without an end", score.endless)):
                if mutants:
                    print(f"{score.module}, {what}:", *_differences(folder, score.module, mutants), sep="\n")
        scores += found
        if 100 * sum(score.noticed for score in found) < LEAST * sum(score.mutants for score in found):
            low.append(name)
    lines = list(table(scores))
    print("\n".join(lines))
    if arguments.write:
        text = _DOC.read_text()
        before, rest = text.split(_BEGIN)
        _DOC.write_text(before + _BEGIN + "\n" + "\n".join(lines) + "\n\n" + _END + rest.split(_END)[1])
    for name in low:
        print(f"{name}: less than {LEAST} %", file=sys.stderr)
    return 1 if low else 0


def table(scores: Iterable[Score]) -> Iterator[str]:
    """The lines of a Markdown table: a row for each module, and one for all."""
    rows = [(score.module, score.mutants, score.noticed) for score in scores if score.mutants]
    yield "| module | mutants | noticed | score |"
    yield "| --- | ---: | ---: | ---: |"
    for name, mutants, noticed in (*rows, ("all", sum(row[1] for row in rows), sum(row[2] for row in rows))):
        yield f"| {name} | {mutants:,} | {noticed:,} | {100 * noticed / max(mutants, 1):.1f} % |"


def read_scores(folder: Path) -> list[Score]:
    """What mutmut found out in a folder, by module."""
    scores = []
    for path in sorted((folder / "mutants").rglob("*.py.meta")):
        codes: dict[str, int] = json.loads(path.read_text())["exit_code_by_key"]
        states = {name: "no end" if code in _TIMEOUTS else _STATES.get(code, "odd") for name, code in codes.items()}
        scores.append(
            Score(
                module=str(path.relative_to(folder / "mutants")).removesuffix(".meta"),
                mutants=len(states),
                survivors=tuple(name for name, state in states.items() if state not in ("killed", "no end")),
                endless=tuple(name for name, state in states.items() if state == "no end"),
            )
        )
    return scores


def _run(group: Group, folder: Path, *, again: bool, jobs: int) -> None:
    left = [name for score in read_scores(folder) for name in score.survivors] if again else []
    if again and not left:
        return
    if not again:
        shutil.rmtree(folder, ignore_errors=True)
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
        else:
            shutil.copy2(ROOT / name, folder / name)
    with (folder / "pyproject.toml").open("a") as file:
        file.write("\n[tool.mutmut]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in _settings(group)))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(jobs), *left]
    limit = (_MEMORY_BYTES, _MEMORY_BYTES)
    subprocess.run(
        command, cwd=folder, env=environment, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
    )  # fmt: skip


def _settings(group: Group) -> Iterator[tuple[str, object]]:
    yield "source_paths", ["edgesparse"]
    yield "only_mutate", list(group.modules)
    yield "also_copy", ["firmware_templates", "docs"]
    yield "do_not_mutate_patterns", _NOT_CODE
    yield "pytest_add_cli_args", [*_QUICK, "--tb=no"]
    yield "pytest_add_cli_args_test_selection", list(group.tests)
    yield "use_git_change_detection", False
    yield "timeout_constant", 5.0
    yield "timeout_multiplier", 5.0


def _differences(folder: Path, module: str, mutants: Iterable[str]) -> Iterator[str]:
    """Each mutant's name, and its lines as they were and as they are."""
    program = "import sys; from mutmut.mutation.diff_apply import get_diff_for_mutant as diff\n"
    program += "for name in sys.argv[2:]: print('=' + name, diff(name, path=sys.argv[1]), sep='\\n')"
    command = [sys.executable, "-c", program, module, *mutants]
    shown = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    yield from (line for line in shown.splitlines() if line[:1] in ("=", "+", "-") and line[:3] not in ("+++", "---"))


if __name__ == "__main__":
    sys.exit(main())
