"""The networks of trials that may be chosen, on disk: firmware is written of them without training once more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgesparse.errors import InputError
from edgesparse.files import read_file
from edgesparse.limits import MAX_MODEL_BYTES, MAX_REPORT_BYTES
from edgesparse.output import write_bytes, write_json
from edgesparse.record import from_json, to_json
from edgesparse.result import Channels, Quantization
from edgesparse.search.trial import Made
from edgesparse.settings import Settings

__all__ = ["Kept", "keep", "kept"]


@dataclass(frozen=True, eq=False)
class Kept:
    """A network and the settings that it was made with."""

    settings: Settings
    made: Made


@dataclass(frozen=True)
class _Facts:
    settings: Settings
    names: Mapping[int, str]
    quantization: Quantization
    channels: Channels | None
    warnings: tuple[str, ...]


def keep(folder: Path, number: int, found: Kept) -> None:
    """Write what a trial made; the facts last, so that a trial is there whole or not at all."""
    made = found.made
    write_bytes(folder / f"{number}.tflite", made.data)
    facts = _Facts(found.settings, made.names, made.quantization, made.channels, made.warnings)
    write_json(folder / f"{number}.json", to_json(facts))


def kept(folder: Path, number: int) -> Kept | None:
    """What a trial made; None where it was not kept."""
    try:
        facts = from_json(_Facts, json.loads(read_file(folder / f"{number}.json", MAX_REPORT_BYTES)))
        data = read_file(folder / f"{number}.tflite", MAX_MODEL_BYTES)
    except (OSError, ValueError, InputError):
        return None
    return Kept(facts.settings, Made(data, facts.names, facts.quantization, facts.channels, facts.warnings))
