"""Parameters of an operation from a JSON object and a query string, along the shape of the operation's input."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from halfsilver.harness.control.http.protocols.faults import REST_JSON_FAULTS as FAULTS
from halfsilver.harness.control.http.protocols.form import SIGNATURE_PARAMETERS, decode
from halfsilver.harness.control.http.protocols.limits import MAX_NESTING, MAX_NUMBER_DIGITS, MAX_PARAMETERS
from halfsilver.harness.control.http.protocols.values import checker, from_text, moment
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["document", "inputs", "query"]

_Reader = Callable[[Any, str], Any]


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


def inputs(shape: StructureShape | None) -> tuple[_Reader, Callable[[dict[str, str]], dict[str, Any]]]:
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
    return _structure(in_body, [name for name in in_body if name in required], 1), read_query


def _structure(members: Mapping[str, Shape], required: list[str], depth: int) -> _Reader:
    if depth > MAX_NESTING:
        raise ValueError(f"an input is nested more than {MAX_NESTING} deep")
    readers = {
        str(member.serialization.get("name", name)): (name, _reader(member, depth + 1))
        for name, member in members.items()
    }

    def read(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise FAULTS.malformed(path, "is a structure, written as a JSON object")
        prefix = f"{path}." if path else ""
        result = {}
        for wire, each in value.items():
            if wire not in readers:
                raise FAULTS.unknown(f"{prefix}{wire}")
            if each is None:
                continue
            name, reader = readers[wire]
            result[name] = reader(each, f"{prefix}{wire}")
        for name in required:
            if name not in result:
                raise FAULTS.missing(f"{prefix}{name}")
        return result

    return read


def _reader(shape: Shape, depth: int) -> _Reader:
    if isinstance(shape, StructureShape):
        return _structure(shape.members, list(shape.required_members), depth)
    check = checker(shape, FAULTS)
    if isinstance(shape, ListShape):
        convert = _list(_reader(shape.member, depth + 1))
    elif isinstance(shape, MapShape):
        convert = _map(_reader(shape.key, depth + 1), _reader(shape.value, depth + 1))
    else:
        convert = _SCALARS[shape.type_name]

    def read(value: Any, path: str) -> Any:
        result = convert(value, path)
        if check is not None:
            check(result, path)
        return result

    return read


def _list(read_item: _Reader) -> _Reader:
    def read(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise FAULTS.malformed(path, "is a list, written as a JSON array")
        return [read_item(each, f"{path}.{index}") for index, each in enumerate(value, 1)]

    return read


def _map(read_key: _Reader, read_value: _Reader) -> _Reader:
    def read(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise FAULTS.malformed(path, "is a map, written as a JSON object")
        return {read_key(key, path): read_value(each, f"{path}.{key}") for key, each in value.items()}

    return read


def _typed(kinds: tuple[type, ...], expected: str) -> _Reader:
    def read(value: Any, path: str) -> Any:
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise FAULTS.wrong_type(path, _shown(value), expected)
        return value

    return read


def _shown(value: Any) -> str:
    """A value for a message; of what has parts, only its kind."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    return json.dumps(value)


def _blob(value: Any, path: str) -> bytes:
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (AttributeError, UnicodeEncodeError, binascii.Error):
        raise FAULTS.wrong_type(path, _shown(value), "base64") from None


def _timestamp(value: Any, path: str) -> datetime:
    try:
        return moment(value) if isinstance(value, str) else datetime.fromtimestamp(_NUMBER(value, path), UTC)
    except (ValueError, OverflowError, OSError):
        raise FAULTS.wrong_type(path, _shown(value), "a time") from None


_NUMBER = _typed((int, float), "a number")

_SCALARS: dict[str, _Reader] = {
    "string": _typed((str,), "a string"),
    "boolean": _typed((bool,), "true or false"),
    "integer": _typed((int,), "an integer"),
    "long": _typed((int,), "an integer"),
    "float": _NUMBER,
    "double": _NUMBER,
    "blob": _blob,
    "timestamp": _timestamp,
}
