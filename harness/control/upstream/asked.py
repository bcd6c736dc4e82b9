"""What a request asks for, of any service of AWS: read only as far as it must be known before it is passed on.

There are four ways to name an operation: ``Action`` in a form (EC2, elbv2, IAM), the header ``X-Amz-Target`` (logs,
KMS), a path of Smithy's RPC (CloudWatch), and method and path as botocore's model has them (S3, Lambda). A request that
could be taken for two operations is refused, so that nobody is asked whether they may do one and does the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

from halfsilver.harness.control.http.protocols.faults import quoted
from halfsilver.harness.control.http.protocols.form import fields
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["Asked", "ask", "service_of"]

_TARGET = re.compile(r"[\w.-]{1,128}[.#]([A-Za-z][A-Za-z0-9]{0,127})", re.ASCII)
_RPC = re.compile(r"/service/\w{1,64}/operation/([A-Za-z][A-Za-z0-9]{0,127})", re.ASCII)
_ACTION = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}")
_PLACE = re.compile(r"\{(\w+)(\+?)\}")
_OWN_PATHS = ("/moto-api", "/_localstack", "/_aws")
"""Where look-alikes have controls of their own, which no service of AWS has."""
_READS = ("Describe", "Get", "List", "Head", "Search", "Lookup", "Select", "BatchGet", "Query", "Scan")
_DIRECTORIES = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "elasticfilesystem": "efs"}
"""The service's name in signatures -> botocore's, where they differ."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation of a service, by the names that botocore has for both; ``form`` are the parameters of a form."""

    service: str
    operation: str
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def reads(self) -> bool:
        """It changes nothing, by its name."""
        return self.operation.startswith(_READS)

    def values(self, prefix: str) -> list[str]:
        """The values of a list in a form, ``ResourceId`` for ``ResourceId.1``, ``ResourceId.2``."""
        return [value for name, value in self.form.items() if re.fullmatch(rf"{prefix}\.[0-9]+", name)]


def service_of(signing_name: str) -> str:
    """botocore's name of the service that is called so in signatures."""
    return _DIRECTORIES.get(signing_name, signing_name)


def ask(service: str, request: Request) -> Asked:
    """The operation; ``service`` is botocore's name. ApiError for a request that names none, or more than one."""
    if any(request.path == own or request.path.startswith(f"{own}/") for own in _OWN_PATHS):
        raise ApiError("InvalidAction", f"There is nothing at {quoted(request.path)}.", 404)
    target = request.header("x-amz-target")
    rpc = _RPC.fullmatch(request.path)
    content = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if target is not None:
        found = _TARGET.fullmatch(target)
        if found is None or request.path != "/" or request.query_string or "json" not in content:
            raise ApiError("InvalidAction", "X-Amz-Target goes with a JSON body at the path / and no query string.")
        return Asked(service, found[1])
    if rpc is not None:
        return Asked(service, rpc[1])
    if request.path == "/" and (content == "application/x-www-form-urlencoded" or "Action=" in request.query_string):
        form = fields(request)
        action = form.get("Action", "")
        if not _ACTION.fullmatch(action):
            raise ApiError("MissingAction", "The request must contain the parameter Action")
        return Asked(service, action, form)
    return Asked(service, _rest_operation(service, request))


def _rest_operation(service: str, request: Request) -> str:
    """By the most particular path of the service's model that fits; S3 tells some apart by the query string alone."""
    there = {piece.partition("=")[0] for piece in request.query_string.split("&") if piece}
    fitting = [
        (len(needed), literal, name)
        for method, path, needed, literal, name in _paths(service)
        if method == request.method and needed <= there and path.fullmatch(request.path)
    ]
    if not fitting:
        raise ApiError(
            "InvalidAction", f"No operation of {quoted(service)} is {request.method} {quoted(request.path)}."
        )
    return max(fitting)[2]


@cache
def _paths(service: str) -> tuple[tuple[str, re.Pattern[str], frozenset[str], int, str], ...]:
    """Of all operations: method, path, parameters that the query string must have, length of the fixed text, name."""
    try:
        model = Loader().load_service_model(service, "service-2")
    except UnknownServiceError:
        return ()
    found = []
    for name, operation in model["operations"].items():
        path, _, query = operation["http"]["requestUri"].partition("?")
        pieces = _PLACE.split(path)
        pattern = "".join(
            re.escape(piece) if index % 3 == 0 else (".+" if pieces[index + 1] else "[^/]+") if index % 3 == 1 else ""
            for index, piece in enumerate(pieces)
        )
        needed = frozenset(each.partition("=")[0] for each in query.split("&") if each and "{" not in each)
        literal = sum(len(piece) for piece in pieces[::3])
        found.append((operation["http"]["method"], re.compile(f"{pattern}/?"), needed, literal, name))
    return tuple(found)
