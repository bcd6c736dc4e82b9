"""What surrounds mirroring in a policy file: VPCs, network interfaces, load balancers, endpoints, tags.

Each function reads one object (a ``Node``) of ``aws ec2 describe-vpcs``, ``describe-network-interfaces``,
``describe-vpc-endpoints`` or ``aws elbv2 describe-load-balancers``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from ipaddress import IPv4Address, IPv4Network

from halfsilver.harness.law import LONGEST_FRAME
from halfsilver.harness.policy.node import Node, is_identifier, show
from halfsilver.harness.policy.types import (
    DEFAULT_MTU,
    Address,
    LoadBalancer,
    LoadBalancerAddress,
    NetworkInterface,
    VpcEndpoint,
)
from halfsilver.harness.spelling import nearest

__all__ = ["load_balancer_name", "read_endpoint", "read_interface", "read_load_balancer", "read_resolver", "read_tags"]

MIN_MTU, MAX_MTU = 576, LONGEST_FRAME
"""The smallest datagram every IPv4 host takes (RFC 791), and the longest frame the NIC handles; in bytes."""
TAG_PREFIX = "halfsilver:"
MTU_TAG, RESOLVER_TAG = TAG_PREFIX + "mtu", TAG_PREFIX + "resolver"

_NLB_ARN = re.compile(r"arn:[\w-]+:elasticloadbalancing:[\w-]*:\w*:loadbalancer/(net/[\w-]+/\w+)", re.ASCII)


def load_balancer_name(arn: str) -> str | None:
    """``net/name/id`` of a Network Load Balancer's ARN, None for any other text."""
    match = _NLB_ARN.fullmatch(arn)
    return match.group(1) if match else None


def read_resolver(node: Node) -> IPv4Address | None:
    """The DNS resolver of a VPC: base + 2 of its primary IPv4 network, which AWS allows from /16 to /28."""
    block = node.cidr("CidrBlock")
    if block is None:
        return None
    if isinstance(block, IPv4Network) and 16 <= block.prefixlen <= 28:
        return block.network_address + 2
    node.error("CidrBlock", f"must be an IPv4 network of /16 to /28, not {block}")
    return None


def read_interface(node: Node, eni_id: str, resolvers: Mapping[str, IPv4Address]) -> NetworkInterface:
    """An interface with whatever could be read of it; ``resolvers`` are those of the VPCs, by id."""
    ipv4, ipv6, primary_ipv6 = node.ipv4("PrivateIpAddress"), node.ipv6("Ipv6Address"), None
    addresses: set[Address | None] = {ipv4, ipv6}
    for entry in node.children("PrivateIpAddresses"):
        address4 = entry.ipv4("PrivateIpAddress")
        addresses.add(address4)
        ipv4 = ipv4 or address4
    for entry in node.children("Ipv6Addresses"):
        address6 = entry.ipv6("Ipv6Address")
        addresses.add(address6)
        ipv6 = ipv6 or address6
        if entry.values.get("IsPrimaryIpv6") is True:
            primary_ipv6 = primary_ipv6 or address6
    vpc_id = node.identifier("VpcId", "vpc")
    mtu, resolver = _read_settings(node)
    return NetworkInterface(
        eni_id=eni_id,
        mac=node.mac("MacAddress"),
        ipv4=ipv4,
        ipv6=primary_ipv6 or ipv6,
        addresses=frozenset(address for address in addresses if address is not None),
        mtu=mtu or DEFAULT_MTU,
        resolver=resolver or resolvers.get(vpc_id or ""),
        vpc_id=vpc_id,
        zone=node.text("AvailabilityZone"),
        description=node.text("Description") or "",
        subnet_id=node.identifier("SubnetId", "subnet"),
        group_ids=_read_groups(node),
    )


def _read_groups(node: Node) -> tuple[str, ...]:
    """The ids of an interface's security groups."""
    found = [entry.identifier("GroupId", "sg") for entry in node.children("Groups")]
    return tuple(group_id for group_id in found if group_id is not None)


def _read_settings(node: Node) -> tuple[int | None, IPv4Address | None]:
    """MTU and resolver from the interface's tags."""
    mtu, resolver = None, None
    known = (MTU_TAG, RESOLVER_TAG)
    for key, place, value in read_tags(node, "TagSet", known) + read_tags(node, "Tags", known):
        if key == MTU_TAG:
            if re.fullmatch("[0-9]{1,5}", value) and MIN_MTU <= int(value) <= MAX_MTU:
                mtu = int(value)
            else:
                node.error(place, f"{key} must be a whole number from {MIN_MTU} to {MAX_MTU}, not {show(value)}")
        else:
            try:
                resolver = ipaddress.IPv4Address(value)
            except ValueError:
                node.error(place, f"{key} must be an IPv4 address such as 10.0.0.2, not {show(value)}")
    return mtu, resolver


def read_tags(node: Node, field: str, known: Collection[str] = ()) -> list[tuple[str, str, str]]:
    """The ``halfsilver:`` tags that are known, as (key, place, value); each that is not is refused."""
    tags: list[tuple[str, str, str]] = []
    for index, tag in enumerate(node.children(field)):
        key, value = tag.text("Key"), tag.text("Value")
        if key is None or not key.casefold().startswith(TAG_PREFIX):
            continue
        if any(key == other for other, _, _ in tags):
            tag.error("Key", f"{key} is there twice; an object has one tag of a key")
        elif key in known:
            tags.append((key, f"{field}[{index}]", value or ""))
        else:
            # Ignored, a misspelt setting would leave the usual one in force: longer copies than were asked for.
            meant = nearest(key[len(TAG_PREFIX) :], (name[len(TAG_PREFIX) :] for name in known))
            right = (
                f"did you mean {TAG_PREFIX}{meant}?"
                if meant
                else f"known here: {', '.join(known) or 'none'}; remove it"
            )
            tag.error("Key", f"{show(key)} is no setting of this project; {right}")
    return tags


def read_load_balancer(node: Node, arn: str) -> LoadBalancer:
    places = []
    for zone in node.children("AvailabilityZones"):
        name = zone.text("ZoneName")
        for entry in zone.children("LoadBalancerAddresses"):
            found = (entry.ipv4("PrivateIPv4Address"), entry.ipv6("IPv6Address"), entry.address("IpAddress"))
            places.append(LoadBalancerAddress(name, tuple(address for address in found if address is not None)))
    return LoadBalancer(arn, node.identifier("VpcId", "vpc"), tuple(places))


def read_endpoint(node: Node, endpoint_id: str) -> VpcEndpoint:
    eni_ids = []
    for name, item in node.items("NetworkInterfaceIds"):
        if isinstance(item, str) and is_identifier(item, "eni"):
            eni_ids.append(item)
        else:
            node.error(name, f"must be an id such as eni-0123456789abcdef0, not {show(item)}")
    return VpcEndpoint(endpoint_id, node.text("VpcEndpointType"), tuple(eni_ids))
