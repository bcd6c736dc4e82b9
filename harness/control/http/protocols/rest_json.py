"""The protocol ``rest-json`` (RAM): an operation is a method and a path, its parameters and its result are JSON.

Members with the location ``querystring`` come in the query string. The other locations that the protocol knows
(parts of the path, headers, a raw payload) are used by no service served here; an operation that needs them is
refused when the model is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel

from halfsilver.harness.control.http.protocols.json_input import document, inputs, query
from halfsilver.harness.control.http.protocols.json_output import JSON_CONVERSIONS, writer
from halfsilver.harness.control.http.protocols.service import Operation, Response, Service
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["RestJson"]


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

    def claims(self, request: Request) -> bool:
        return any(request.path == each for _, each in self._operations)

    def refuse(self, error: ApiError, request_id: str) -> Response:
        return _answer(
            error.status, {"__type": error.code, "message": error.message}, request_id, ("x-amzn-ErrorType", error.code)
        )


def _answer(status: int, document: object, request_id: str, *more: tuple[str, str]) -> Response:
    headers = (("content-type", "application/json"), ("x-amzn-requestid", request_id), *more)
    return Response(status, json.dumps(document, allow_nan=False).encode("ascii"), headers)


def _operation(model: OperationModel) -> Operation:
    read_body, read_query = inputs(model.input_shape)
    convert = writer(model.output_shape, JSON_CONVERSIONS)

    def read(request: Request) -> dict[str, Any]:
        parameters = read_query(query(request))
        parameters.update(read_body(document(request.body), ""))
        return parameters

    def write(result: Mapping[str, Any], request_id: str) -> Response:
        return _answer(200, convert(result), request_id)

    return Operation(model.name, read, write)
