"""Output folders: they appear whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgesparse.errors import OutputError
from edgesparse.record import Json

__all__ = [
    "EXPORT_NAME",
    "HTML_NAME",
    "REPORT_NAME",
    "check_replaceable",
    "output_folder",
    "write_json",
    "write_text",
]

REPORT_NAME = "report.json"
HTML_NAME = "report.html"
EXPORT_NAME = "edgesparse.json"
"""What an exported library has in the place of a report: its origin and figures."""


def check_replaceable(out: Path, *, force: bool) -> None:
    """OutputError unless `out` is free, was written by edgesparse, or `force` is set."""
    if out.is_symlink() or out.is_file():
        raise OutputError(f"{out}: is a file or a link; choose another folder with --out")
    if out.is_dir() and not force and any(out.iterdir()) and not _is_ours(out):
        raise OutputError(f"{out}: exists and was not written by edgesparse; choose another --out, or give --force")
    parent = out.absolute().parent
    if not parent.is_dir():
        raise OutputError(f"{parent}: no such folder; create it, or choose another --out")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"{parent}: cannot write there; choose another --out")


@contextmanager
def output_folder(out: Path, *, force: bool) -> Iterator[Path]:
    """A folder to fill; it takes the place of `out` when the block ends without an error, else it is removed."""
    check_replaceable(out, force=force)
    parent = out.absolute().parent
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=parent))
    try:
        staging.chmod(0o755)
        yield staging
        old = None
        if out.is_dir():
            old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=parent))
            out.rename(old / "folder")
        try:
            staging.rename(out)
        except OSError:
            if old is not None:
                (old / "folder").rename(out)
                old.rmdir()
            raise
        if old is not None:
            shutil.rmtree(old)
    except OSError as error:
        raise OutputError(f"{out}: cannot write the output: {_why(error)}") from error
    finally:
        if staging.is_dir():
            shutil.rmtree(staging)


def write_json(path: Path, value: Json) -> None:
    """Write JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot write: {error.strerror or error}") from error


def _is_ours(folder: Path) -> bool:
    return any(_marks(folder / name) for name in (REPORT_NAME, EXPORT_NAME))


def _marks(path: Path) -> bool:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(report, dict) and "edgesparse" in report and "schema" in report


def _why(error: OSError) -> str:
    """In few words; shutil.Error lists every file of a folder that it could not copy, here the first one stands."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list) and error.args[0]:
        _, target, why = error.args[0][0]
        return f"{Path(target).name}: {str(why).partition(': ')[0]}"
    return error.strerror or str(error)
