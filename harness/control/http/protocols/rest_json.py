"""The protocol ``rest-json`` (RAM): an operation is a method and a path, its parameters and its result are JSON.

Members with the location ``querystring`` come in the query string. The other locations that the protocol knows
(parts of the path, headers, a raw payload) are used by no service served here; an operation that needs them is
refused when the model is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from halfsilver.harness.control.http.protocols.json_input import document, inputs, query
from halfsilver.harness.control.http.protocols.service import Operation, Response, Service
from halfsilver.harness.control.http.protocols.values import blob_text, moment
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["RestJson"]

_Writer = Callable[[Any], Any]


class RestJson(Service):
    """A service in this protocol; ``operations`` by method and path."""

    def __init__(self, name: str, models: list[OperationModel]) -> None:
        super().__init__(name, "rest-json")
        self._operations = {(model.http["method"], model.http["requestUri"]): _operation(model) for model in models}

    def identify(self, request: Request) -> tuple[Operation, Request]:
        operation = self._operations.get((request.method, request.path))
        if operation is None:
            raise ApiError("UnknownOperationException", "There is no such operation.", 404)
        return operation, request

    def has_path(self, path: str) -> bool:
        """Whether some operation is at this path."""
        return any(path == each for _, each in self._operations)

    def refuse(self, error: ApiError, request_id: str) -> Response:
        return _answer(
            error.status, {"__type": error.code, "message": error.message}, request_id, ("x-amzn-ErrorType", error.code)
        )


def _answer(status: int, document: object, request_id: str, *more: tuple[str, str]) -> Response:
    headers = (("content-type", "application/json"), ("x-amzn-requestid", request_id), *more)
    return Response(status, json.dumps(document, allow_nan=False).encode("ascii"), headers)


def _operation(model: OperationModel) -> Operation:
    read_body, read_query = inputs(model.input_shape)
    convert = _writer(model.output_shape) if model.output_shape is not None else _empty

    def read(request: Request) -> dict[str, Any]:
        parameters = read_query(query(request))
        parameters.update(read_body(document(request.body), ""))
        return parameters

    def write(result: Mapping[str, Any], request_id: str) -> Response:
        return _answer(200, convert(result), request_id)

    return Operation(model.name, read, write)


def _empty(result: Any) -> dict[str, Any]:
    return {}


def _writer(shape: Shape) -> _Writer:
    """What makes a value of a shape ready for ``json.dumps``, without members that are None or not in the model."""
    if isinstance(shape, StructureShape):
        members = {
            name: (str(member.serialization.get("name", name)), _writer(member))
            for name, member in shape.members.items()
        }
        return lambda value: {
            members[name][0]: members[name][1](each)
            for name, each in value.items()
            if each is not None and name in members
        }
    if isinstance(shape, ListShape):
        item = _writer(shape.member)
        return lambda value: [item(each) for each in value]
    if isinstance(shape, MapShape):
        entry = _writer(shape.value)
        return lambda value: {key: entry(each) for key, each in value.items()}
    return _CONVERSIONS.get(shape.type_name, _as_it_is)


def _as_it_is(value: Any) -> Any:
    return value


def _seconds(value: datetime | str) -> float:
    """Seconds since 1970, to the millisecond."""
    at = moment(value) if isinstance(value, str) else value
    return round(at.timestamp(), 3)


_CONVERSIONS: dict[str, _Writer] = {"timestamp": _seconds, "blob": blob_text}
