"""The command that gives the same report."""

from __future__ import annotations

import shlex
from dataclasses import fields

from edgesparse.report.report import Report

__all__ = ["command_line"]


def command_line(report: Report) -> str:
    """`edgesparse convert ...` or `firmware ...` with the settings that are not the defaults.

    For a model object, the call from Python.
    """
    settings, source = report.settings, report.source
    changed = {
        field.name: getattr(settings, field.name)
        for field in fields(settings)
        if getattr(settings, field.name) != field.default
    }
    if source.format == "object":
        arguments = "".join(f", {name}={value!r}" for name, value in changed.items())
        return f'edgesparse.convert(model, out="DIR"{arguments})'
    words = ["edgesparse", "firmware" if source.format == "tflite" else "convert", source.path]
    for name, value in changed.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", str(value)]
    if source.unsafe:
        words.append("--unsafe")
    return shlex.join(words)
