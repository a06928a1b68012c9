"""Checkpoints of training: after an interrupt the same command goes on where it was, and ends with the same weights."""

from __future__ import annotations

import hashlib
import json
import re
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import OutputError

__all__ = ["Checkpoints", "State", "checkpoint_folder", "digest"]

_NAME = re.compile(r"[0-9a-f]{32}\.(npz|new)")
"""Of the files: what `digest` gave, in part."""

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class State:
    """Where a training is: epochs done, the values of its variables in their order, and what else changes meanwhile."""

    epochs: int
    variables: Sequence[npt.NDArray[Any]]
    shaping: Arrays
    generator: str


def checkpoint_folder(target: Path) -> Path:
    """Where the training for an output keeps its state meanwhile: beside it."""
    return target.absolute().with_name(f".{target.name}.checkpoints")


class Checkpoints:
    """One file per training in a folder, which is made when it is needed.

    A file is found again by the digest of all that the training depends on: another model, setting or sample, another
    file. Files are written whole or not at all, at most every `every_s` seconds.
    """

    def __init__(self, folder: Path, *, every_s: float = 10.0) -> None:
        """folder: its parent exists; what else it holds is left alone."""
        self.folder, self.every_s = folder, every_s
        self._saved_at = time.monotonic()

    def save(self, key: str, state: State, *, last: bool) -> None:
        """Note a state. last: of this training, written whenever the one before it was. OutputError."""
        if not last and time.monotonic() - self._saved_at < self.every_s:
            return
        path = self._path(key)
        temporary = path.with_suffix(".new")
        arrays = {f"variable{index}": value for index, value in enumerate(state.variables)}
        arrays |= {f"shaping/{name}": value for name, value in state.shaping.items()}
        try:
            self.folder.mkdir(exist_ok=True)
            with temporary.open("wb") as file:
                np.savez(file, epochs=np.int64(state.epochs), generator=np.array(state.generator), **arrays)
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise OutputError(f"{path}: cannot write the checkpoint: {error.strerror or error}") from error
        self._saved_at = time.monotonic()

    def load(self, key: str) -> State | None:
        """The state that was noted last; None for none, and for a file that is damaged."""
        try:
            # Opened here: numpy leaves a damaged file open.
            with self._path(key).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            count = sum(name.startswith("variable") for name in arrays)
            return State(
                epochs=int(arrays["epochs"]),
                variables=[arrays[f"variable{index}"] for index in range(count)],
                shaping={name.removeprefix("shaping/"): array for name, array in arrays.items() if "/" in name},
                generator=str(arrays["generator"]),
            )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    @contextmanager
    def dropped_on_error(self) -> Iterator[None]:
        """An error that is no interrupt would come again: then all files go."""
        try:
            yield
        except Exception:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove the files of checkpoints, and the folder unless it holds anything else."""
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if _NAME.fullmatch(path.name):
                path.unlink()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key[:32]}.npz"


def digest(settings: Mapping[str, object], arrays: Sequence[npt.NDArray[Any]]) -> str:
    """SHA-256 of settings and arrays, in hexadecimal."""
    sha = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for array in arrays:
        sha.update(f"{array.dtype}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
