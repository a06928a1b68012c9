"""Values of a report as text, exactly: thousands separators, no rounding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from edgesparse.missing import Missing

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["clean", "exact", "is_missing", "label", "parts", "percent"]

_T = TypeVar("_T")

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


def is_missing(value: object) -> bool:
    """Whether a value says why it is not there."""
    return isinstance(value, Missing)


def parts(value: DataclassInstance) -> dict[str, Any]:
    """The fields of a part by name, without optional ones that it does not have."""
    named = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: part for name, part in named.items() if part is not None}


def exact(value: object) -> str:
    """A scalar of a report as text; a missing one as its reason."""
    if isinstance(value, Missing):
        return value.reason
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}"
    if isinstance(value, tuple):
        return ", ".join(exact(item) for item in value)
    return str(value)


def percent(value: object) -> str:
    """A share in percent with all of its digits: 0.801208 is 80.1208 %."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return exact(value)
    digits = f"{Decimal(repr(value)) * 100:f}"
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}\N{NO-BREAK SPACE}%"


def label(key: str) -> str:
    """A name of a report as words."""
    if key in _LABELS:
        return _LABELS[key]
    return key if "." in key or "-" in key else key.replace("_", " ")


def clean(value: _T) -> _T:
    """The same value with U+FFFD for every character that HTML forbids; names come from files."""
    cleaned: Any = value
    if isinstance(value, str):
        cleaned = _NONCHARACTERS.sub("\N{REPLACEMENT CHARACTER}", _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", value))
    elif isinstance(value, Mapping):
        cleaned = {clean(key): clean(item) for key, item in value.items()}
    elif isinstance(value, tuple):
        cleaned = tuple(clean(item) for item in value)
    elif is_dataclass(value) and not isinstance(value, type):
        cleaned = replace(value, **{field.name: clean(getattr(value, field.name)) for field in fields(value)})
    result: _T = cleaned
    return result
