"""Answers of the protocols ``ec2`` and ``query``: results and errors as XML."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from halfsilver.harness.control.http.protocols.values import blob_text, moment
from halfsilver.harness.control.operations.parameters import ILLEGAL

__all__ = ["DECLARATION", "Writer", "escape", "members"]

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

Writer = Callable[[list[str], Any], None]
"""Appends the elements of a value to a list of texts."""

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"})
"""A carriage return would come out of an XML parser as a line feed (XML 1.0, section 2.11)."""

_SPECIAL = re.compile(f'{ILLEGAL.pattern[:-1]}&<>"\r]')
"""What is left out or escaped; most texts have nothing of it."""


def escape(text: str) -> str:
    """Text for the content of an element; characters that XML 1.0 cannot carry are left out."""
    return ILLEGAL.sub("", text).translate(_ESCAPES) if _SPECIAL.search(text) else text


def members(shape: StructureShape | None) -> Writer:
    """What writes the members of a structure, without an element around them.

    A member without a value is left out, as is one that the model does not know: a document may come from a newer
    model than this one.
    """
    if shape is None:
        return _nothing
    writers = {name: _element(_member_name(name, member), member) for name, member in shape.members.items()}

    def write(out: list[str], value: Any) -> None:
        for name, each in value.items():
            writer = writers.get(name)
            if writer is not None and each is not None:
                writer(out, each)

    return write


def _nothing(out: list[str], value: Any) -> None:
    """An operation without a result."""


def _member_name(name: str, shape: Shape) -> str:
    if isinstance(shape, ListShape) and shape.serialization.get("flattened") and "name" in shape.member.serialization:
        return str(shape.member.serialization["name"])
    return str(shape.serialization.get("name", name))


def _element(tag: str, shape: Shape) -> Writer:
    """What writes a value of a shape as an element of this name."""
    flattened = bool(shape.serialization.get("flattened"))
    if isinstance(shape, StructureShape):
        return _wrapped(tag, members(shape))
    if isinstance(shape, ListShape):
        name = tag if flattened else str(shape.member.serialization.get("name", "member"))
        items = _each(_element(name, shape.member))
        return items if flattened else _wrapped(tag, items)
    if isinstance(shape, MapShape):
        entries = _pairs(tag if flattened else "entry", shape)
        return entries if flattened else _wrapped(tag, entries)
    convert = _TEXTS.get(shape.type_name, str)
    opening, closing = f"<{tag}>", f"</{tag}>"

    def write(out: list[str], value: Any) -> None:
        out.append(f"{opening}{convert(value)}{closing}")

    return write


def _wrapped(tag: str, inner: Writer) -> Writer:
    opening, closing = f"<{tag}>", f"</{tag}>"

    def write(out: list[str], value: Any) -> None:
        out.append(opening)
        inner(out, value)
        out.append(closing)

    return write


def _each(item: Writer) -> Writer:
    def write(out: list[str], value: Any) -> None:
        for each in value:
            item(out, each)

    return write


def _pairs(tag: str, shape: MapShape) -> Writer:
    write_key = _element(str(shape.key.serialization.get("name", "key")), shape.key)
    write_value = _element(str(shape.value.serialization.get("name", "value")), shape.value)

    def write(out: list[str], value: Any) -> None:
        for key, each in value.items():
            out.append(f"<{tag}>")
            write_key(out, key)
            write_value(out, each)
            out.append(f"</{tag}>")

    return write


def _timestamp(value: datetime | str) -> str:
    at = moment(value) if isinstance(value, str) else value
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _boolean(value: bool) -> str:
    return "true" if value else "false"


_TEXTS: dict[str, Callable[[Any], str]] = {
    "string": escape,
    "character": escape,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "blob": blob_text,
}
"""Text of a scalar, where it is not what ``str`` says. A timestamp may be text already: documents are kept as JSON."""
