"""Fuzz one target, or all: `python -m tests.fuzz reader --runs 100000`. Exit code 1 where something was found.

Two ways to make files. `coverage`: atheris (libFuzzer) keeps what reaches new code and changes it on, by bytes and by
fields; `structure`: fields of small and of real files are changed, one to four at a time, without instrumentation.
`all`: the reader of .tflite files gets half of `--runs` each way, every other target a fiftieth.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.runner import Outcome

NAMES = ("reader", "decode", "console", "report", "npz", "npy")
WAYS = ("coverage", "structure")
_LONGEST = 4096
_FIELDS_SHARE = 0.7
_FRESH_SHARE = 0.25
"""Of files, those that are made of a sound one, and not of what reached new code, where much may be wrong already."""


def main() -> None:
    """Parse the arguments and fuzz."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=(*NAMES, "all"))
    parser.add_argument("--runs", type=int, default=100_000, help="how many files (default: 100,000)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (default: 1)")
    parser.add_argument("--way", choices=WAYS, default="coverage")
    parser.add_argument("--found", type=Path, default=Path("build/fuzz"), help="where files go that are findings")
    parser.add_argument("--every", type=int, default=0, help="print the counts after so many files")
    options = parser.parse_args()
    if options.target == "all":
        _all(options)
    elif options.way == "coverage":
        _coverage(options)
    else:
        _structure(options)


def _all(options: argparse.Namespace) -> None:
    failed = []
    for name in NAMES:
        for way in WAYS:
            runs = max(options.runs // (2 if name == "reader" else 50), 1)
            command = [sys.executable, "-m", "tests.fuzz", name, "--way", way, "--runs", str(runs)]
            command += ["--seed", str(options.seed), "--found", str(options.found), "--every", str(options.every)]
            if subprocess.run(command, check=False).returncode:
                failed.append(f"{name}, {way}")
    if failed:
        sys.exit(f"findings, or an end of the process, in {'; '.join(failed)}: see above")


def _structure(options: argparse.Namespace) -> None:
    from tests.fuzz.runner import Outcome, structural
    from tests.fuzz.targets import TARGETS

    outcome = Outcome(TARGETS[options.target], options.found / options.target)
    structural(outcome, options.runs, options.seed, report_every=options.every)
    _end(outcome, options)


def _end(outcome: Outcome, options: argparse.Namespace) -> None:
    print(outcome.summary(f"{options.target}, {options.way}, seed {options.seed}"), flush=True)
    sys.stderr.flush()
    os._exit(1 if outcome.findings else 0)  # libFuzzer would go on, or end the process in its own way


def _coverage(options: argparse.Namespace) -> None:
    import atheris

    quiet = contextlib.redirect_stderr(io.StringIO())  # it names every module
    with quiet, atheris.instrument_imports(include=["edgesparse"], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS
    from tests.fuzz.runner import Outcome

    target = TARGETS[options.target]
    small = target.small()
    outcome = Outcome(target, options.found / options.target)

    def test_one_input(data: bytes) -> None:
        outcome.run(data)
        if options.every and outcome.executions % options.every == 0:
            print(outcome.summary("coverage"), file=sys.stderr, flush=True)
        if outcome.executions >= options.runs:
            _end(outcome, options)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < _FRESH_SHARE:
            data = rng.choice(small)
        if rng.random() < _FIELDS_SHARE:
            return target.mutate(data, rng)[:most]
        return bytes(atheris.Mutate(data, most))

    longest = max(_LONGEST, *map(len, small))
    with tempfile.TemporaryDirectory(prefix="edgesparse-fuzz-") as folder, outcome.bounds():
        for number, data in enumerate(small):
            (Path(folder) / f"seed{number:03}").write_bytes(data)
        flags = [f"-seed={options.seed}", f"-max_len={longest}", "-verbosity=0", "-rss_limit_mb=0", "-timeout=600"]
        atheris.Setup([sys.argv[0], *flags, "-reload=0", folder], test_one_input, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
