"""Requests of the protocols ``ec2`` and ``query``: form parameters, with dots for structures and numbers for lists.

``fields`` takes query string and body apart, ``tree`` hangs the dotted names into one another, and ``reader`` walks
that tree along the shape of an operation's input. EC2 and the other services differ in how a member is called and in
how a list is written; both differences are in ``Names``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from botocore.model import ListShape, MapShape, Shape, StructureShape

from halfsilver.harness.control.http.protocols.faults import Faults
from halfsilver.harness.control.http.protocols.limits import MAX_INDEX_DIGITS, MAX_NESTING, MAX_PARAMETERS
from halfsilver.harness.control.http.protocols.values import checker, from_text
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = [
    "EC2_NAMES",
    "Names",
    "QUERY_NAMES",
    "SIGNATURE_PARAMETERS",
    "Reader",
    "Tree",
    "decode",
    "fields",
    "reader",
    "tree",
]

Tree = dict[str, "str | Tree"]
Reader = Callable[["str | Tree", str], Any]
"""Takes what is at a path, and the path; returns the value, or ``ABSENT``."""

ABSENT = object()
"""``Name=`` for an EC2 list: the client had an empty list, which this protocol writes as no parameter at all."""

SIGNATURE_PARAMETERS = frozenset(
    {
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
    }
)
"""The query parameters of a presigned request; they are no parameters of the operation."""

_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_INDEX = re.compile(rf"[1-9][0-9]{{0,{MAX_INDEX_DIGITS - 1}}}\Z")


def decode(text: str) -> str:
    """One percent-decoded name or value of a form; ApiError when it is not UTF-8."""
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    if _BAD_ESCAPE.search(text):
        raise _syntax("has a percent sign without two hexadecimal digits")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise _syntax("is not UTF-8 text") from None


def fields(request: Request) -> dict[str, str]:
    """All parameters of a request by name: those of the query string and those of the body."""
    try:
        body = request.body.decode()
        query = request.query_string.encode("latin-1").decode()
    except UnicodeError:
        raise _syntax("is not UTF-8 text") from None
    found: dict[str, str] = {}
    for source, signed in ((query, True), (body, False)):
        if not source:
            continue
        if source.count("&") >= MAX_PARAMETERS:
            raise _syntax(f"has more than {MAX_PARAMETERS} parameters")
        for piece in source.split("&"):
            name, _, value = piece.partition("=")
            name = decode(name)
            if not name or (signed and name in SIGNATURE_PARAMETERS):
                continue
            if name in found:
                raise _syntax("has one parameter twice")
            found[name] = decode(value)
    if len(found) > MAX_PARAMETERS:
        raise _syntax(f"has more than {MAX_PARAMETERS} parameters")
    return found


def tree(found: dict[str, str], faults: Faults) -> Tree:
    """``{"Tag.1.Key": "a"}`` as ``{"Tag": {"1": {"Key": "a"}}}``."""
    root: Tree = {}
    for name, value in found.items():
        if "." not in name:
            if name in root:
                raise faults.malformed(name, "has a value and members at once")
            root[name] = value
            continue
        *parents, last = name.split(".")
        if len(parents) > 2 * MAX_NESTING:
            raise faults.malformed(name, f"is nested more than {MAX_NESTING} deep")
        node = root
        for parent in parents:
            below = node.setdefault(parent, {})
            if isinstance(below, str):
                raise faults.malformed(name, "has a value and members at once")
            node = below
        if last in node:
            raise faults.malformed(name, "has a value and members at once")
        node[last] = value
    return root


@dataclass(frozen=True, slots=True)
class Names:
    """How a protocol writes names and lists.

    flat        every list is ``Name.N``; else only those that the model marks, others are ``Name.member.N``
    capitals    the first letter of a model's location name is a capital, and ``queryName`` goes before it
    """

    flat: bool
    capitals: bool

    def member(self, name: str, shape: Shape) -> str:
        """What a structure's member is called on the wire."""
        serialization = shape.serialization
        if self.capitals:
            if "queryName" in serialization:
                return str(serialization["queryName"])
            located = serialization.get("name")
            return name if located is None else located[0].upper() + located[1:]
        if isinstance(shape, ListShape) and serialization.get("flattened") and "name" in shape.member.serialization:
            return str(shape.member.serialization["name"])
        return str(serialization.get("name", name))

    def item(self, shape: ListShape) -> str | None:
        """The word between a list's name and the number; None when there is none."""
        if self.flat or shape.serialization.get("flattened"):
            return None
        return str(shape.member.serialization.get("name", "member"))


