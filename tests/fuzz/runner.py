"""Runs a target on many files, each within a bound on memory and on time, and notes what should not have happened."""

from __future__ import annotations

import hashlib
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.fuzz.targets import Target

__all__ = ["MEMORY_BYTES", "SECONDS", "Outcome", "bounded_memory", "structural"]

MEMORY_BYTES = 1 << 30
"""Of address space that a process may take above what it has when fuzzing begins (RLIMIT_AS)."""
SECONDS = 10
"""Of processor time that a file may take."""
_OURS = "/edgesparse/"
_LARGE_SHARE = 0.01


class TooSlowError(BaseException):
    """A file took more than SECONDS; no `except Exception` catches it."""


@dataclass
class Outcome:
    """What happened so far. findings: the first file of each place that something escaped from."""

    target: Target
    folder: Path
    executions: int = 0
    accepted: int = 0
    refused: int = 0
    slowest_seconds: float = 0.0
    findings: dict[str, Path] = field(default_factory=dict)

    @contextmanager
    def bounds(self) -> Iterator[None]:
        """Warnings are errors, time and memory have their bounds: `run` wants this around it."""
        old = signal.signal(signal.SIGPROF, _too_slow)
        try:
            with warnings.catch_warnings(), bounded_memory():
                warnings.simplefilter("error")
                yield
        finally:
            signal.signal(signal.SIGPROF, old)

    def run(self, data: bytes) -> None:
        """Run the target on one file."""
        self.executions += 1
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            self.target.run(data)
            self.accepted += 1
        except self.target.errors as error:
            self.refused += 1
            if "\n" in str(error):
                self._note(data, error, "a message of several lines")
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever it is, it is a finding
            self._note(data, error, "")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self.slowest_seconds = max(self.slowest_seconds, time.process_time() - started)

    def _note(self, data: bytes, error: BaseException, what: str) -> None:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if _OURS in f.filename]
        place = f"{frames[-1].filename.rpartition(_OURS)[2]}:{frames[-1].lineno}" if frames else "?"
        key = f"{what or type(error).__name__} at {place}"
        if key in self.findings:
            return
        path = self.folder / hashlib.sha256(data).hexdigest()[:16]
        self.folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.findings[key] = path
        print(f"FOUND {key}: {error!s:.200} ({path})", flush=True)

    def summary(self, name: str) -> str:
        """One line with all counts."""
        return (
            f"{name}: {self.executions:,} executions, {self.refused:,} refused, {self.accepted:,} accepted, "
            f"{len(self.findings)} findings, slowest {self.slowest_seconds:.2f} s"
        )


def _too_slow(signum: int, frame: FrameType | None) -> None:
    raise TooSlowError(f"more than {SECONDS} s")


@contextmanager
def bounded_memory() -> Iterator[None]:
    """An allocation beyond what the process has now and MEMORY_BYTES fails with MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    old = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY_BYTES, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)


def structural(outcome: Outcome, runs: int, seed: int, *, report_every: int = 0) -> None:
    """Run `runs` files with fields changed, of all the target's files."""
    small, large = outcome.target.small(), outcome.target.large()
    rng = random.Random(seed)
    with outcome.bounds():
        for number in range(runs):
            files = large if large and rng.random() < _LARGE_SHARE else small
            outcome.run(outcome.target.mutate(rng.choice(files), rng))
            if report_every and (number + 1) % report_every == 0:
                print(outcome.summary("structure"), file=sys.stderr, flush=True)
