"""Results of an operation as the values that JSON or CBOR write, along the shape of the operation's output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from halfsilver.harness.control.http.protocols.values import blob_text, moment

__all__ = ["JSON_CONVERSIONS", "Writer", "seconds", "writer"]

Writer = Callable[[Any], Any]


def writer(shape: Shape | None, conversions: Mapping[str, Writer]) -> Writer:
    """What makes a value of a shape ready to be written, without members that are None or not in the model.

    ``conversions`` of scalars by the type name of their shape; others stay as they are. No shape is an empty object.
    """
    if shape is None:
        return lambda value: {}
    if isinstance(shape, StructureShape):
        members = {
            name: (str(member.serialization.get("name", name)), writer(member, conversions))
            for name, member in shape.members.items()
        }
        return lambda value: {
            members[name][0]: members[name][1](each)
            for name, each in value.items()
            if each is not None and name in members
        }
    if isinstance(shape, ListShape):
        item = writer(shape.member, conversions)
        return lambda value: [item(each) for each in value]
    if isinstance(shape, MapShape):
        entry = writer(shape.value, conversions)
        return lambda value: {key: entry(each) for key, each in value.items()}
    return conversions.get(shape.type_name, _as_it_is)


def _as_it_is(value: Any) -> Any:
    return value


def seconds(value: datetime | str) -> float:
    """Seconds since 1970, to the millisecond."""
    at = moment(value) if isinstance(value, str) else value
    return round(at.timestamp(), 3)


JSON_CONVERSIONS: Mapping[str, Writer] = {"timestamp": seconds, "blob": blob_text}
