"""botocore's models, serializers and parsers as the outside judge of the wire, and an application without a store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import strategies as st

from halfsilver.harness.control.catalogue import OPERATIONS
from halfsilver.harness.control.http.app import App
from halfsilver.harness.control.http.exchange import Exchange, Peer
from halfsilver.harness.control.http.protocols import Response, Services, load
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.local.routes import routes
from halfsilver.harness.control.operations.call import Call, Caller

SERVED = sorted(OPERATIONS)
CALLER = Caller("123456789012", "arn:aws:iam::123456789012:user/ann", "AIDAEXAMPLE", "ann")
ENDPOINT = "http://127.0.0.1:8080"
VERSIONS = {"ec2": "2016-11-15", "elasticloadbalancing": "2015-12-01", "sts": "2011-06-15"}

TEXT = st.text(
    st.characters(
        exclude_categories=["Cs"],
        exclude_characters="".join(chr(code) for code in [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF]),
    ),
    max_size=12,
)
"""Characters of XML 1.0, carriage returns and the space at either end among them."""


@cache
def service_model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@cache
def model(service: str, operation: str) -> OperationModel:
    return service_model(service).operation_model(operation)


@cache
def served() -> Services:
    return load(SERVED)


# Random values of a shape.


def values(shape: Shape, *, gaps: bool = False) -> st.SearchStrategy[Any]:
    """Values that the model allows. ``gaps``: empty lists, maps and structures too, which forms cannot carry."""
    kind = shape.type_name
    gaps = gaps and not shape.serialization.get("flattened")  # without an element around it, nothing is left of it
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if kind == "structure":
        return structures(shape, gaps=gaps)
    if kind == "list":
        items = values(shape.member, gaps=gaps)
        return st.lists(items, min_size=max(low or 0, 0 if gaps else 1), max_size=max(low or 0, min(high or 3, 3)))
    if kind == "map":
        return st.dictionaries(values(shape.key), values(shape.value, gaps=gaps), min_size=0 if gaps else 1, max_size=3)
    if kind in ("integer", "long"):
        bits = 31 if kind == "integer" else 63
        return st.integers(-(1 << bits) if low is None else low, (1 << bits) - 1 if high is None else high)
    if kind in ("string", "character"):
        if getattr(shape, "enum", None):
            return st.sampled_from(shape.enum)
        return TEXT if low is None else st.text("ab-é", min_size=low, max_size=max(low, min(high or 12, 12)))
    return {
        "boolean": st.booleans(),
        "float": st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 3)),
        "double": st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 3)),
        "blob": st.binary(max_size=12),
        "timestamp": st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)).map(
            lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000)
        ),
    }[kind]


def structures(shape: Shape | None, *, gaps: bool = False, whole: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """Values of a structure; not ``whole``: a part of an operation's input, so that required members may be absent."""
    if shape is None:
        return st.just({})
    required = set(shape.required_members) if whole else set()
    members = {name: values(member, gaps=gaps) for name, member in shape.members.items()}
    if getattr(shape, "is_tagged_union", False):
        return st.one_of(st.fixed_dictionaries({name: each}) for name, each in members.items())
    chosen = st.fixed_dictionaries(
        {name: members[name] for name in required},
        optional={name: each for name, each in members.items() if name not in required},
    )
    return chosen if gaps or required else chosen.filter(bool)


def inputs(operation: OperationModel) -> st.SearchStrategy[dict[str, Any]]:
    """Parameters of an operation as a user would give them."""
    shape = operation.input_shape
    if shape is None or not shape.members:
        return st.just({})
    # Only the outermost structure may be empty in a form: then it is a request without parameters.
    json = operation.service_model.resolved_protocol == "rest-json"
    filled = structures(shape, gaps=json)
    return filled if shape.required_members else st.one_of(st.just({}), filled)


def sent(operation: OperationModel, parameters: dict[str, Any], *, signed: bool = True) -> Request:
    """The request that botocore makes of parameters, byte for byte, as a server receives it."""
    serializer = create_serializer(operation.service_model.resolved_protocol, include_validation=False)
    prepared: dict[str, Any] = serializer.serialize_to_request(parameters, operation)
    prepare_request_dict(prepared, endpoint_url=ENDPOINT, user_agent="test")
    http = create_request_object(prepared).prepare()
    path, _, query = http.url.removeprefix(ENDPOINT).partition("?")
    headers = [
        (name.lower(), value.decode() if isinstance(value, bytes) else value) for name, value in http.headers.items()
    ]
    if signed:
        headers.append(("authorization", authorization(operation.service_model.signing_name)))
    body = http.body or b""
    return Request(http.method, path, query, tuple(headers), body.encode() if isinstance(body, str) else body)


