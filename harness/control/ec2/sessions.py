"""Traffic mirror sessions: a source interface, a filter, a target, and their order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from halfsilver.harness.control.ec2.mirror_objects import (
    NOT_FOUND,
    NOUNS,
    check_quota,
    find_owned,
    find_usable_target,
    refuse,
)
from halfsilver.harness.control.ec2.sources import check_sessions, check_sources, find_source
from halfsilver.harness.control.ec2.targets import check_resource
from halfsilver.harness.control.operations import identifiers, sharing
from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.listing import Listing, describe, member
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.parameters import client_token, description, remove_fields, required
from halfsilver.harness.control.operations.resources import FILTER, SESSION, TARGET, Given, New
from halfsilver.harness.control.operations.tag_rules import read_tag_specifications, with_tags
from halfsilver.harness.control.operations.target_resource import why_unusable
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import SlotTaken
from halfsilver.harness.policy.node import Node
from halfsilver.harness.policy.reader import read_session_numbers
from halfsilver.harness.policy.types import MAX_VNI, NLB_PACKET_LENGTH, Problem

__all__ = ["create_session", "delete_session", "describe_sessions", "modify_session"]

DEFAULT_LENGTH = "default packet length"
"""In ``Record.note`` when nobody asked for the packet length, which follows the target then."""
_NUMBERS = ("SessionNumber", "VirtualNetworkId", "PacketLength")
_REMOVABLE = {"packet-length": "PacketLength", "description": "Description", "virtual-network-id": "VirtualNetworkId"}


@operation(
    "ec2",
    "CreateTrafficMirrorSession",
    mirrors=True,
    on=(Given(Kind.INTERFACE, "NetworkInterfaceId"), FILTER, New(Kind.SESSION), TARGET),
)
def create_session(context: Context, parameters: Parameters) -> dict[str, Any]:
    """A session mirrors from now on, unless its target's resource cannot take the copies (``note["stopped"]``)."""
    source_id = required(parameters, "NetworkInterfaceId")
    required(parameters, "TrafficMirrorTargetId")
    required(parameters, "TrafficMirrorFilterId")
    required(parameters, "SessionNumber")
    tags = read_tag_specifications(context, parameters, Kind.SESSION)
    target = _find_target(context, parameters)
    account = context.caller.account
    document = {
        "TrafficMirrorSessionId": identifiers.new(context, Kind.SESSION),
        "TrafficMirrorTargetId": target.id,
        "TrafficMirrorFilterId": parameters["TrafficMirrorFilterId"],
        "NetworkInterfaceId": source_id,
        "OwnerId": account,
        **{name: parameters[name] for name in _NUMBERS if parameters.get(name) is not None},
        **description(parameters),
    }
    session = Record(Kind.SESSION, document["TrafficMirrorSessionId"], account, document, tags, source_id)
    _settle(context, session, target)
    find_owned(context, parameters, "TrafficMirrorFilterId", Kind.FILTER)
    find_source(context, source_id)
    quotas, count = context.settings.quotas, context.transaction.count
    check_quota(
        "TrafficMirrorSessionLimitExceeded",
        "Sessions per account",
        count(Kind.SESSION, account=account, limit=quotas.sessions),
        quotas.sessions,
    )
    check_quota(
        "TrafficMirrorSessionsPerInterfaceLimitExceeded",
        "Sessions per interface",
        count(Kind.SESSION, parent=source_id),
        quotas.sessions_per_interface,
    )
    check_sources(context, target, source_id)
    check_sessions(context, target)
    try:
        context.transaction.insert(session)
    except SlotTaken as taken:
        raise _number_taken(session, taken) from None
    return {"TrafficMirrorSession": with_tags(context, [session])[0], **client_token(parameters)}


