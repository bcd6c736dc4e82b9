"""A proposal in AWS's shape: what ``aws ec2 describe-*`` would print of the sources, filters, targets and sessions.

Ids follow from what they name, so that the same captures give the same file: an interface's ends in its MAC address.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network
from itertools import count
from typing import Any

from halfsilver.harness.policy.filters import AMAZON_DNS
from halfsilver.harness.policy.types import Address, Network
from halfsilver.harness.propose.presets import Plan, RulePlan
from halfsilver.harness.propose.survey import Station

__all__ = ["local_networks", "propose"]

Object = dict[str, Any]

MADE_UP_IPV4, MADE_UP_IPV6 = IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")
"""First addresses of the networks for documentation (RFC 5737, RFC 3849)."""
MADE_UP_MAC = 0x0A_00_00_00_00_01
"""Locally administered, unicast."""
FIRST_NUMBER, STEP = 10, 10
"""Numbers of rules, with room between them."""
SMALLEST_VPC, LARGEST_VPC = 24, 16
"""Prefix lengths of the network that is taken for the VPC's; AWS allows /16 to /28."""
VPC_IPV6 = 56
"""AWS's prefix length of a VPC's IPv6 network."""


def propose(stations: Sequence[Station], plans: Sequence[Plan], taken: Collection[bytes], *, minimal: bool) -> Object:
    """The policy: a session of each plan for each station, in this order.

    ``taken`` are MACs that nothing made up may have. ``minimal`` leaves out what no reader needs. Without stations, one
    interface is made up; it has frames with tap mode only.
    """
    macs = (number.to_bytes(6) for number in count(MADE_UP_MAC))
    free = (mac for mac in macs if mac not in taken)
    sources = [*stations] or [Station(next(free))]
    used = {address for station in sources for address in _addresses(station)}
    ipv4, ipv6 = _free_addresses(MADE_UP_IPV4, used), _free_addresses(MADE_UP_IPV6, used)
    interfaces = []
    for station in sources:
        what = "" if minimal else "router" if station.is_router else "host"
        interfaces.append(_interface(station.mac, _addresses(station) or [next(ipv4)], what))
    reached_by = [ipv4 if "PrivateIpAddress" in interface else ipv6 for interface in interfaces]
    appliances: list[Object] = []
    targets: dict[str, Object] = {}
    for appliance in sorted({plan.appliance for plan in plans}):
        what = "" if minimal else f"appliance {appliance}, made up"
        appliances.append(_interface(next(free), [next(each) for each in (ipv4, ipv6) if each in reached_by], what))
        targets[appliance] = _target(len(appliances), appliances[-1], what)
    filters = [_filter(number, plan, minimal) for number, plan in enumerate(plans, 1)]
    numbers = count(1)
    sessions = [
        _session(next(numbers), interface, number, mirror_filter, targets[plan.appliance])
        for interface in interfaces
        for number, (plan, mirror_filter) in enumerate(zip(plans, filters, strict=True), 1)
    ]
    return {
        "NetworkInterfaces": interfaces + appliances,
        "TrafficMirrorTargets": list(targets.values()),
        "TrafficMirrorFilters": filters,
        "TrafficMirrorSessions": sessions,
    }


def _addresses(station: Station) -> list[Address]:
    return [address for version in (4, 6) if (address := station.address(version)) is not None]


def _free_addresses(first: Address, used: Collection[Address]) -> Iterator[Address]:
    return (address for number in count() if (address := first + number) not in used)


def _identifier(prefix: str, number: int) -> str:
    return f"{prefix}-{number:017x}"


def _interface(mac: bytes, addresses: Sequence[Address], description: str) -> Object:
    found: Object = {"NetworkInterfaceId": _identifier("eni", int.from_bytes(mac))}
    if description:
        found["Description"] = description
    found["MacAddress"] = mac.hex(":")
    for address in addresses:
        if address.version == 4:
            found["PrivateIpAddress"] = str(address)
        else:
            found["Ipv6Addresses"] = [{"Ipv6Address": str(address)}]
    return found


def _target(number: int, interface: Object, description: str) -> Object:
    found: Object = {
        "TrafficMirrorTargetId": _identifier("tmt", number),
        "NetworkInterfaceId": interface["NetworkInterfaceId"],
    }
    if description:
        found |= {"Type": "network-interface", "Description": description}
    return found


def _filter(number: int, plan: Plan, minimal: bool) -> Object:
    found: Object = {"TrafficMirrorFilterId": _identifier("tmf", number)}
    if not minimal:
        found["Description"] = plan.description
    for direction in ("ingress", "egress"):
        rules = [rule for rule in plan.rules if rule.direction == direction]
        if rules or not minimal:
            found[f"{direction.capitalize()}FilterRules"] = [
                _rule(number, place, rule, minimal) for place, rule in enumerate(rules)
            ]
    if plan.amazon_dns or not minimal:
        found["NetworkServices"] = [AMAZON_DNS] if plan.amazon_dns else []
    return found


def _rule(filter_number: int, place: int, plan: RulePlan, minimal: bool) -> Object:
    number = FIRST_NUMBER + place * STEP
    way = ("ingress", "egress").index(plan.direction) + 1
    found: Object = {"TrafficMirrorFilterRuleId": _identifier("tmfr", (filter_number << 20) + (way << 16) + number)}
    if not minimal:
        found |= {"TrafficMirrorFilterId": _identifier("tmf", filter_number), "TrafficDirection": plan.direction}
    found |= {"RuleNumber": number, "RuleAction": "accept" if plan.accept else "reject"}
    if plan.protocol is not None:
        found["Protocol"] = plan.protocol
    for name, port in (("DestinationPortRange", plan.destination_port), ("SourcePortRange", plan.source_port)):
        if port is not None:
            found[name] = {"FromPort": port, "ToPort": port}
    return found | {"SourceCidrBlock": plan.source, "DestinationCidrBlock": plan.destination}


def _session(number: int, interface: Object, session_number: int, mirror_filter: Object, target: Object) -> Object:
    return {
        "TrafficMirrorSessionId": _identifier("tms", number),
        "NetworkInterfaceId": interface["NetworkInterfaceId"],
        "TrafficMirrorFilterId": mirror_filter["TrafficMirrorFilterId"],
        "TrafficMirrorTargetId": target["TrafficMirrorTargetId"],
        "SessionNumber": session_number,
        "VirtualNetworkId": number,
    }


def local_networks(stations: Sequence[Station]) -> tuple[Network, ...]:
    """What is taken for the VPC's networks, by the addresses of the stations; of each IP version one at most.

    IPv4: the smallest of /16 to /24 that has all of those that share the first one's /16. IPv6: the first one's /56.
    """
    networks: list[Network] = []
    ipv4 = [address for station in stations if isinstance(address := station.address(4), IPv4Address)]
    if ipv4:
        lengths = range(SMALLEST_VPC, LARGEST_VPC - 1, -1)
        around = [ip_network((ipv4[0], length), strict=False) for length in lengths]
        near = [address for address in ipv4 if address in around[-1]]
        networks.append(next(network for network in around if all(address in network for address in near)))
    ipv6 = [address for station in stations if isinstance(address := station.address(6), IPv6Address)]
    if ipv6:
        networks.append(ip_network((ipv6[0], VPC_IPV6), strict=False))
    return tuple(networks)