def authorization(scope: str) -> str:
    return (
        f"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261120/us-east-1/{scope}/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=0123456789abcdef"
    )


def understood(protocol: str, response: Response, shape: Shape | None = None) -> dict[str, Any]:
    """What botocore's parser makes of an answer."""
    headers = {name: value for name, value in response.headers}
    parsed: dict[str, Any] = create_parser(protocol).parse(
        {"status_code": response.status, "headers": _Insensitive(headers), "body": response.body}, shape
    )
    return parsed


class _Insensitive(dict[str, str]):
    """Headers by lower-case name, as botocore's own headers can be asked."""

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name, super().get(name.lower(), default))

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or super().__contains__(str(name).lower())

    def __getitem__(self, name: str) -> str:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return str(found)


# Requests by hand.


def form(fields: dict[str, str] | str, *, scope: str = "ec2", **changes: Any) -> Request:
    """A signed form; ``scope`` is the service in the signature."""
    if isinstance(fields, dict):
        fields = urlencode({"Version": VERSIONS.get(scope, "2010-01-01"), **fields})
    return Request(
        **{"method": "POST", "headers": (("authorization", authorization(scope)),), "body": fields.encode(), **changes}
    )


def ram(path: str, body: Any, **changes: Any) -> Request:
    """A signed request to RAM; ``body`` is JSON, or bytes as they are."""
    return Request(
        **{
            "method": "POST",
            "path": path,
            "headers": (("authorization", authorization("ram")),),
            "body": body if isinstance(body, bytes) else json.dumps(body).encode(),
            **changes,
        }
    )


def read(response: Response, protocol: str) -> tuple[int, str, str]:
    """Status, code and message of a refusal, and that its request id is there twice."""
    error = understood(protocol, response)
    request_id = dict(response.headers)["x-amzn-requestid"]
    assert error["ResponseMetadata"]["RequestId"] == request_id and len(request_id) == 36
    return response.status, error["Error"]["Code"], error["Error"]["Message"]


# An application without a store.


@dataclass
class FakeControl:
    """Remembers what it was asked to do; ``result`` is an answer or an exception."""

    result: Any = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def execute(self, call: Call) -> Any:
        self.calls.append(call)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def status(self, account: str) -> Any:
        return {"account": account, "generation": 7}

    def permit(self, call: Call, action: str) -> None:
        pass


def exchange(control: FakeControl, services: Services | None = None, authenticate: Any = None) -> Exchange:
    """``authenticate`` is given the request alone."""
    who = authenticate or (lambda request: CALLER)
    return Exchange(services or served(), lambda request, service, region: who(request), control, routes(control))


PEER = Peer("127.0.0.1", False)


async def call(app: App, scope: dict[str, Any], chunks: Sequence[bytes | None | float] = (b"",)) -> Response | None:
    """One request through ASGI; None if the application sends nothing.

    ``chunks``: pieces of the body; None is a client that goes away, a number a pause in seconds. No chunk: it never
    sends anything.
    """
    messages = list(chunks)
    out: list[Any] = []

    async def receive() -> dict[str, Any]:
        while messages and isinstance(messages[0], float):
            await asyncio.sleep(messages.pop(0))  # type: ignore[arg-type]
        if not messages:
            await asyncio.Event().wait()
        piece = messages.pop(0)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(messages)}

    async def send(message: Any) -> None:
        out.append(message)

    await app(scope, receive, send)
    if not out:
        return None
    start, body = out
    assert (start["type"], body["type"]) == ("http.response.start", "http.response.body")
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
    assert ("content-length", str(len(body["body"]))) in headers
    return Response(start["status"], body["body"], headers)


def scope(
    method: str = "POST",
    path: str = "/",
    query: bytes = b"",
    headers: Iterable[tuple[bytes, bytes]] = (),
    *,
    client: tuple[str, int] | None = ("127.0.0.1", 50000),
    scheme: str = "http",
) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": query,
        "headers": list(headers),
        "client": client,
        "scheme": scheme,
        "http_version": "1.1",
    }


def scope_of(request: Request) -> dict[str, Any]:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
    return scope(request.method, request.path, request.query_string.encode("latin-1"), headers)
