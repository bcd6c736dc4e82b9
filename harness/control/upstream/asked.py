"""What a request asks for, of any service of AWS: read only as far as it must be known before it is passed on.

There are four ways to name an operation: ``Action`` in a form (EC2, elbv2, IAM), the header ``X-Amz-Target`` (logs,
KMS), a path of Smithy's RPC (CloudWatch), and method and path as botocore's model has them (S3, Lambda). A request that
could be taken for two operations is refused, so that nobody is asked whether they may do one and does the other.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from halfsilver.harness.control.http.protocols.faults import quoted
from halfsilver.harness.control.http.protocols.form import fields
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.upstream.rest import is_rest, operation_at

__all__ = ["Asked", "ask", "service_of"]

_TARGET = re.compile(r"[\w.-]{1,128}[.#]([A-Za-z][A-Za-z0-9]{0,127})", re.ASCII)
_RPC = re.compile(r"/service/\w{1,64}/operation/([A-Za-z][A-Za-z0-9]{0,127})", re.ASCII)
_ACTION = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}")
_OWN_PATHS = ("moto-api", "_localstack", "_aws")
"""Where look-alikes have controls of their own, which no service of AWS has."""
_READS = ("Describe", "Get", "List", "Head", "Search", "Lookup", "Select", "BatchGet", "Query", "Scan")
_PLAIN = ("ec2", "elbv2")
_NOT_RECORDED = re.compile(
    "Action|Version|X-Amz-.*|.*(UserData|Password|Secret|SharedKey|KeyMaterial|PrivateKey|CertificateBody).*"
)
"""What is no parameter, proves who somebody is, or may have a secret in it."""
_DIRECTORIES = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "elasticfilesystem": "efs"}
"""The service's name in signatures -> botocore's, where they differ."""
_BESIDE = {"apigateway": ("/v2/", "apigatewayv2"), "s3": ("/v20180820/", "s3control"), "ses": ("/v2/email/", "sesv2")}
"""Services that are signed with the name of another one: how all their paths begin, botocore's name of them."""


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

    @property
    def recorded(self) -> Mapping[str, str]:
        """The parameters that may be in an audit file: of services whose forms hold a secret here and there, none."""
        if self.service not in _PLAIN:
            return {}
        return {name: value for name, value in self.form.items() if not _NOT_RECORDED.fullmatch(name)}

    def values(self, prefix: str) -> list[str]:
        """The values of a list in a form, ``ResourceId`` for ``ResourceId.1``, ``ResourceId.2``."""
        return [value for name, value in self.form.items() if re.fullmatch(rf"{prefix}\.[0-9]+", name)]


def service_of(signing_name: str, path: str) -> str:
    """botocore's name of the service that is called so in signatures, and has something at this path."""
    beginning, other = _BESIDE.get(signing_name, ("", ""))
    if other and unquote(path).startswith(beginning):
        return other
    return _DIRECTORIES.get(signing_name, signing_name)


def ask(service: str, request: Request) -> Asked:
    """The operation; ``service`` is botocore's name. ApiError for a request that names none, or more than one."""
    if _is_own(request.path):
        raise ApiError("InvalidAction", f"There is nothing at {quoted(request.path)}.", 404)
    if is_rest(service):
        return Asked(service, operation_at(service, request))
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
    return Asked(service, operation_at(service, request))


def _is_own(path: str) -> bool:
    """It is a look-alike's own, or is one when percent-signs, dots and double slashes are gone."""
    decoded = unquote(path)
    return any(each.lstrip("/").partition("/")[0] in _OWN_PATHS for each in (decoded, posixpath.normpath(decoded)))
