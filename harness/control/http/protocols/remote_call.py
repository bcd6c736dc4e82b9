"""Protocols that call an operation by its name, with a document as its parameters: AWS JSON and Smithy RPC v2 CBOR.

AWS JSON (versions 1.0 and 1.1) names it in the header ``X-Amz-Target``, RPC v2 CBOR in the path. Sources: Smithy,
"AWS JSON 1.0 protocol", "Smithy RPC v2 CBOR protocol", "AWS query compatible trait": a service that once spoke the
query protocol alone says its old error code in the header ``x-amzn-query-error``, beside the name of the error's shape.
"""

from __future__ import annotations

import json
import math
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

import cbor2
from botocore.model import OperationModel

from halfsilver.harness.control.http.protocols.faults import JSON_FAULTS, QUERY_FAULTS, Faults, quoted
from halfsilver.harness.control.http.protocols.json_input import (
    JSON_SCALARS,
    Notation,
    Scalar,
    body,
    document,
    query,
    typed,
)
from halfsilver.harness.control.http.protocols.json_output import JSON_CONVERSIONS, Writer, seconds, writer
from halfsilver.harness.control.http.protocols.limits import MAX_NESTING
from halfsilver.harness.control.http.protocols.service import Operation, Response, Service
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["AwsJson", "RpcCbor"]

_TARGET = "x-amz-target"
_PATH = re.compile(r"/service/([^/]+)/operation/([^/]+)\Z")


class _RemoteCall(Service):
    """What the two have in common. The faults are those of the query protocol where the service once spoke it."""

    def __init__(
        self,
        name: str,
        protocol: str,
        models: list[OperationModel],
        scalars: Mapping[str, Scalar],
        conversions: Mapping[str, Writer],
    ) -> None:
        super().__init__(name, protocol)
        metadata = models[0].metadata
        self._prefix = str(metadata["targetPrefix"])
        self._was_query = "awsQueryCompatible" in metadata
        self._faults: Faults = QUERY_FAULTS if self._was_query else JSON_FAULTS
        notation = Notation(self._faults, scalars)
        self._operations = {model.name: self._operation(model, notation, conversions) for model in models}
        self._shapes = {
            str(shape.metadata.get("error", {}).get("code", shape.name)): shape.name
            for model in models
            for shape in model.error_shapes
        }

    def claims(self, request: Request) -> bool:
        return self._called(request)[0] == self._prefix

    def identify(self, request: Request) -> tuple[Operation, bytes]:
        _, name = self._called(request)
        operation = self._operations.get(name)
        if operation is None or request.method != "POST":
            raise ApiError("UnknownOperationException", f"There is no operation {quoted(name)}.", 404)
        for each in query(request):
            raise self._faults.unknown(each)
        return operation, request.body

    def refuse(self, error: ApiError, request_id: str) -> Response:
        kind = self._shapes.get(error.code, error.code)
        fault = "Sender" if error.status < 500 else "Receiver"
        more = (("x-amzn-query-error", f"{error.code};{fault}"),) if self._was_query else ()
        return self._answer(error.status, {"__type": kind, "message": error.message}, request_id, *more)

    def _operation(self, model: OperationModel, notation: Notation, conversions: Mapping[str, Writer]) -> Operation:
        read_document = body(model.input_shape, notation)
        convert = writer(model.output_shape, conversions)

        def read(content: bytes) -> dict[str, Any]:
            parameters: dict[str, Any] = read_document(self._document(content), "")
            return parameters

        def write(result: Mapping[str, Any], request_id: str) -> Response:
            return self._answer(200, convert(result), request_id)

        return Operation(model.name, read, write)

    @abstractmethod
    def _called(self, request: Request) -> tuple[str, str]:
        """Prefix and name of the operation that the request calls; empty where it says none."""

    @abstractmethod
    def _document(self, content: bytes) -> Any:
        """The body as plain values; ApiError."""

    @abstractmethod
    def _answer(self, status: int, document: object, request_id: str, *more: tuple[str, str]) -> Response:
        """An answer with this document."""


class AwsJson(_RemoteCall):
    """AWS JSON, in the version that the model names."""

    def __init__(self, name: str, models: list[OperationModel]) -> None:
        super().__init__(name, "json", models, JSON_SCALARS, JSON_CONVERSIONS)
        self._media_type = f"application/x-amz-json-{models[0].metadata['jsonVersion']}"

    def _called(self, request: Request) -> tuple[str, str]:
        prefix, _, name = (request.header(_TARGET) or "").rpartition(".")
        return (prefix, name) if request.path == "/" else ("", "")

    def _document(self, content: bytes) -> Any:
        return document(content)

    def _answer(self, status: int, document: object, request_id: str, *more: tuple[str, str]) -> Response:
        headers = (("content-type", self._media_type), ("x-amzn-requestid", request_id), *more)
        return Response(status, json.dumps(document, allow_nan=False).encode("ascii"), headers)


class RpcCbor(_RemoteCall):
    """Smithy RPC v2 with CBOR."""

    def __init__(self, name: str, models: list[OperationModel]) -> None:
        super().__init__(name, "smithy-rpc-v2-cbor", models, _CBOR_SCALARS, _CBOR_CONVERSIONS)

    def _called(self, request: Request) -> tuple[str, str]:
        found = _PATH.match(request.path)
        return (found[1], found[2]) if found is not None else ("", "")

    def _document(self, content: bytes) -> Any:
        if not content:
            return {}
        try:
            return cbor2.loads(
                content,
                max_depth=MAX_NESTING,
                allow_duplicate_keys=False,
                strict_hashable_types=True,
                semantic_decoders=_OTHER_TAGS,
            )
        except cbor2.CBORDecodeError:
            raise ApiError("SerializationException", "The body is not CBOR, or has a key twice.") from None

    def _answer(self, status: int, document: object, request_id: str, *more: tuple[str, str]) -> Response:
        headers = (
            ("smithy-protocol", "rpc-v2-cbor"),
            ("content-type", "application/cbor"),
            ("x-amzn-requestid", request_id),
            *more,
        )
        return Response(status, cbor2.dumps(document), headers)


# CBOR's scalars. Of its tags the protocol has one, the time in seconds since 1970.

_EPOCH = 1
_TAGS = (0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799)
"""Others that the library knows, and would make large numbers, patterns or circles of."""


def _refuse(_value: object, _immutable: bool) -> NoReturn:
    raise ValueError("the protocol has no such tag")


_OTHER_TAGS: Mapping[int, Callable[[Any, bool], Any]] = dict.fromkeys(_TAGS, _refuse)


def _number(value: Any, path: str, faults: Faults) -> Any:
    found = JSON_SCALARS["double"](value, path, faults)
    if not math.isfinite(found):
        raise faults.wrong_type(path, str(found), "a finite number")
    return found


def _time(value: Any, path: str, faults: Faults) -> datetime:
    if not isinstance(value, datetime):
        raise faults.wrong_type(path, type(value).__name__, "a time, tag 1")
    return value.astimezone(UTC)


_CBOR_SCALARS: Mapping[str, Scalar] = {
    **JSON_SCALARS,
    "float": _number,
    "double": _number,
    "blob": typed((bytes,), "a byte string"),
    "timestamp": _time,
}
_CBOR_CONVERSIONS: Mapping[str, Writer] = {"timestamp": lambda value: cbor2.CBORTag(_EPOCH, seconds(value))}
