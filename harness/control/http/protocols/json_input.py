"""Parameters of an operation from a JSON object and a query string, along the shape of the operation's input.

What is read along the shape may come from another notation of the same values: CBOR has the same structures, lists and
maps, and other scalars (``rpc_cbor``). ``Notation`` has what differs.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from halfsilver.harness.control.http.protocols.faults import REST_JSON_FAULTS as FAULTS
from halfsilver.harness.control.http.protocols.faults import Faults
from halfsilver.harness.control.http.protocols.form import SIGNATURE_PARAMETERS, decode
from halfsilver.harness.control.http.protocols.limits import MAX_NESTING, MAX_NUMBER_DIGITS, MAX_PARAMETERS
from halfsilver.harness.control.http.protocols.values import checker, from_text, moment
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["JSON_SCALARS", "Notation", "Reader", "Scalar", "body", "document", "inputs", "query", "typed"]

Reader = Callable[[Any, str], Any]
"""Takes what is at a path, and the path; returns the value."""
Scalar = Callable[[Any, str, Faults], Any]
"""The same of a scalar shape, with the words for what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Notation:
    """What differs where values are read along one shape: the words of the service, the scalars of the format.

    scalars   by the type name of the shape
    """

    faults: Faults
    scalars: Mapping[str, Scalar]


def query(request: Request) -> dict[str, str]:
    """The parameters in a query string by name, without those of the signature."""
    found: dict[str, str] = {}
    pieces = [piece for piece in request.query_string.split("&") if piece]
    if len(pieces) > MAX_PARAMETERS:
        raise FAULTS.malformed("query string", f"has more than {MAX_PARAMETERS} parameters")
    for piece in pieces:
        name, _, value = piece.partition("=")
        name = decode(name)
        if name in SIGNATURE_PARAMETERS:
            continue
        if name in found:
            raise FAULTS.malformed(name, "is there twice")
        found[name] = decode(value)
    return found


def document(body: bytes) -> dict[str, Any]:
    """A body as JSON; no body is an empty object."""
    if not body:
        return {}
    try:
        found = json.loads(
            body.decode(), object_pairs_hook=_unique, parse_int=_integer, parse_float=_finite, parse_constant=_constant
        )
    except (ValueError, RecursionError):
        raise _not_json() from None
    if not isinstance(found, dict):
        raise _not_json()
    return found


def _not_json() -> ApiError:
    return ApiError("SerializationException", "The body is not a JSON object, or has a key twice or a number too long.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER_DIGITS + 1:
        raise ValueError("a number is too long")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def inputs(shape: StructureShape | None) -> tuple[Reader, Callable[[dict[str, str]], dict[str, Any]]]:
    """What reads the body, and what reads the query string."""
    everything: Mapping[str, Shape] = {} if shape is None else shape.members
    required = set() if shape is None else set(shape.required_members)
    places = {name: member.serialization.get("location") for name, member in everything.items()}
    if shape is not None and (set(places.values()) - {None, "querystring"} or "payload" in shape.serialization):
        raise ValueError(f"{shape.name}: only the body and the query string are read")
    in_query = {name: member for name, member in everything.items() if places[name]}
    queried = {
        str(member.serialization.get("name", name)): (name, from_text(member, FAULTS))
        for name, member in in_query.items()
    }

    def read_query(found: dict[str, str]) -> dict[str, Any]:
        result = {}
        for wire, text in found.items():
            if wire not in queried:
                raise FAULTS.unknown(wire)
            name, convert = queried[wire]
            result[name] = convert(text, wire)
        for name in in_query:
            if name in required and name not in result:
                raise FAULTS.missing(name)
        return result

    in_body = {name: member for name, member in everything.items() if not places[name]}
    notation = Notation(FAULTS, JSON_SCALARS)
    return _structure(notation, in_body, [name for name in in_body if name in required], 1), read_query


def body(shape: StructureShape | None, notation: Notation) -> Reader:
    """What reads the document of an operation all of whose parameters are in it."""
    if shape is None:
        return _structure(notation, {}, [], 1)
    return _structure(notation, shape.members, list(shape.required_members), 1)


def _structure(notation: Notation, members: Mapping[str, Shape], required: list[str], depth: int) -> Reader:
    faults = notation.faults
    if depth > MAX_NESTING:
        raise ValueError(f"an input is nested more than {MAX_NESTING} deep")
    readers = {
        str(member.serialization.get("name", name)): (name, _reader(notation, member, depth + 1))
        for name, member in members.items()
    }

    def read(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise faults.malformed(path, "is a structure, written as an object")
        prefix = f"{path}." if path else ""
        result = {}
        for wire, each in value.items():
            if wire not in readers:
                raise faults.unknown(f"{prefix}{wire}")
            if each is None:
                continue
            name, reader = readers[wire]
            result[name] = reader(each, f"{prefix}{wire}")
        for name in required:
            if name not in result:
                raise faults.missing(f"{prefix}{name}")
        return result

    return read


def _reader(notation: Notation, shape: Shape, depth: int) -> Reader:
    faults = notation.faults
    if isinstance(shape, StructureShape):
        return _structure(notation, shape.members, list(shape.required_members), depth)
    check = checker(shape, faults)
    if isinstance(shape, ListShape):
        convert = _list(_reader(notation, shape.member, depth + 1), faults)
    elif isinstance(shape, MapShape):
        convert = _map(_reader(notation, shape.key, depth + 1), _reader(notation, shape.value, depth + 1), faults)
    else:
        convert = _scalar(notation.scalars[shape.type_name], faults)

    def read(value: Any, path: str) -> Any:
        result = convert(value, path)
        if check is not None:
            check(result, path)
        return result

    return read


def _scalar(scalar: Scalar, faults: Faults) -> Reader:
    return lambda value, path: scalar(value, path, faults)


def _list(read_item: Reader, faults: Faults) -> Reader:
    def read(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise faults.malformed(path, "is a list, written as an array")
        return [read_item(each, f"{path}.{index}") for index, each in enumerate(value, 1)]

    return read


def _map(read_key: Reader, read_value: Reader, faults: Faults) -> Reader:
    def read(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise faults.malformed(path, "is a map, written as an object")
        return {read_key(key, path): read_value(each, f"{path}.{key}") for key, each in value.items()}

    return read


def typed(kinds: tuple[type, ...], expected: str) -> Scalar:
    """A scalar that is of one of these types, as the format has it."""

    def read(value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise faults.wrong_type(path, _shown(value), expected)
        return value

    return read


def _shown(value: Any) -> str:
    """A value for a message; of what has parts, only its kind."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    return json.dumps(value, default=str)


def _blob(value: Any, path: str, faults: Faults) -> bytes:
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (AttributeError, UnicodeEncodeError, binascii.Error):
        raise faults.wrong_type(path, _shown(value), "base64") from None


def _timestamp(value: Any, path: str, faults: Faults) -> datetime:
    try:
        return moment(value) if isinstance(value, str) else datetime.fromtimestamp(_NUMBER(value, path, faults), UTC)
    except (ValueError, OverflowError, OSError):
        raise faults.wrong_type(path, _shown(value), "a time") from None


_NUMBER = typed((int, float), "a number")

JSON_SCALARS: Mapping[str, Scalar] = {
    "string": typed((str,), "a string"),
    "boolean": typed((bool,), "true or false"),
    "integer": typed((int,), "an integer"),
    "long": typed((int,), "an integer"),
    "float": _NUMBER,
    "double": _NUMBER,
    "blob": _blob,
    "timestamp": _timestamp,
}
