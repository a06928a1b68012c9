"""Values of report.json as text, exactly: thousands separators, no rounding."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

__all__ = ["clean", "exact", "is_missing", "label", "percent"]

# What HTML forbids in text: C0 and C1 controls, surrogates, noncharacters.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_NONCHARACTERS = re.compile(
    "[" + "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(1, 17)) + "]"
)

_LABELS = {
    "macs": "MACs",
    "op": "op",
    "ram_bytes": "RAM bytes",
    "latency_ms": "latency, ms",
    "instructions_per_mac": "instructions per MAC",
    "sha256": "SHA-256",
    "int8": "int8",
    "tflm": "TFLM",
}


def is_missing(value: Any) -> bool:
    """Whether a value says why it is not there."""
    return isinstance(value, Mapping) and set(value) == {"unavailable"}


def exact(value: Any) -> str:
    """A scalar of report.json as text; a missing one as its reason."""
    if is_missing(value):
        return str(value["unavailable"])
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(exact(item) for item in value)
    return str(value)


def percent(value: Any) -> str:
    """A share in percent with all of its digits: 0.801208 is 80.1208 %."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return exact(value)
    digits = f"{Decimal(repr(value)) * 100:f}"
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}\N{NO-BREAK SPACE}%"


def label(key: str) -> str:
    """A key of report.json as words."""
    if key in _LABELS:
        return _LABELS[key]
    return key if "." in key or "-" in key else key.replace("_", " ")


def clean(value: Any) -> Any:
    """The same object with U+FFFD for every character that HTML forbids; names come from files."""
    if isinstance(value, str):
        return _NONCHARACTERS.sub("\N{REPLACEMENT CHARACTER}", _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", value))
    if isinstance(value, Mapping):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [clean(item) for item in value]
    return value
