"""AWS's describe output, read into an ``Described``; everything the guide and the API forbid is refused here.

The limits and their sources (the Traffic Mirroring guide, the EC2 API reference, our decisions) are in
``docs/mirroring.md`` sections 1 and 12. Reading never stops at a problem: an object that cannot be used is left out,
its id stays known, and the rest is read, so that all problems come out at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TypeVar

from halfsilver.harness.policy.fields import Choice, Field, Identifier, Pattern, Text, Whole
from halfsilver.harness.policy.filters import FILTER, read_filter
from halfsilver.harness.policy.members import PAGE_MARKS, check_lists, check_members, list_shapes
from halfsilver.harness.policy.network import (
    ENDPOINT,
    INTERFACE,
    LISTENER,
    LOAD_BALANCER,
    TAGS,
    TARGET_GROUP,
    VPC,
    load_balancer_name,
    read_endpoint,
    read_interface,
    read_listener,
    read_load_balancer,
    read_resolver,
    read_tags,
    read_target_group,
)
from halfsilver.harness.policy.node import Node, show
from halfsilver.harness.policy.reachability import (
    ATTACHMENT,
    PEERING,
    ROUTE_TABLE,
    read_attachment,
    read_peering,
    read_route_table,
)
from halfsilver.harness.policy.security import NETWORK_ACL, SECURITY_GROUP, read_network_acl, read_security_group
from halfsilver.harness.policy.types import (
    MAX_NUMBER,
    MAX_PACKET_LENGTH,
    MAX_VNI,
    NLB_PACKET_LENGTH,
    Described,
    Limits,
    MirrorSession,
    Problem,
    Target,
    TargetKind,
)

__all__ = ["DESTINATIONS", "LISTS", "STOPPED", "WHOLE_FILE", "read", "read_session_numbers"]

T = TypeVar("T")

_ARN = re.compile(r"arn:[!-~]{1,250}")


def _arn_field(name: str) -> Pattern:
    right = "an ARN such as arn:aws:elasticloadbalancing:..."
    return Pattern(name, "its ARN", required=True, pattern="^arn:[!-~]{1,250}$", right=right)


DESTINATIONS: dict[str, TargetKind] = {
    "NetworkInterfaceId": "network-interface",
    "NetworkLoadBalancerArn": "network-load-balancer",
    "GatewayLoadBalancerEndpointId": "gateway-load-balancer-endpoint",
}
"""The members that say where a target leads, each with the type of such a target."""
STOPPED = "StoppedReason"
"""Why a session does not mirror any more: a member of ours, which AWS has no place for. Its target may be gone."""

TARGET_TYPE = Choice(
    "Type", "follows from which of the three destinations it has, if stated", options=tuple(DESTINATIONS.values())
)
TARGET_ENI = Identifier("NetworkInterfaceId", "the interface that gets the copies; no source", prefix="eni")
TARGET_NLB = Pattern(
    "NetworkLoadBalancerArn",
    "the load balancer that gets the copies; of one target only",
    pattern="^arn:[A-Za-z0-9_-]+:elasticloadbalancing:[A-Za-z0-9_-]*:[A-Za-z0-9_]*:loadbalancer/net/"
    "[A-Za-z0-9_-]+/[A-Za-z0-9_]+$",
    right="a Network Load Balancer's ARN (arn:aws:elasticloadbalancing:...:loadbalancer/net/NAME/ID)",
)
TARGET_ENDPOINT = Identifier("GatewayLoadBalancerEndpointId", "the endpoint that gets the copies", prefix="vpce")
TARGET = (TARGET_TYPE, TARGET_ENI, TARGET_NLB, TARGET_ENDPOINT, TAGS)

SESSION_ENI = Identifier("NetworkInterfaceId", "the source, in NetworkInterfaces", required=True, prefix="eni")
SESSION_TARGET = Identifier("TrafficMirrorTargetId", "where its copies go", required=True, prefix="tmt")
SESSION_FILTER = Identifier("TrafficMirrorFilterId", "what it takes", required=True, prefix="tmf")
SESSION_STOPPED = Text(STOPPED, "a member of ours: why it does not mirror any more; its target may then be gone")
SESSION_NUMBER = Whole(
    "SessionNumber",
    "sessions of an interface are tried in ascending number; unique there",
    required=True,
    low=1,
    high=MAX_NUMBER,
)
VNI = Whole("VirtualNetworkId", "the VNI of its copies; absent, it is made from the session's id", low=1, high=MAX_VNI)
PACKET_LENGTH = Whole(
    "PacketLength",
    f"bytes of a frame that are copied, at most; {NLB_PACKET_LENGTH} with a load balancer, which is what holds there "
    "too where it is absent; else the whole frame",
    low=1,
    high=MAX_PACKET_LENGTH,
)
SESSION = (SESSION_ENI, SESSION_TARGET, SESSION_FILTER, SESSION_NUMBER, VNI, PACKET_LENGTH, SESSION_STOPPED, TAGS)

LISTS = {
    "TrafficMirrorFilters": (Identifier("TrafficMirrorFilterId", "its id", required=True, prefix="tmf"), *FILTER),
    "TrafficMirrorSessions": (Identifier("TrafficMirrorSessionId", "its id", required=True, prefix="tms"), *SESSION),
    "TrafficMirrorTargets": (Identifier("TrafficMirrorTargetId", "its id", required=True, prefix="tmt"), *TARGET),
    "NetworkInterfaces": (Identifier("NetworkInterfaceId", "its id", required=True, prefix="eni"), *INTERFACE),
    "LoadBalancers": (_arn_field("LoadBalancerArn"), *LOAD_BALANCER),
    "Listeners": (_arn_field("ListenerArn"), *LISTENER),
    "TargetGroups": (_arn_field("TargetGroupArn"), *TARGET_GROUP),
    "VpcEndpoints": (Identifier("VpcEndpointId", "its id", required=True, prefix="vpce"), *ENDPOINT),
    "Vpcs": (Identifier("VpcId", "its id", required=True, prefix="vpc"), *VPC),
    "SecurityGroups": (Identifier("GroupId", "its id", required=True, prefix="sg"), *SECURITY_GROUP),
    "NetworkAcls": (Identifier("NetworkAclId", "its id", required=True, prefix="acl"), *NETWORK_ACL),
    "RouteTables": (Identifier("RouteTableId", "its id", required=True, prefix="rtb"), *ROUTE_TABLE),
    "VpcPeeringConnections": (Identifier("VpcPeeringConnectionId", "its id", required=True, prefix="pcx"), *PEERING),
    "TransitGatewayVpcAttachments": (
        Identifier("TransitGatewayAttachmentId", "its id", required=True, prefix="tgw-attach"),
        *ATTACHMENT,
    ),
}
"""What is read of the objects of each list; the first field is the id by which others refer to them."""

WHOLE_FILE = "the file"
"""Where a problem is that is of no part alone."""


def read(documents: object, limits: Limits | None = None) -> tuple[Described, list[Problem]]:
    """Read the documents; returns what could be read, and the errors and warnings of reading.

    Without ``limits``, those of AWS hold.
    """
    if not isinstance(documents, Mapping):
        message = f"must be a JSON object with lists such as {next(iter(LISTS))}, not {show(documents)}"
        return Described(), [Problem("error", WHOLE_FILE, message)]
    if not any(name in documents for name in LISTS):
        message = f"has none of {', '.join(LISTS)}: put what the aws describe commands print into one object"
        return Described(), [Problem("error", WHOLE_FILE, message)]
    reader = _Reader(limits or Limits())
    reader.read(Node(documents, reader.problems))
    return reader.described, reader.problems


def read_session_numbers(node: Node, kind: TargetKind | None) -> tuple[int | None, int | None, int | None]:
    """Session number, VNI and packet length of a session with a target of ``kind`` (None: not known)."""
    longest = NLB_PACKET_LENGTH if kind == "network-load-balancer" else MAX_PACKET_LENGTH
    return (SESSION_NUMBER.of(node), VNI.of(node), replace(PACKET_LENGTH, high=longest).of(node))


class _Reader:
    """One pass over a file. ``nodes`` has, per list, every object with an id of its own, usable or not."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._shapes = list_shapes()
        self.described = Described()
        self.problems: list[Problem] = []
        self.nodes: dict[str, dict[str, Node]] = {}
        self.sources: dict[str, list[str]] = {}

    def read(self, root: Node) -> None:
        """Lists in the order in which they refer to one another."""
        check_lists(root)
        for mark in PAGE_MARKS:
            if root.values.get(mark) is not None:
                root.warn(mark, "more pages exist than this file has; describe without --max-items")
        described = self.described
        resolvers: dict[str, IPv4Address] = {}
        for vpc_id, node in self._objects(root, "Vpcs"):
            resolver = read_resolver(node)
            if resolver is not None:
                resolvers[vpc_id] = resolver
        for eni_id, node in self._objects(root, "NetworkInterfaces"):
            described.interfaces[eni_id] = read_interface(node, eni_id, resolvers)
        for arn, node in self._objects(root, "LoadBalancers"):
            described.load_balancers[arn] = read_load_balancer(node, arn)
        for endpoint_id, node in self._objects(root, "VpcEndpoints"):
            described.endpoints[endpoint_id] = read_endpoint(node, endpoint_id)
        described.listeners = self._listed(root, "Listeners", read_listener)
        described.target_groups = self._listed(root, "TargetGroups", read_target_group)
        described.groups = self._listed(root, "SecurityGroups", read_security_group)
        described.acls = self._listed(root, "NetworkAcls", read_network_acl)
        described.route_tables = self._listed(root, "RouteTables", read_route_table)
        described.peerings = self._listed(root, "VpcPeeringConnections", read_peering)
        described.attachments = self._listed(root, "TransitGatewayVpcAttachments", read_attachment)
        for filter_id, node in self._objects(root, "TrafficMirrorFilters"):
            described.filters[filter_id] = read_filter(node, filter_id, described.places, self.limits.rules)
        for target_id, node in self._objects(root, "TrafficMirrorTargets"):
            self._read_target(node, target_id)
        numbers: dict[tuple[str, int], str] = {}
        for session_id, node in self._objects(root, "TrafficMirrorSessions"):
            self._read_session(node, session_id, numbers)
        for name, shape in self._shapes.items():
            if name not in LISTS:
                for node in root.nested(name):
                    check_members(node, shape)
        self._check_macs()
        self._check_sources()
        self._check_targets()

    def _objects(self, root: Node, name: str) -> list[tuple[str, Node]]:
        """The objects of a list with their ids; one without an id of its own is left out."""
        nodes = self.nodes.setdefault(name, {})
        of_node = LISTS[name][0]
        for node in root.children(name):
            identifier = of_node.of(node) if isinstance(of_node, Identifier) else _read_arn(node, of_node)
            check_members(node if identifier is None else node.named(identifier), self._shapes[name])
            if identifier is None:
                continue
            if identifier in nodes:
                node.error(of_node.name, f"{identifier} is that of {nodes[identifier].place()} already; ids are unique")
                continue
            nodes[identifier] = node.named(identifier)
            self.described.places[identifier] = nodes[identifier].place()
        return list(nodes.items())

    def _listed(self, root: Node, name: str, read_one: Callable[[Node, str], T]) -> dict[str, T] | None:
        """What a list holds, by id; None where the file does not have it."""
        if root.values.get(name) is None:
            return None
        return {identifier: read_one(node, identifier) for identifier, node in self._objects(root, name)}

    def _refer(self, node: Node, field: Identifier, name: str) -> str | None:
        """A required reference to an object of the list ``name``; None when it is wrong or leads nowhere."""
        identifier = field.of(node)
        nodes = self.nodes[name]
        if identifier is None or identifier in nodes:
            return identifier
        known = list(nodes)
        there = ", ".join(known[:3] + ["..."] * (len(known) > 3)) or "nothing"
        node.error(field.name, f"{identifier} is not in {name}, which has {there}")
        return None

    def _read_target(self, node: Node, target_id: str) -> None:
        read_tags(node)
        present = [key for key in DESTINATIONS if node.values.get(key) is not None]
        if len(present) != 1:
            node.error(
                "",
                f"has {' and '.join(present) or 'no destination'}; a target has exactly one of "
                f"{', '.join(DESTINATIONS)}",
            )
            return
        key = present[0]
        kind = DESTINATIONS[key]
        stated = TARGET_TYPE.of(node)
        if stated is not None and stated != kind:
            node.error("Type", f"must be {kind} for a target with {key}, not {stated}")
        if kind == "network-load-balancer":
            destination = _read_nlb_arn(node)
        else:
            destination = (TARGET_ENI if kind == "network-interface" else TARGET_ENDPOINT).of(node)
        if destination is None:
            return
        endpoint = self.described.endpoints.get(destination)
        if endpoint is not None and endpoint.kind not in (None, "GatewayLoadBalancer"):
            node.error(
                key, f"{destination} is an endpoint of type {show(endpoint.kind)}; it must be GatewayLoadBalancer"
            )
        self.described.targets[target_id] = Target(target_id, kind, destination)

    def _read_session(self, node: Node, session_id: str, numbers: dict[tuple[str, int], str]) -> None:
        """``numbers`` are the session numbers taken, by interface."""
        read_tags(node)
        eni_id = self._refer(node, SESSION_ENI, "NetworkInterfaces")
        stopped = SESSION_STOPPED.of(node) or None
        if stopped is None:
            target_id = self._refer(node, SESSION_TARGET, "TrafficMirrorTargets")
        else:
            target_id = SESSION_TARGET.of(node)
        filter_id = self._refer(node, SESSION_FILTER, "TrafficMirrorFilters")
        target = self.described.targets.get(target_id or "")
        kind = None if target is None else target.kind
        number, vni, packet_length = read_session_numbers(node, kind)
        if node.values.get("VirtualNetworkId") is None:
            node.warn("VirtualNetworkId", "is missing, one is made from the session's id; state the one AWS chose")
        if eni_id is None:
            return
        self.sources.setdefault(eni_id, []).append(session_id)
        if number is None:
            return
        other = numbers.setdefault((eni_id, number), session_id)
        if other != session_id:
            node.error("SessionNumber", f"{number} is also that of {other}; numbers are unique per source interface")
        if filter_id is not None and target_id is not None and (target is not None or stopped is not None):
            self.described.sessions[session_id] = MirrorSession(
                session_id, number, eni_id, filter_id, target_id, vni, packet_length, stopped
            )

    def _check_macs(self) -> None:
        owners: dict[bytes, str] = {}
        for eni_id, interface in self.described.interfaces.items():
            if interface.mac is None:
                continue
            owner = owners.setdefault(interface.mac, eni_id)
            if owner != eni_id:
                self.nodes["NetworkInterfaces"][eni_id].error(
                    "MacAddress", f"{interface.mac.hex(':')} is also that of {owner}; each interface has its own"
                )

    def _check_sources(self) -> None:
        """Not too many sessions per source, and a MAC for it: its frames are known by it."""
        most = self.limits.sessions
        for eni_id, sessions in self.sources.items():
            if len(sessions) > most:
                self.nodes["TrafficMirrorSessions"][sessions[most]].error(
                    "NetworkInterfaceId",
                    f"{eni_id} has {len(sessions)} sessions ({', '.join(sessions[:8])}); "
                    f"a source interface has at most {most}",
                )
            source = self.nodes["NetworkInterfaces"][eni_id]
            if source.values.get("MacAddress") is None:
                source.error(
                    "MacAddress",
                    f"is missing; the interface is the source of {sessions[0]} and its frames "
                    "are known by their MAC address",
                )

    def _check_targets(self) -> None:
        """A target is no source, and a load balancer is one target only."""
        balancers: dict[str, str] = {}
        for target_id, target in self.described.targets.items():
            node = self.nodes["TrafficMirrorTargets"][target_id]
            if target.destination in self.sources:
                node.error(
                    "NetworkInterfaceId",
                    f"{target.destination} is also the source of "
                    f"{self.sources[target.destination][0]}; an interface is a source or a "
                    "target, not both",
                )
            if target.kind == "network-load-balancer":
                other = balancers.setdefault(target.destination, target_id)
                if other != target_id:
                    node.error("NetworkLoadBalancerArn", f"is that of {other} too; a load balancer is one target only")


def _read_arn(node: Node, field: Field) -> str | None:
    value = node.text(field.name, field.form, required=True)
    if value is None or _ARN.fullmatch(value):
        return value
    node.error(field.name, f"must be {field.form}, not {show(value)}")
    return None


def _read_nlb_arn(node: Node) -> str | None:
    value = TARGET_NLB.of(node)
    if value is None or load_balancer_name(value):
        return value
    node.error(TARGET_NLB.name, f"must be {TARGET_NLB.form}, not {show(value)}")
    return None
