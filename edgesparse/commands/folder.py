"""What the commands share: where outputs go, how reports are written, what a folder's settings are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse import emulate as emulators
from edgesparse.boards import Board, load_board
from edgesparse.budgets import evaluate_budgets
from edgesparse.errors import InputError, SettingsError, UnsupportedError
from edgesparse.graph import Graph, Tensor
from edgesparse.measure.twins import plan_firmware
from edgesparse.output import (
    HTML_NAME,
    REPORT_NAME,
    write_json,
    write_text,
)
from edgesparse.report.show.html import render_html
from edgesparse.settings import Settings

__all__ = [
    "check_kernels",
    "output_target",
    "pick_samples",
    "random_inputs",
    "refuse_for_tflite",
    "settings_for_board",
    "sha256_of",
    "silent",
    "stored_settings",
    "write_report",
]

_SPARSE_SETTINGS = (
    "sparsity",
    "pattern",
    "channels",
    "method",
    "epochs",
    "labels",
    "distill",
    "schedule",
    "activity_l1",
    "cluster",
    "data",
    "quantize",
    "dense_per_channel",
    "correct",
)


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Judge the budgets; write report.json and report.html."""
    report["budgets"] = evaluate_budgets(report["settings"].get("budget"), report)
    write_json(folder / REPORT_NAME, report)
    write_text(folder / HTML_NAME, render_html(report))


def stored_settings(report: Mapping[str, Any], **changes: str | None) -> Settings:
    """The settings that a report holds, with some replaced."""
    try:
        return Settings(**report["settings"]).updated({k: v for k, v in changes.items() if v is not None})
    except (KeyError, TypeError) as error:
        raise InputError(f"{REPORT_NAME}: its settings are damaged ({error}); run edgesparse convert again") from error


def settings_for_board(given: Mapping[str, Any]) -> tuple[Settings, Board]:
    """All settings with the board's own emulator where none is given, and the board."""
    board = load_board(Settings().updated({"board": given["board"]} if "board" in given else {}).board)
    return Settings().updated({"emulator": emulators.default_emulator(board)} | dict(given)), board


def output_target(path: Path | None, out: str | Path | None) -> Path:
    """The output folder: `out`, or `./<stem>.edgesparse`."""
    if out is not None:
        return Path(out)
    if path is None:
        raise SettingsError("out: needed for a model object, which has no file name")
    return Path(f"{path.absolute().stem}.edgesparse")


def pick_samples(samples: npt.NDArray[Any], count: int, seed: int) -> npt.NDArray[Any]:
    """`count` samples in their order, chosen by seed; all where there are fewer."""
    if len(samples) <= count:
        return samples
    chosen = np.random.default_rng(seed).choice(len(samples), size=count, replace=False)
    return samples[np.sort(chosen)]


def random_inputs(tensor: Tensor, count: int, seed: int) -> npt.NDArray[Any]:
    """Inputs [count, ...] of the tensor's dtype: any bytes, or normally distributed floats."""
    generator = np.random.default_rng(seed)
    shape = (count, *tensor.shape[1:])
    if tensor.dtype == np.int8:
        return generator.integers(-128, 128, shape, dtype=np.int8)
    return generator.standard_normal(shape).astype(np.float32)


def sha256_of(path: Path) -> str:
    """Of a file, or of all files of a folder with their names."""
    digest = hashlib.sha256()
    if path.is_file():
        digest.update(path.read_bytes())
    else:
        for part in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{part.relative_to(path)}\0{part.stat().st_size}\0".encode())
            digest.update(part.read_bytes())
    return digest.hexdigest()


def silent(_: str) -> None:
    """Progress that nobody sees."""


def check_kernels(graph: Graph, board: Board, settings: Settings, path: Path | None) -> None:
    """UnsupportedError, with the model's path, where an op has no kernel."""
    try:
        plan_firmware(graph, board, settings, dense_only=False)
    except UnsupportedError as error:
        where = f"{path}: " if path is not None else ""
        raise UnsupportedError(f"{where}{error}", error.names) from error


def refuse_for_tflite(settings: Mapping[str, Any]) -> None:
    """SettingsError where a setting is about how a Keras model is made sparse."""
    given = [name for name in _SPARSE_SETTINGS if settings.get(name) is not None]
    if settings.get("mobile_dtype", "int8") == "float32":
        given.append("mobile_dtype")
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise SettingsError(f"{options}: needs a Keras model; a .tflite keeps its weights as they are")
