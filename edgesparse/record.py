"""Frozen dataclasses to JSON and back: the keys are the fields' names, and what is read is checked against the types.

A field of `optional()` is left out of the JSON while it is None: a part that a run may not have. Missing is
`{"unavailable": reason}`. Keys that no field has are refused, so nothing is lost on the way back. Arrays stand beside
the JSON, which has `{"array": name}` in their place.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar, Union

import numpy as np
import numpy.typing as npt

from edgesparse.errors import InputError
from edgesparse.missing import Missing

__all__ = ["AnyArray", "Json", "from_json", "optional", "to_json"]

Json: TypeAlias = Any
"""What json.dumps takes: None, bool, int, float, str, list, dict with text keys."""

AnyArray: TypeAlias = npt.NDArray[Any]

_T = TypeVar("_T")
_MISSING_KEY = "unavailable"
_ARRAY_KEY = "array"
_OMITTED = "omit while None"
_WHOLE_BITS = 63
"""Of the largest whole number: no count or size needs more, and quotients of such numbers are floats."""


def optional() -> Any:
    """A dataclass field, None by default, that JSON leaves out while it is None."""
    return field(default=None, metadata={_OMITTED: True})


def to_json(value: object, arrays: dict[str, AnyArray] | None = None) -> Json:
    """The value as JSON: dataclasses and mappings as objects in the order of their fields, tuples as lists.

    arrays: gets the arrays that the value holds, by the names that the JSON gives them.
    """
    if isinstance(value, Missing):
        return {_MISSING_KEY: value.reason}
    if is_dataclass(value) and not isinstance(value, type):
        return {
            part.name: to_json(getattr(value, part.name), arrays)
            for part in fields(value)
            if not (part.metadata.get(_OMITTED) and getattr(value, part.name) is None)
        }
    if isinstance(value, Mapping):
        return {str(key): to_json(item, arrays) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item, arrays) for item in value]
    if isinstance(value, np.ndarray):
        if arrays is None:
            raise TypeError("a value with arrays needs a place for them")
        name = f"array_{len(arrays)}"
        arrays[name] = value
        return {_ARRAY_KEY: name}
    return value.item() if isinstance(value, np.generic) else value


def from_json(kind: type[_T], value: Json, arrays: Mapping[str, AnyArray] | None = None) -> _T:
    """A dataclass from what to_json made of it. arrays: those that to_json gave.

    InputError names the place, such as `sparse.flash_bytes`, where the value is of another type, no finite number or
    one of more than 63 bits, where a key is missing or unknown, and where the dataclass itself refuses its values.
    """
    result: _T = _Reader(arrays or {}).read(kind, value, "")
    return result


@dataclasses.dataclass(frozen=True, eq=False)
class _Reader:
    """Reads values by their types."""

    arrays: Mapping[str, AnyArray]

    def read(self, kind: Any, value: Json, where: str) -> Any:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in (Union, types.UnionType):
            return self._union(arguments, value, where)
        if kind is Missing:
            return self._missing(value, where)
        if origin is typing.Literal:
            if not any(type(value) is type(one) and value == one for one in arguments):
                raise _wrong(where, " or ".join(map(repr, arguments)), value)
            return value
        if origin is tuple:
            return self._tuple(arguments, value, where)
        if origin is np.ndarray:
            return self._array(value, where)
        if origin is not None and issubclass(origin, Mapping):
            return self._mapping(arguments, value, where)
        if is_dataclass(kind):
            return self._dataclass(kind, value, where)
        return self._scalar(kind, value, where)

    def _scalar(self, kind: type, value: Json, where: str) -> Any:
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(self._scalar(int, value, where))
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise _wrong(where, kind.__name__, value)
        if isinstance(value, float) and not math.isfinite(value):
            raise _wrong(where, "a finite number", value)
        if isinstance(value, int) and value.bit_length() > _WHOLE_BITS:
            raise InputError(f"{where or 'the whole'}: expected a number of at most {_WHOLE_BITS} bits")
        return value

    def _missing(self, value: Json, where: str) -> Missing:
        if not isinstance(value, dict) or set(value) != {_MISSING_KEY}:
            raise _wrong(where, f"an object with {_MISSING_KEY!r}", value)
        return Missing(self.read(str, value[_MISSING_KEY], where))

    def _union(self, kinds: tuple[Any, ...], value: Json, where: str) -> Any:
        if Missing in kinds and isinstance(value, dict) and set(value) == {_MISSING_KEY}:
            return self._missing(value, where)
        if types.NoneType in kinds and value is None:
            return None
        rest = [kind for kind in kinds if kind not in (Missing, types.NoneType)]
        if int in rest and isinstance(value, int):
            return self.read(int, value, where)
        for kind in rest[:-1]:
            try:
                return self.read(kind, value, where)
            except InputError:
                continue
        return self.read(rest[-1], value, where)

    def _tuple(self, kinds: tuple[Any, ...], value: Json, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _wrong(where, "a list", value)
        if kinds[-1] is Ellipsis:
            kinds = (kinds[0],) * len(value)
        if len(value) != len(kinds):
            raise _wrong(where, f"{len(kinds)} values", value)
        pairs = enumerate(zip(kinds, value, strict=True))
        return tuple(self.read(kind, item, f"{where}[{index}]") for index, (kind, item) in pairs)

    def _mapping(self, kinds: tuple[Any, ...], value: Json, where: str) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise _wrong(where, "an object", value)
        key_kind, item_kind = kinds
        items = {key: self.read(item_kind, item, _below(where, key)) for key, item in value.items()}
        if key_kind is not int:
            return items
        try:
            return {int(key): item for key, item in items.items()}
        except ValueError:
            raise _wrong(where, "whole numbers as keys", value) from None

    def _array(self, value: Json, where: str) -> AnyArray:
        name = value.get(_ARRAY_KEY) if isinstance(value, dict) else None
        if not isinstance(name, str) or name not in self.arrays:
            raise _wrong(where, "an array", value)
        return self.arrays[name]

    def _dataclass(self, kind: Any, value: Json, where: str) -> Any:
        if not isinstance(value, dict):
            raise _wrong(where, "an object", value)
        known = {part.name: part for part in fields(kind)}
        unknown = sorted(set(value) - set(known))
        if unknown:
            raise InputError(f"{_below(where, unknown[0])}: no such part is known")
        hints = _hints(kind)
        given = {name: self.read(hints[name], item, _below(where, name)) for name, item in value.items()}
        for name, part in known.items():
            has_default = part.default is not dataclasses.MISSING or part.default_factory is not dataclasses.MISSING
            if name not in given and not has_default:
                raise InputError(f"{_below(where, name)}: is missing")
        try:
            return kind(**given)
        except InputError as error:
            raise InputError(f"{where}: {error}" if where else str(error)) from error


def _below(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


@cache
def _hints(kind: type) -> Mapping[str, object]:
    return typing.get_type_hints(kind)


def _wrong(where: str, expected: str, value: Json) -> InputError:
    text = repr(value)
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return InputError(f"{where or 'the whole'}: expected {expected}, got {shown}")
