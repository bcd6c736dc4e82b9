"""The protocols ``ec2`` and ``query``: a form with an ``Action`` comes in, XML goes out."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel

from halfsilver.harness.control.http.protocols.faults import EC2_FAULTS, QUERY_FAULTS, Faults, quoted
from halfsilver.harness.control.http.protocols.form import EC2_NAMES, QUERY_NAMES, Names, Tree, fields, reader, tree
from halfsilver.harness.control.http.protocols.service import Operation, Response, Service
from halfsilver.harness.control.http.protocols.xml import DECLARATION, escape, members
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["Ec2", "Query"]

_VERSION = re.compile(rb"(?:^|&)Version=([0-9-]{10})(?:&|\Z)")


class _Form(Service):
    """What the two have in common. ``version`` is the API version that a request must name."""

    def __init__(self, name: str, protocol: str, names: Names, faults: Faults, models: list[OperationModel]) -> None:
        super().__init__(name, protocol)
        metadata = models[0].metadata
        self.version = str(metadata["apiVersion"])
        # The model of EC2 has lost the slash that its answers have.
        self._namespace = f"{str(metadata['xmlNamespace']).rstrip('/')}/"
        self._names = names
        self._faults = faults
        self._operations = {model.name: self._operation(model) for model in models}

    def claims(self, request: Request) -> bool:
        found = _VERSION.search(request.query_string.encode("latin-1", "replace")) or _VERSION.search(request.body)
        return found is not None and found[1].decode() == self.version

    def identify(self, request: Request) -> tuple[Operation, dict[str, str]]:
        if request.path != "/":
            raise ApiError("InvalidAction", f"There is nothing at {quoted(request.path)}.", 404)
        if request.method not in ("GET", "POST"):
            raise ApiError("InvalidHttpRequest", "The HTTP request is invalid. Reason: use GET or POST.", 405)
        found = fields(request)
        action, version = found.pop("Action", ""), found.pop("Version", "")
        if not action:
            raise ApiError("MissingAction", "The request must contain the parameter Action")
        operation = self._operations.get(action)
        if operation is None or version != self.version:
            raise self._no_operation(quoted(action), quoted(version))
        return operation, found

    def _operation(self, model: OperationModel) -> Operation:
        read_tree = reader(model.input_shape, self._names, self._faults) if model.input_shape is not None else None
        write_members = members(model.output_shape)

        def read(found: dict[str, str]) -> dict[str, Any]:
            if read_tree is None:
                return self._no_parameters(tree(found, self._faults))
            parameters: dict[str, Any] = read_tree(tree(found, self._faults), "")
            return parameters

        def write(result: Mapping[str, Any], request_id: str) -> Response:
            out: list[str] = []
            write_members(out, result)
            return self._answer(200, self._envelope(model, "".join(out), request_id), request_id)

        return Operation(model.name, read, write)

    def _no_parameters(self, node: Tree) -> dict[str, Any]:
        for name in node:
            raise self._faults.unknown(name)
        return {}

    def _answer(self, status: int, text: str, request_id: str) -> Response:
        headers = (("content-type", "text/xml;charset=UTF-8"), ("x-amzn-requestid", request_id))
        return Response(status, f"{DECLARATION}{text}".encode(), headers)

    @abstractmethod
    def _no_operation(self, action: str, version: str) -> ApiError:
        """No such operation, or none of that version ("" when the request has none)."""

    @abstractmethod
    def _envelope(self, model: OperationModel, result: str, request_id: str) -> str:
        """The document around the members of a result."""


class Ec2(_Form):
    """EC2: lists are always flat, wire names begin with a capital, an empty result says ``true``."""

    def __init__(self, name: str, models: list[OperationModel]) -> None:
        super().__init__(name, "ec2", EC2_NAMES, EC2_FAULTS, models)

    def refuse(self, error: ApiError, request_id: str) -> Response:
        return self._answer(
            error.status,
            f"<Response><Errors><Error><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
            f"</Error></Errors><RequestID>{request_id}</RequestID></Response>",
            request_id,
        )

    def _no_operation(self, action: str, version: str) -> ApiError:
        if not version:
            return ApiError("MissingParameter", "The request must contain the parameter Version")
        if version != self.version:
            return ApiError("NoSuchVersion", f"The requested version ({version}) of service AmazonEC2 does not exist")
        return ApiError("InvalidAction", f"The action {action} is not valid for this web service.")

    def _envelope(self, model: OperationModel, result: str, request_id: str) -> str:
        if model.output_shape is None:
            result = "<return>true</return>"
        return (
            f'<{model.name}Response xmlns="{self._namespace}"><requestId>{request_id}</requestId>{result}'
            f"</{model.name}Response>"
        )


class Query(_Form):
    """The other services with forms: lists have ``member`` in their names, results an element of their own."""

    def __init__(self, name: str, models: list[OperationModel]) -> None:
        super().__init__(name, "query", QUERY_NAMES, QUERY_FAULTS, models)

    def refuse(self, error: ApiError, request_id: str) -> Response:
        kind = "Sender" if error.status < 500 else "Receiver"
        return self._answer(
            error.status,
            f'<ErrorResponse xmlns="{self._namespace}"><Error><Type>{kind}</Type><Code>{escape(error.code)}</Code>'
            f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
            request_id,
        )

    def _no_operation(self, action: str, version: str) -> ApiError:
        version = version or "NO_VERSION_SPECIFIED"
        return ApiError("InvalidAction", f"Could not find operation {action} for version {version}")

    def _envelope(self, model: OperationModel, result: str, request_id: str) -> str:
        wrapper = model.output_shape.serialization.get("resultWrapper") if model.output_shape is not None else None
        if wrapper is not None:
            result = f"<{wrapper}>{result}</{wrapper}>"
        return (
            f'<{model.name}Response xmlns="{self._namespace}">{result}'
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{model.name}Response>"
        )