@operation(
    "ec2",
    "ModifyTrafficMirrorSession",
    mirrors=True,
    on=(SESSION, replace(FILTER, optional=True), replace(TARGET, optional=True)),
)
def modify_session(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Change a session. One that has stopped goes on if its target, the old or a new one, can be used now."""
    removed = remove_fields(parameters, _REMOVABLE)
    session = find_owned(context, parameters, "TrafficMirrorSessionId", Kind.SESSION)
    document = session.document
    if session.note.pop(DEFAULT_LENGTH, False):
        document.pop("PacketLength", None)
    for name in removed:
        document.pop(name, None)
    document |= {name: parameters[name] for name in _NUMBERS if parameters.get(name) is not None}
    if "Description" in parameters:
        document.pop("Description", None)
        document |= description(parameters)
    if parameters.get("TrafficMirrorFilterId") is not None:
        document["TrafficMirrorFilterId"] = find_owned(context, parameters, "TrafficMirrorFilterId", Kind.FILTER).id
    if parameters.get("TrafficMirrorTargetId") is not None:
        wanted = _find_target(context, parameters)
        check_sources(context, wanted, session.parent)
        if wanted.id != document["TrafficMirrorTargetId"]:
            check_sessions(context, wanted)
        document["TrafficMirrorTargetId"] = wanted.id
    _settle(context, session, context.transaction.get(Kind.TARGET, document["TrafficMirrorTargetId"]))
    try:
        context.transaction.update(session)
    except SlotTaken as taken:
        raise _number_taken(session, taken) from None
    return {"TrafficMirrorSession": with_tags(context, [session])[0]}


@operation("ec2", "DeleteTrafficMirrorSession", mirrors=True, on=(SESSION,))
def delete_session(context: Context, parameters: Parameters) -> dict[str, Any]:
    session = find_owned(context, parameters, "TrafficMirrorSessionId", Kind.SESSION)
    context.transaction.delete(session)
    return {"TrafficMirrorSessionId": session.id}


@operation("ec2", "DescribeTrafficMirrorSessions")
def describe_sessions(context: Context, parameters: Parameters) -> dict[str, Any]:
    """The caller's sessions, and those of other accounts on its targets."""
    by_target: dict[str, bool] = {}

    def is_visible(context: Context, session: Record) -> bool:
        """As ``sharing`` says, asked once for all sessions that others have on one target."""
        if session.account == context.caller.account:
            return True
        target_id = session.document["TrafficMirrorTargetId"]
        if target_id not in by_target:
            by_target[target_id] = sharing.sees_session(context, session)
        return by_target[target_id]

    return describe(context, parameters, replace(_LISTING, visible=is_visible))


def _find_target(context: Context, parameters: Parameters) -> Record:
    """A target that the caller may use and whose resource is there."""
    target = find_usable_target(context, parameters)
    check_resource(context, target.document, target.account)
    return target


def _settle(context: Context, session: Record, target: Record | None) -> None:
    """What follows from a session's values and its target (None: it was deleted): number, VNI, length, standing."""
    document = session.document
    problems: list[Problem] = []
    kind = None if target is None else target.document["Type"]
    read_session_numbers(Node(document, problems), kind)
    refuse(problems)
    session.slot = str(document["SessionNumber"])
    if "VirtualNetworkId" not in document:
        document["VirtualNetworkId"] = _unused_network(context)
    if kind == "network-load-balancer" and "PacketLength" not in document:
        document["PacketLength"] = NLB_PACKET_LENGTH
        session.note[DEFAULT_LENGTH] = True
    reason = _why_stopped(context, session, target)
    if reason is None:
        session.note.pop("stopped", None)
    else:
        session.note["stopped"] = reason


def _why_stopped(context: Context, session: Record, target: Record | None) -> str | None:
    if target is None:
        return str(session.note.get("stopped", f"{session.document['TrafficMirrorTargetId']} was deleted"))
    if not sharing.may_use_target(context, target):
        return f"{target.id} is no longer shared with {session.account}"
    return why_unusable(context.transaction, target)


def _unused_network(context: Context) -> int:
    """A random VNI that no session has, of this account or another."""
    while True:
        vni = context.random.randint(1, MAX_VNI)
        if not context.transaction.mentions("VirtualNetworkId", vni):
            return vni


def _number_taken(session: Record, taken: SlotTaken) -> ApiError:
    return ApiError(
        "InvalidParameterValue",
        f"Session number {session.slot} is already being used by {taken.holder} on {session.parent}",
    )


_LISTING = Listing(
    kind=Kind.SESSION,
    result="TrafficMirrorSessions",
    ids="TrafficMirrorSessionIds",
    not_found=NOT_FOUND[Kind.SESSION],
    noun=NOUNS[Kind.SESSION],
    filters={
        "description": member("Description"),
        "network-interface-id": member("NetworkInterfaceId"),
        "owner-id": member("OwnerId"),
        "packet-length": member("PacketLength"),
        "session-number": member("SessionNumber"),
        "traffic-mirror-filter-id": member("TrafficMirrorFilterId"),
        "traffic-mirror-session-id": member("TrafficMirrorSessionId"),
        "traffic-mirror-target-id": member("TrafficMirrorTargetId"),
        "virtual-network-id": member("VirtualNetworkId"),
    },
    render=with_tags,
    id_filter="traffic-mirror-session-id",
)
