"""Frozen dataclasses to JSON and back: the keys are the fields' names, and what is read is checked against the types.

A field of `optional()` is left out of the JSON while it is None: a part that a run may not have. Missing is
`{"unavailable": reason}`. Keys that no field has are refused, so nothing is lost on the way back.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar, Union

from edgesparse.errors import InputError
from edgesparse.missing import Missing

__all__ = ["Json", "from_json", "optional", "to_json"]

Json: TypeAlias = Any
"""What json.dumps takes: None, bool, int, float, str, list, dict with text keys."""

_T = TypeVar("_T")
_MISSING_KEY = "unavailable"
_OMITTED = "omit while None"


def optional() -> Any:
    """A dataclass field, None by default, that JSON leaves out while it is None."""
    return field(default=None, metadata={_OMITTED: True})


def to_json(value: object) -> Json:
    """The value as JSON: dataclasses and mappings as objects in the order of their fields, tuples as lists."""
    if isinstance(value, Missing):
        return {_MISSING_KEY: value.reason}
    if is_dataclass(value) and not isinstance(value, type):
        return {
            part.name: to_json(getattr(value, part.name))
            for part in fields(value)
            if not (part.metadata.get(_OMITTED) and getattr(value, part.name) is None)
        }
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[_T], value: Json, where: str = "") -> _T:
    """A dataclass from what to_json made of it; InputError names the place where the value is another one.

    where: how messages call the value, such as `report.json`.
    """
    result: _T = _read(kind, value, where)
    return result


def _read(kind: Any, value: Json, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return _read_union(arguments, value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise _wrong(where, " or ".join(map(repr, arguments)), value)
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(where, "a list", value)
        if arguments[-1] is not Ellipsis:
            if len(value) != len(arguments):
                raise _wrong(where, f"{len(arguments)} values", value)
            return tuple(
                _read(one, item, f"{where}[{i}]") for i, (one, item) in enumerate(zip(arguments, value, strict=True))
            )
        return tuple(_read(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise _wrong(where, "an object", value)
        return {
            _read(arguments[0], key, where): _read(arguments[1], item, f"{where}.{key}") for key, item in value.items()
        }
    if is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is type(None):
        kind = types.NoneType
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _wrong(where, getattr(kind, "__name__", str(kind)), value)
    return value


def _read_union(kinds: tuple[Any, ...], value: Json, where: str) -> Any:
    if Missing in kinds and isinstance(value, dict) and set(value) == {_MISSING_KEY}:
        return Missing(_read(str, value[_MISSING_KEY], where))
    if types.NoneType in kinds and value is None:
        return None
    rest = [kind for kind in kinds if kind not in (Missing, types.NoneType)]
    if int in rest and isinstance(value, int) and not isinstance(value, bool):
        return value
    for kind in rest[:-1]:
        try:
            return _read(kind, value, where)
        except InputError:
            continue
    return _read(rest[-1], value, where)


def _read_dataclass(kind: Any, value: Json, where: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(where, "an object", value)
    known = {part.name: part for part in fields(kind)}
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise InputError(f"{where}: {unknown[0]!r} is not known here")
    hints = _hints(kind)
    given = {name: _read(hints[name], item, f"{where}.{name}") for name, item in value.items()}
    for name, part in known.items():
        has_default = part.default is not dataclasses.MISSING or part.default_factory is not dataclasses.MISSING
        if name not in given and not has_default:
            raise InputError(f"{where}: {name!r} is missing")
    return kind(**given)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _wrong(where: str, expected: str, value: Json) -> InputError:
    text = repr(value)
    return InputError(f"{where}: expected {expected}, got {text if len(text) <= 60 else text[:57] + '...'}")
