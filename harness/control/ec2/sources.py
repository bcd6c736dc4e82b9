"""Which interfaces can be mirrored from, and how many to one target. Source: the Traffic Mirroring guide."""

from __future__ import annotations

from halfsilver.harness.control.ec2.mirror_objects import check_quota
from halfsilver.harness.control.inventory.instance_types import MANY_SOURCES, can_be_source, takes_many_sources
from halfsilver.harness.control.operations import identifiers, sharing
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.operations.parameters import brief
from halfsilver.harness.control.state.record import Kind, Record

__all__ = ["check_sources", "find_source"]

_REQUESTERS = ("amazon-rds", "amazon-elasticache")
"""Services whose interfaces can be sources (guide, "General limitations")."""


def find_source(context: Context, identifier: str) -> Record:
    """The interface of a new session: the caller's or in its subnet, of a supported kind, and no target."""
    identifiers.check_form(Kind.INTERFACE, identifier)
    interface = context.transaction.get(Kind.INTERFACE, identifier)
    if interface is None or not sharing.may_mirror(context, interface):
        raise ApiError(
            "InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{brief(identifier)}' does not exist"
        )
    why = _why_unsupported(context, interface)
    if why is not None:
        raise ApiError("NetworkInterfaceNotSupported", f"{identifier} {why}")
    where = ("NetworkInterfaceId", identifier)
    targets = (
        context.transaction.find(Kind.TARGET, where=where, limit=1) if context.transaction.mentions(*where) else ()
    )
    if targets:
        raise ApiError("InvalidParameterValue", f"{identifier} is in use by target {targets[0].id}")
    return interface


def check_sessions(context: Context, target: Record) -> None:
    """Refuse one session more than a target takes, whoever owns it; an endpoint takes any number (guide, "Quotas")."""
    if "GatewayLoadBalancerEndpointId" not in target.document:
        there = context.transaction.mentions("TrafficMirrorTargetId", target.id)
        limit = context.settings.quotas.sessions_per_target
        check_quota("TrafficMirrorSessionsPerTargetLimitExceeded", "Sessions per target", there, limit)


def check_sources(context: Context, target: Record, source: str) -> None:
    """Refuse one source more than an interface target takes; load balancers and endpoints take any number."""
    identifier = target.document.get("NetworkInterfaceId")
    if identifier is None:
        return
    sessions = context.transaction.find(Kind.SESSION, where=("TrafficMirrorTargetId", target.id))
    sources = {session.parent for session in sessions}
    if source in sources:
        return
    limit = context.settings.quotas.sources_per_interface_target
    interface = context.transaction.get(Kind.INTERFACE, identifier)
    if interface is not None and takes_many_sources(_instance_type(context, interface)):
        limit = max(limit, MANY_SOURCES)
    check_quota("TrafficMirrorSourcesPerTargetLimitExceeded", "Sources per interface-target", len(sources), limit)


def _why_unsupported(context: Context, interface: Record) -> str | None:
    """Why an interface cannot be a source. What the inventory does not say is not held against it."""
    document = interface.document
    if document.get("InterfaceType", "interface") != "interface":
        return "must be of type interface"
    if document.get("RequesterManaged") and document.get("RequesterId") not in _REQUESTERS:
        return "is managed by a service whose interfaces cannot be mirrored"
    instance_type = _instance_type(context, interface)
    if document.get("Status") == "available" or (instance_type and not can_be_source(instance_type)):
        return "must be attached to a supported instance"
    subnet = context.transaction.get(Kind.SUBNET, document.get("SubnetId", ""))
    if subnet is not None and subnet.document.get("Ipv6Native"):
        return "is in an IPv6-only subnet, which Traffic Mirroring does not support"
    if "MacAddress" not in document:
        return "has no MAC address"
    return None


def _instance_type(context: Context, interface: Record) -> str:
    """Of the instance that it is attached to; "" when the inventory does not say."""
    instance_id = interface.document.get("Attachment", {}).get("InstanceId", "")
    instance = context.transaction.get(Kind.INSTANCE, instance_id)
    return "" if instance is None else instance.document.get("InstanceType", "")
