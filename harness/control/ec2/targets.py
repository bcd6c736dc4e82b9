"""Traffic mirror targets: a network interface, a Network Load Balancer or a Gateway Load Balancer endpoint."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from halfsilver.harness.control.ec2.mirror_objects import NOT_FOUND, NOUNS, check_quota, find_owned
from halfsilver.harness.control.operations import identifiers, sharing
from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.listing import Listing, describe, member
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.parameters import brief, client_token, description, invalid
from halfsilver.harness.control.operations.resources import TARGET, Given, New
from halfsilver.harness.control.operations.tag_rules import read_tag_specifications, with_tags
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import SlotTaken
from halfsilver.harness.policy.reader import DESTINATIONS

__all__ = ["check_resource", "create_target", "delete_target", "describe_targets", "target_slot"]

ENDPOINT_TYPE = "GatewayLoadBalancer"
_BALANCER = re.compile(r"arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:loadbalancer/[^/\s]+/[^/\s]+/[^/\s]+")
"""ARN of a load balancer of any type (EC2 API reference, error codes)."""


@operation(
    "ec2",
    "CreateTrafficMirrorTarget",
    mirrors=True,
    on=(
        New(Kind.TARGET),
        Given(Kind.INTERFACE, "NetworkInterfaceId", optional=True),
        Given(Kind.ENDPOINT, "GatewayLoadBalancerEndpointId", optional=True),
    ),
)
def create_target(context: Context, parameters: Parameters) -> dict[str, Any]:
    """A target on a resource of the caller. An interface that is a source cannot be one."""
    present = [name for name in DESTINATIONS if parameters.get(name)]
    if not present:
        raise ApiError("MissingParameter", f"The request must contain one of the parameters {', '.join(DESTINATIONS)}")
    if len(present) > 1:
        raise ApiError(
            "InvalidParameterCombination",
            f"The parameters {' and '.join(present)} cannot be used together; a target has one destination",
        )
    name = present[0]
    account = context.caller.account
    document = {name: parameters[name], "Type": DESTINATIONS[name], "OwnerId": account, **description(parameters)}
    tags = read_tag_specifications(context, parameters, Kind.TARGET)
    check_resource(context, document, account)
    if name == "NetworkInterfaceId":
        _check_is_no_source(context, document[name])
    check_quota(
        "TrafficMirrorTargetLimitExceeded",
        "Targets per account",
        context.transaction.count(Kind.TARGET, account=account),
        context.settings.quotas.targets,
    )
    record = Record(
        Kind.TARGET, identifiers.new(context, Kind.TARGET), account, document, tags, slot=target_slot(document)
    )
    document["TrafficMirrorTargetId"] = record.id
    try:
        context.transaction.insert(record)
    except SlotTaken as taken:
        raise ApiError(
            "NlbInUseByTrafficMirrorTargetException", f"{document[name]} is already in use by target {taken.holder}"
        ) from None
    return {"TrafficMirrorTarget": with_tags(context, [record])[0], **client_token(parameters)}


@operation("ec2", "DeleteTrafficMirrorTarget", mirrors=True, on=(TARGET,))
def delete_target(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Not while a session of its owner uses it; sessions of other accounts become inactive."""
    record = find_owned(context, parameters, "TrafficMirrorTargetId", Kind.TARGET)
    users = context.transaction.find(
        Kind.SESSION, account=record.account, where=("TrafficMirrorTargetId", record.id), limit=1
    )
    if users:
        raise ApiError("TrafficMirrorTargetInUse", f"Cannot delete {record.id}. Target is in use by {users[0].id}")
    sharing.end_target(context, record)
    context.transaction.delete(record)
    return {"TrafficMirrorTargetId": record.id}


@operation("ec2", "DescribeTrafficMirrorTargets")
def describe_targets(context: Context, parameters: Parameters) -> dict[str, Any]:
    """The caller's targets, and those shared with it."""
    shared = sharing.shared_targets(context)

    def is_visible(_: Context, target: Record) -> bool:
        return target.account == context.caller.account or target.id in shared

    return describe(context, parameters, replace(_LISTING, visible=is_visible))


def check_resource(context: Context, target: Parameters, account: str) -> None:
    """Refuse a target (its document) whose resource is not there, is not the account's or is of another type."""
    if "NetworkInterfaceId" in target:
        identifier = target["NetworkInterfaceId"]
        identifiers.check_form(Kind.INTERFACE, identifier)
        interface = context.transaction.get(Kind.INTERFACE, identifier)
        if interface is None or interface.account != account:
            raise ApiError("InvalidTrafficMirrorTarget", f"The interface ID '{brief(identifier)}' does not exist")
        if interface.document.get("InterfaceType", "interface") != "interface":
            raise ApiError("NetworkInterfaceNotSupported", f"{identifier} must be of type interface")
    elif "NetworkLoadBalancerArn" in target:
        arn = target["NetworkLoadBalancerArn"]
        if not _BALANCER.fullmatch(arn):
            why = f"'{brief(arn)}' is not a valid load balancer ARN"
            raise ApiError("InvalidNetworkLoadBalancerArn.Malformed", why)
        balancer = context.transaction.get(Kind.LOAD_BALANCER, arn)
        if balancer is None or balancer.account != account:
            raise ApiError(
                "NetworkLoadBalancerNotFoundException", f"The Network Load Balancer '{brief(arn)}' does not exist"
            )
        if balancer.document.get("Type", "network") != "network" or ":loadbalancer/net/" not in arn:
            raise invalid("NetworkLoadBalancerArn", arn, "It must be a load balancer of type network.")
    else:
        identifier = target["GatewayLoadBalancerEndpointId"]
        identifiers.check_form(Kind.ENDPOINT, identifier)
        endpoint = context.transaction.get(Kind.ENDPOINT, identifier)
        if endpoint is None or endpoint.account != account:
            raise ApiError("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{brief(identifier)}' does not exist")
        if endpoint.document.get("VpcEndpointType", ENDPOINT_TYPE) != ENDPOINT_TYPE:
            raise invalid("GatewayLoadBalancerEndpointId", identifier, f"Its type must be {ENDPOINT_TYPE}.")


def target_slot(document: Parameters) -> str:
    """A load balancer is one target only; the others can be several."""
    slot: str = document.get("NetworkLoadBalancerArn", "")
    return slot


def _check_is_no_source(context: Context, identifier: str) -> None:
    sessions = context.transaction.find(Kind.SESSION, parent=identifier, limit=1)
    if sessions:
        raise ApiError(
            "InvalidParameterValue",
            f"{identifier} is in use by session {sessions[0].id} as a source and cannot be a target",
        )


_LISTING = Listing(
    kind=Kind.TARGET,
    result="TrafficMirrorTargets",
    ids="TrafficMirrorTargetIds",
    not_found=NOT_FOUND[Kind.TARGET],
    noun=NOUNS[Kind.TARGET],
    filters={
        "description": member("Description"),
        "network-interface-id": member("NetworkInterfaceId"),
        "network-load-balancer-arn": member("NetworkLoadBalancerArn"),
        "owner-id": member("OwnerId"),
        "traffic-mirror-target-id": member("TrafficMirrorTargetId"),
    },
    render=with_tags,
    id_filter="traffic-mirror-target-id",
)
