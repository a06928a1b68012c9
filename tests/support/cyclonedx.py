"""Whether a bill of materials is CycloneDX 1.6, by the schema that CycloneDX publishes."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

__all__ = ["schema_error"]


@cache
def _validator() -> Any:
    return JsonStrictValidator(SchemaVersion.V1_6)


def schema_error(path: Path) -> str | None:
    """What the schema says against a file; None where it is valid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # jsonschema's, of how the validator finds its schemas
        error = _validator().validate_str(path.read_text())
    return None if error is None else str(error)
