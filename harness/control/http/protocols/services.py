"""Which service a request is for, and the services themselves, made from botocore's models."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NoReturn

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from halfsilver.harness.control.http.protocols.faults import quoted
from halfsilver.harness.control.http.protocols.form import decode
from halfsilver.harness.control.http.protocols.query import Ec2, Query
from halfsilver.harness.control.http.protocols.remote_call import AwsJson, RpcCbor
from halfsilver.harness.control.http.protocols.rest_json import RestJson
from halfsilver.harness.control.http.protocols.service import Response, Service
from halfsilver.harness.control.http.protocols.several import Several
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["Services", "load", "signed_for", "signed_with"]

_SCOPE = re.compile(r"Credential=([^/,\s]+)/[^/,\s]*/([^/,\s]*)/([^/,\s]+)/aws4_request")
_SIGNED_QUERY = re.compile(r"(?:^|&)X-Amz-Credential=([^&]*)")

_KINDS: Mapping[str, Callable[[str, list[OperationModel]], Service]] = {
    "ec2": Ec2,
    "query": Query,
    "rest-json": RestJson,
    "json": AwsJson,
    "smithy-rpc-v2-cbor": RpcCbor,
}


class Services:
    """All services that are served.

    ``of`` says whose a request is, without judging it: the signature's scope names the service; without a signature,
    the path does (RAM's operations have one each), the header of AWS JSON or the version. What is left is taken for
    EC2's. A service with several protocols is given in that of the request.
    """

    def __init__(self, served: Mapping[str, Service]) -> None:
        """``served``: by the name that a signature's scope has for the service."""
        self._by_scope = dict(served)
        self._ec2: Service = self._by_scope["ec2"]
        self._documents = [each for each in served.values() if isinstance(each, RestJson | AwsJson)]
        self._queries = [each for each in served.values() if isinstance(each, Query)]

    def of(self, request: Request) -> Service:
        """The service whose request this is; never fails, but the service may be one that refuses everything."""
        scope = signed_for(request)
        if scope is not None:
            service = self._by_scope.get(scope[1]) or _NotServed(scope[1], self._speaker(request))
        else:
            service = next((each for each in self._by_scope.values() if each.claims(request)), self._ec2)
        return service.speaking(request)

    def _speaker(self, request: Request) -> Service:
        """A service whose errors the client of some other service will understand."""
        json = "json" in (request.header("content-type") or "") or request.header("x-amz-target") is not None
        return next(iter(self._documents if json else self._queries), self._ec2)


class _NotServed(Service):
    """A service that AWS has and this server has not."""

    def __init__(self, name: str, speaker: Service) -> None:
        super().__init__(name, speaker.protocol)
        self._speaker = speaker

    def claims(self, request: Request) -> bool:
        return False

    def identify(self, request: Request) -> NoReturn:
        raise ApiError("InvalidAction", f"The service {quoted(self.name)} is not served here.")

    def refuse(self, error: ApiError, request_id: str) -> Response:
        return self._speaker.refuse(error, request_id)


def signed_for(request: Request) -> tuple[str, str] | None:
    """Region and service in the scope of the request's signature; None when there is no signature that says them."""
    found = _credential(request)
    return found[1:] if found is not None else None


def signed_with(request: Request) -> str | None:
    """The id of the access key that the request's signature names; None when there is none."""
    found = _credential(request)
    return found[0] if found is not None else None


def _credential(request: Request) -> tuple[str, str, str] | None:
    """Key id, region and service."""
    header = request.header("authorization")
    found = _scope(header) if header is not None else None
    if found is None:
        presigned = _SIGNED_QUERY.search(request.query_string)
        if presigned is None:
            return None
        try:
            found = _scope(f"Credential={decode(presigned[1])}")
        except ApiError:
            return None
    return found


@lru_cache(maxsize=64)
def _scope(text: str) -> tuple[str, str, str] | None:
    """Remembered, as it is asked several times of each request."""
    found = _SCOPE.search(text)
    return (found[1], found[2], found[3]) if found is not None else None


def load(operations: Iterable[tuple[str, str]]) -> Services:
    """The services of these operations (service, name), EC2 among them. ValueError for one that botocore has not."""
    wanted: dict[str, list[str]] = {}
    for service, name in operations:
        wanted.setdefault(service, []).append(name)
    loader = Loader()
    served: dict[str, Service] = {}
    for service, names in wanted.items():
        model: Any = ServiceModel(loader.load_service_model(service, "service-2"), service)
        unknown = set(names) - set(model.operation_names)
        protocols = [each for each in model.metadata.get("protocols", [model.protocol]) if each in _KINDS]
        if unknown or not protocols:
            raise ValueError(f"{service}: botocore has no {', '.join(sorted(unknown)) or 'protocol served here'}")
        models: list[OperationModel] = [model.operation_model(name) for name in names]
        spoken = [_KINDS[each](service, models) for each in protocols]
        served[str(model.signing_name)] = spoken[0] if len(spoken) == 1 else Several(spoken)
    if "ec2" not in served:
        raise ValueError("EC2 is always served: name one of its operations")
    return Services(served)
