"""What an ecosystem adds to the sources that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from edgesparse.export.library import Library

__all__ = ["File", "Format"]


@dataclass(frozen=True)
class File:
    """A file to render: `target` in the library's folder from `template` in firmware_templates/export.

    `values`: what the template sees besides `library`.
    """

    target: str
    template: str
    values: Mapping[str, Any] = field(default_factory=dict)


class Format(Protocol):
    """One ecosystem: its metadata, its README.md and its example application."""

    def files(self, library: Library, /) -> tuple[File, ...]:
        """All files but the sources in src/ and the licence."""