EC2_NAMES = Names(flat=True, capitals=True)
QUERY_NAMES = Names(flat=False, capitals=False)


def reader(shape: Shape, names: Names, faults: Faults) -> Reader:
    """What reads values of a shape out of a tree; it raises ApiError."""
    if isinstance(shape, StructureShape):
        return _structure(shape, names, faults)
    if isinstance(shape, ListShape):
        return _list(shape, names, faults)
    if isinstance(shape, MapShape):
        return _map(shape, names, faults)
    convert = from_text(shape, faults)

    def read(node: str | Tree, path: str) -> Any:
        if not isinstance(node, str):
            raise faults.malformed(path, "is a single value and has no members")
        return convert(node, path)

    return read


def _structure(shape: StructureShape, names: Names, faults: Faults) -> Reader:
    members = {
        names.member(name, member): (name, reader(member, names, faults)) for name, member in shape.members.items()
    }
    required = tuple((name, names.member(name, shape.members[name])) for name in shape.required_members)

    def read(node: str | Tree, path: str) -> dict[str, Any]:
        if isinstance(node, str):
            raise faults.malformed(path, "has members and no value of its own")
        prefix = f"{path}." if path else ""
        result = {}
        for wire, below in node.items():
            member = members.get(wire)
            if member is None:
                raise faults.unknown(f"{prefix}{wire}")
            name, read_member = member
            value = read_member(below, f"{prefix}{wire}")
            if value is not ABSENT:
                result[name] = value
        for name, wire in required:
            if name not in result:
                raise faults.missing(f"{prefix}{wire}")
        return result

    return read


def _list(shape: ListShape, names: Names, faults: Faults) -> Reader:
    item = names.item(shape)
    read_item = reader(shape.member, names, faults)
    check = checker(shape, faults)

    def read(node: str | Tree, path: str) -> Any:
        if node == "":
            return ABSENT if names.flat else []
        if item is not None and isinstance(node, dict):
            node, path = _only(node, item, path, faults), f"{path}.{item}"
        value = [read_item(below, f"{path}.{index}") for index, below in _numbered(node, path, faults)]
        if check is not None:
            check(value, path)
        return value

    return read


def _map(shape: MapShape, names: Names, faults: Faults) -> Reader:
    entry = None if shape.serialization.get("flattened") else "entry"
    key_name = str(shape.key.serialization.get("name", "key"))
    value_name = str(shape.value.serialization.get("name", "value"))
    read_key, read_value = reader(shape.key, names, faults), reader(shape.value, names, faults)
    check = checker(shape, faults)

    def read(node: str | Tree, path: str) -> dict[str, Any]:
        if entry is not None and isinstance(node, dict):
            node, path = _only(node, entry, path, faults), f"{path}.{entry}"
        value = {}
        for index, below in _numbered(node, path, faults):
            place = f"{path}.{index}"
            if not isinstance(below, dict) or below.keys() != {key_name, value_name}:
                raise faults.malformed(place, f"must have {key_name} and {value_name}, and nothing else")
            key = read_key(below[key_name], f"{place}.{key_name}")
            if key in value:
                raise faults.malformed(place, "has a key that is there already")
            value[key] = read_value(below[value_name], f"{place}.{value_name}")
        if check is not None:
            check(value, path)
        return value

    return read


def _only(node: Tree, name: str, path: str, faults: Faults) -> str | Tree:
    """What is under the one name that may be here."""
    for other in node:
        if other != name:
            raise faults.unknown(f"{path}.{other}")
    return node[name]


def _numbered(node: str | Tree, path: str, faults: Faults) -> list[tuple[str, str | Tree]]:
    """The items of a list in the order of their numbers, which may have gaps."""
    if isinstance(node, str):
        raise faults.malformed(path, f"is a list: its first value is called {path}.1")
    for index in node:
        if not _INDEX.match(index):
            raise faults.unknown(f"{path}.{index}")
    return sorted(node.items(), key=lambda pair: int(pair[0]))


def _syntax(problem: str) -> ApiError:
    return ApiError("MalformedQueryString", f"The query string {problem}.")
