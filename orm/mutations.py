"""Values that can be changed in place: what is noted of one when it is loaded or written, and whether it has changed.

The loader notes what the driver gave, which costs nothing.
"""

from __future__ import annotations

import copy
import enum
import json
from dataclasses import dataclass
from typing import Any

from orm.instances import database_of, slot
from orm.schema import Instance
from orm.specs import FieldSpec
from orm.types import dumps, result_processor

_decoder = json.JSONDecoder()
_UNSET = object()


@dataclass(frozen=True, slots=True)
class Copy:
    """A value as it was when it was written."""

    value: Any


def noted(spec: FieldSpec, value: Any) -> Any:
    """What a value is compared with later: JSON its text, an array its list, any other a copy."""
    if value is None:
        return None
    if spec.kind == "json":
        return dumps(value)
    return list(value) if spec.kind == "array" else Copy(copy.deepcopy(value))


def mutated(instance: Instance, spec: FieldSpec) -> bool:
    """Whether the value of an instance has been changed in place."""
    value = slot(instance, spec.name, _UNSET)
    if value is _UNSET:
        return False
    before = slot(instance, f"_loaded_{spec.name}", _UNSET)
    if before is _UNSET or before is None or value is None:
        return before is not value and before is not _UNSET
    if spec.kind == "json":
        return dumps(value) != dumps(_decoder.decode(before if isinstance(before, str) else before.decode()))
    if spec.kind == "array":
        return _plain(value) != _plain(before)
    return bool(value != _read(instance, spec, before))


def _read(instance: Instance, spec: FieldSpec, before: Any) -> Any:
    """The value that was noted."""
    if isinstance(before, Copy):
        return before.value
    process = result_processor(spec.type, database_of(instance).dialect)
    return before if process is None else process(before)


def _plain(items: list[Any]) -> list[Any]:
    """A list as it may have come from the driver: members of enumerations as their values."""
    return [item.value if isinstance(item, enum.Enum) else item for item in items]
