"""Metrics of Gateway Load Balancer endpoints, of the traffic that they get as mirror targets.

Source: AWS PrivateLink guide, "CloudWatch metrics for AWS PrivateLink": dimensions, and samples of those minutes alone
in which an endpoint received traffic. BytesProcessed here is of the copies that reach it, with their outer IP, UDP and
VXLAN headers; what comes back from the appliances is none. PacketsDropped is 0 in these minutes, as an endpoint here
takes all that reaches it: copies are cut to its MTU before they leave, those that were skipped were never sent, and
what routes or network ACLs keep from it does not reach it. The guide's metrics of connections are not served.
"""

from __future__ import annotations

from halfsilver.harness.control.cloudwatch.dimensions import Dimensions, read_dimensions
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import Transaction

__all__ = ["METRICS", "NAMESPACE", "dimension_sets", "samples"]

NAMESPACE = "AWS/PrivateLinkEndpoints"
METRICS = ("BytesProcessed", "PacketsDropped")
_ID = "VPC Endpoint Id"


def dimension_sets(transaction: Transaction, account: str, since: int) -> list[Dimensions]:
    """All by which the endpoints with samples since then can be asked for."""
    found = transaction.minutes.endpoints(account, since)
    records = transaction.find(Kind.ENDPOINT, identifiers=found) if found else []
    return [each for record in records for each in _dimensions(record)]


def samples(
    transaction: Transaction, account: str, name: str, dimensions: Dimensions, start: int, end: int
) -> list[tuple[int, int]]:
    """(minute, value) in order of time; nothing for a metric that there is not."""
    record = transaction.get(Kind.ENDPOINT, dict(dimensions).get(_ID, ""))
    if name not in METRICS or record is None or dimensions not in _dimensions(record):
        return []
    found = transaction.minutes.of_endpoint(record.id, start, end, account)
    return found if name == "BytesProcessed" else [(minute, 0) for minute, _ in found]


def _dimensions(endpoint: Record) -> list[Dimensions]:
    """Without its subnet and with it; it has one, as the PrivateLink guide has it of this type."""
    document = endpoint.document
    members = {"Endpoint Type": "VpcEndpointType", "Service Name": "ServiceName", "VPC Id": "VpcId"}
    whole = {_ID: endpoint.id, **{name: document[each] for name, each in members.items() if each in document}}
    found = [whole, *({**whole, "Subnet Id": each} for each in document.get("SubnetIds", ()))]
    return [read_dimensions([{"Name": name, "Value": value} for name, value in each.items()]) for each in found]
