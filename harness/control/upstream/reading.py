"""What the look-alike has, read back: the lists of an inventory, as its describe operations give them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from botocore.parsers import ResponseParserError, ResponseParserFactory
from botocore.serialize import create_serializer

from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.inventory.objects import model
from halfsilver.harness.control.upstream.connection import Connection, Scope, UpstreamError

__all__ = ["Documents", "UpstreamReader"]

Documents = dict[str, list[dict[str, Any]]]

_OPERATIONS = {
    "Vpcs": ("ec2", "DescribeVpcs"),
    "Subnets": ("ec2", "DescribeSubnets"),
    "NetworkInterfaces": ("ec2", "DescribeNetworkInterfaces"),
    "VpcEndpoints": ("ec2", "DescribeVpcEndpoints"),
    "SecurityGroups": ("ec2", "DescribeSecurityGroups"),
    "NetworkAcls": ("ec2", "DescribeNetworkAcls"),
    "RouteTables": ("ec2", "DescribeRouteTables"),
    "VpcPeeringConnections": ("ec2", "DescribeVpcPeeringConnections"),
    "Reservations": ("ec2", "DescribeInstances"),
    "LoadBalancers": ("elbv2", "DescribeLoadBalancers"),
    "TargetGroups": ("elbv2", "DescribeTargetGroups"),
}
"""The operation that gives a list. Besides the listeners, these are the lists of an inventory that it is read for."""
_OWNED = ("Vpcs", "Subnets", "NetworkInterfaces", "VpcEndpoints", "SecurityGroups", "NetworkAcls", "RouteTables")
"""Lists whose objects say whose they are."""
_PAGES = (("NextToken", "NextToken"), ("NextMarker", "Marker"))
"""Where the mark of the next page is in a result, and where it goes in the next request."""


class _NotThere(UpstreamError):
    """It has not got the service, and so nothing of it. LocalStack's community edition has no load balancers."""


class UpstreamReader:
    """Reads all that some accounts have in a region."""

    def __init__(self, connection: Connection, region: str, accounts: Sequence[str]) -> None:
        self._connection = connection
        self._region = region
        self._accounts = accounts
        self._until = math.inf
        self._parsers = ResponseParserFactory()
        self._parsers.set_parser_defaults(timestamp_parser=str)  # as it is written, which JSON can keep

    def read(self, until: float = math.inf) -> Documents:
        """The lists, of all accounts together. UpstreamError if one of them cannot be had, or not asked for in time.

        until  by ``time.monotonic``
        """
        self._until = until
        found: Documents = {name: [] for name in (*_OPERATIONS, "Listeners")}
        found["AvailabilityZones"] = list(
            self._list(self._accounts[0], "ec2", "DescribeAvailabilityZones", "AvailabilityZones")
        )
        for account in self._accounts:
            for name, (service, operation) in _OPERATIONS.items():
                objects = self._list(account, service, operation, name)
                found[name] += [{"OwnerId": account, **each} if name in _OWNED else each for each in objects]
        # Both accounts of a peering have it.
        peerings = {each["VpcPeeringConnectionId"]: each for each in found["VpcPeeringConnections"]}
        found["VpcPeeringConnections"] = list(peerings.values())
        for balancer in found["LoadBalancers"]:
            arn = balancer["LoadBalancerArn"]
            found["Listeners"] += self._list(
                arn.split(":")[4], "elbv2", "DescribeListeners", "Listeners", LoadBalancerArn=arn
            )
        return found

    def _list(
        self, account: str, service: str, operation: str, member: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """All pages of a list."""
        while True:
            if time.monotonic() > self._until:
                raise UpstreamError(f"{self._connection.url} takes too long to say what it has")
            try:
                result = self._ask(account, service, operation, parameters)
            except _NotThere:
                if service == "ec2":
                    raise
                return
            if member not in result:
                raise UpstreamError(f"{operation} of {self._connection.url} cannot be read: it has no {member}")
            yield from result[member]
            marks = {name: result[mark] for mark, name in _PAGES if result.get(mark)}
            if not marks:
                return
            parameters = {**parameters, **marks}

    def _ask(self, account: str, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        described = model(service)
        asked = described.operation_model(operation)
        protocol = described.metadata["protocol"]
        serialized = create_serializer(protocol, include_validation=False).serialize_to_request(parameters, asked)
        headers = tuple((name.lower(), value) for name, value in serialized["headers"].items())
        body = urlencode(serialized["body"]).encode()
        scope = Scope(account, self._region, described.signing_name)
        answer = self._connection.send(Request("POST", "/", "", headers, body), scope, wait=True)
        received = {"status_code": answer.status, "headers": dict(answer.headers), "body": answer.body}
        try:
            result: dict[str, Any] = self._parsers.create_parser(protocol).parse(received, asked.output_shape)
        except (ResponseParserError, ValueError, KeyError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise UpstreamError(f"{operation} of {self._connection.url} cannot be read: {reason[:200]}") from None
        if answer.status >= 300:
            why = result.get("Error", {})
            kind = _NotThere if answer.status == HTTPStatus.NOT_IMPLEMENTED else UpstreamError
            raise kind(
                f"{self._connection.url} refuses {operation}: {answer.status} {why.get('Code')} {why.get('Message')}"
            )
        return result
