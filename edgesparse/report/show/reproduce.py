"""The command that gives the same report."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from edgesparse.settings import Settings

__all__ = ["command_line"]


def command_line(report: Mapping[str, Any]) -> str:
    """`edgesparse convert ...` or `firmware ...` with the settings that are not the defaults.

    For a model object, the call from Python.
    """
    defaults = {field.name: field.default for field in fields(Settings)}
    changed = {name: value for name, value in report["settings"].items() if value != defaults.get(name)}
    source = report["source"]
    if source["format"] == "object":
        arguments = "".join(f", {name}={value!r}" for name, value in changed.items())
        return f'edgesparse.convert(model, out="DIR"{arguments})'
    words = ["edgesparse", "firmware" if source["format"] == "tflite" else "convert", str(source["path"])]
    for name, value in changed.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", str(value)]
    return shlex.join(words)
