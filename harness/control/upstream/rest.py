"""Which operation a method and a path are, by botocore's model of the service: S3, Lambda, Route 53.

Paths alone do not say it. ``GET /bucket/key`` is GetObject, and with ``uploadId`` in its query string ListParts; PUT
with ``x-amz-copy-source`` is CopyObject. What a model says must be there, in the path, by a fixed query string or as a
required parameter, tells them apart; what could still be two is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, StructureShape

from halfsilver.harness.control.http.protocols.faults import quoted
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.inventory.objects import model
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["is_rest", "operation_at"]

_PLACE = re.compile(r"\{([\w-]+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an operation is: ``literal`` is the length of the path's fixed text, ``query`` the fixed query string."""

    name: str
    method: str
    path: re.Pattern[str]
    literal: int
    query: frozenset[tuple[str, str]]
    required: frozenset[str]
    """Parameters and headers (``header:NAME``) that it must have besides."""
    aside: int
    """Not 0: deprecated, or for S3's directory buckets alone. Another operation at the same place goes first."""


def is_rest(service: str) -> bool:
    """Operations of the service are told by method and path, and in no other way."""
    try:
        return str(model(service).metadata["protocol"]).startswith("rest")
    except UnknownServiceError:
        return False


def operation_at(service: str, request: Request) -> str:
    """Its name. ApiError for a request that is none, or could be two: a server may decode the path before it looks."""
    names = {_find(service, request, path) for path in (request.path, unquote(request.path))} - {None}
    if not names:
        raise ApiError(
            "InvalidAction", f"No operation of {quoted(service)} is {request.method} {quoted(request.path)}."
        )
    if len(names) > 1:
        raise _could_be_two(request)
    return str(names.pop())


def _find(service: str, request: Request, path: str) -> str | None:
    given = dict(parse_qsl(request.query_string, keep_blank_values=True))
    places = [
        place
        for place in _places(service)
        if place.method == request.method
        and all(given.get(name) == value or (not value and name in given) for name, value in place.query)
        and place.path.fullmatch(path)
    ]
    places = [place for place in places if place.literal == max(each.literal for each in places)]
    places = _fullest(places, lambda place: place.query, request)
    if len(places) > 1:
        there = given.keys() | {f"header:{name}" for name, _ in request.headers}
        if any(given.get(name) == "" for place in places for name in place.required):
            raise _could_be_two(request)
        places = _fullest([place for place in places if place.required <= there], lambda place: place.required, request)
    return min(places, key=lambda place: (place.aside, place.name)).name if places else None


def _fullest(places: list[_Place], asks: Callable[[_Place], frozenset[Any]], request: Request) -> list[_Place]:
    """Those that ask for all that any of them asks for. ApiError if two ask for things apart."""
    wanted = frozenset().union(*map(asks, places))
    found = [place for place in places if asks(place) == wanted]
    if places and not found:
        raise _could_be_two(request)
    return found


def _could_be_two(request: Request) -> ApiError:
    what = f"{request.method} {request.path}" + (f"?{request.query_string}" if request.query_string else "")
    return ApiError("InvalidAction", f"{quoted(what)} could be two operations.")


@cache
def _places(service: str) -> tuple[_Place, ...]:
    try:
        described = model(service)
    except UnknownServiceError:
        return ()
    return tuple(_place(described.operation_model(name)) for name in described.operation_names)


def _place(operation: OperationModel) -> _Place:
    path, _, query = operation.http["requestUri"].partition("?")
    pieces = _PLACE.split(path)
    pattern = "".join(
        re.escape(piece) if index % 3 == 0 else (".+" if pieces[index + 1] else "[^/]+") if index % 3 == 1 else ""
        for index, piece in enumerate(pieces)
    )
    for_directories = any(each.name == "UseS3ExpressControlEndpoint" for each in operation.static_context_parameters)
    return _Place(
        operation.name,
        operation.http["method"],
        re.compile(f"{pattern}/?", re.DOTALL),
        sum(len(piece) for piece in pieces[::3]),
        frozenset(each for each in parse_qsl(query, keep_blank_values=True) if "{" not in each[1]),
        frozenset(_required(operation.input_shape)),
        2 * operation.deprecated + for_directories,
    )


def _required(structure: StructureShape | None) -> Iterator[str]:
    if structure is None:
        return
    for name in structure.required_members:
        where = structure.members[name].serialization
        called = where.get("name", name)
        if where.get("location") == "querystring":
            yield called
        elif where.get("location") == "header":
            yield f"header:{called.lower()}"
