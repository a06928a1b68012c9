"""A place to run edgesparse in while something breaks: its own temporary folder, its own tools."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.support.processes import PROC, alive
from tests.support.small_networks import conv_network

__all__ = ["Result", "Workplace", "contents", "prepared"]

MARKER = "EDGESPARSE_TEST_MARKER"


@dataclass(frozen=True)
class Result:
    """How a command ended: its exit code, or minus a signal."""

    code: int
    output: str
    errors: str

    @property
    def complaint(self) -> str:
        """The line that says what is wrong."""
        lines = [line for line in self.errors.splitlines() if line.startswith("edgesparse: error: ")]
        return lines[-1].removeprefix("edgesparse: error: ") if lines else ""


@dataclass
class Workplace:
    """A folder with a model, `model.tflite`. `patch`: Python that runs before the program does."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    patch: str = ""
    limits: dict[int, int] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def temporary(self) -> Path:
        """Where temporary files go."""
        return self.folder / "tmp"

    @property
    def tools(self) -> Path:
        """First in PATH."""
        return self.folder / "bin"

    @property
    def out(self) -> Path:
        """The output folder."""
        return self.folder / "work" / "out"

    def tool(self, name: str, script: str) -> None:
        """Put a shell script in the place of a tool; REAL in it is the tool itself."""
        real = shutil.which(name)
        path = self.tools / name
        path.write_text(f"#!/bin/sh\nREAL={real}\n{script}\n")
        path.chmod(0o755)

    def without(self, *names: str) -> None:
        """Hide tools: PATH has but links to all others."""
        for folder in os.environ["PATH"].split(os.pathsep):
            for path in Path(folder).iterdir() if Path(folder).is_dir() else ():
                if path.name not in names and not (self.tools / path.name).exists():
                    (self.tools / path.name).symlink_to(path)
        self.environment["PATH"] = str(self.tools)

    def start(self, arguments: Sequence[str], stdout: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a command in the folder that has the model."""
        environment = {
            **os.environ,
            "PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            MARKER: self.mark,
            **self.environment,
        }
        program = f"{self.patch}\nfrom edgesparse.cli import start\nstart()"
        return subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            cwd=self.folder / "work",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            preexec_fn=self._limit if self.limits else None,
        )

    def run(self, *arguments: str) -> Result:
        """Run a command to its end."""
        process = self.start(arguments)
        try:
            output, errors = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Result(process.returncode, output, errors)

    def _limit(self) -> None:
        for limit, value in self.limits.items():
            resource.setrlimit(limit, (value, value))

    def left(self) -> list[str]:
        """Temporary files, half outputs and processes that are still there: there should be none."""
        hidden = [str(path) for path in (self.folder / "work").iterdir() if path.name.startswith(".")]
        temporary = [str(path) for path in self.temporary.iterdir() if "edgesparse" in path.name]
        return hidden + temporary + self.running()

    def running(self) -> list[str]:
        """Processes that were started here."""
        found = []
        for path in PROC.glob("[0-9]*"):
            try:
                marked = f"{MARKER}={self.mark}".encode() in (path / "environ").read_bytes()
                command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if marked and alive(int(path.name)):
                found.append(command)
        return found

    @contextmanager
    def small_disk(self, place: Path, size: str) -> Iterator[None]:
        """A disk of its own for a folder that exists; options of tmpfs, such as size=1M."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", str(place)], check=True, capture_output=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)


def prepared(folder: Path) -> Workplace:
    """A new one in an empty folder, with a `.tflite` and a Keras model."""
    for name in ("work", "tmp", "bin"):
        (folder / name).mkdir()
    (folder / "model.tflite").write_bytes(conv_network())
    shutil.copyfile(folder / "model.tflite", folder / "work" / "model.tflite")
    shutil.copyfile(Path(__file__).parents[2] / "examples" / "digits" / "digits.h5", folder / "work" / "model.h5")
    return Workplace(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Files by name, without what compilers wrote and what tells times."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "build" not in path.parts
    }
