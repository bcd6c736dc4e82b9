"""An appliance behind a Gateway Load Balancer, as the policy's file describes it: what the load balancer sends to it
(``docs/mirroring.md`` section 15) has these addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from halfsilver.harness.errors import UsageError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.policy.reader import read
from halfsilver.harness.policy.types import Described, NetworkInterface

__all__ = ["Appliance", "find_appliance"]

GATEWAY_TYPE = "gateway_load_balancer"
"""AWS's InterfaceType of a Gateway Load Balancer's own interfaces (EC2 API, NetworkInterface)."""


@dataclass(frozen=True, slots=True)
class Appliance:
    """The two ends of the way from a Gateway Load Balancer to one of its appliances."""

    mac: bytes
    address: IPv4Address
    gateway_mac: bytes
    gateway_address: IPv4Address


def find_appliance(policy: Policy, eni_id: str) -> Appliance:
    """The appliance with this interface. UsageError, with what would be right, if there is no way to it."""
    outers = [session.outer for interface in policy.interfaces for session in interface.sessions]
    if not any(outer is not None and outer.endpoint_id is not None for outer in outers):
        raise UsageError(
            "no copies go to a Gateway Load Balancer endpoint, so none has an appliance behind one; "
            "leave --appliance out, or see what `halfsilver check` says of the targets"
        )
    described, _ = read(policy.documents)
    appliance = described.interfaces.get(eni_id)
    if appliance is None:
        there = ", ".join([*described.interfaces][:3]) or "none"
        raise UsageError(f"the appliance {eni_id} is not in NetworkInterfaces, which has {there}; describe it there")
    gateway = _gateway_of(described, appliance)
    return Appliance(*_ends(appliance), *_ends(gateway))


def _gateway_of(described: Described, appliance: NetworkInterface) -> NetworkInterface:
    """The load balancer's interface in the appliance's VPC, in its Availability Zone if there is one."""
    near = [
        each
        for each in described.interfaces.values()
        if each.interface_type == GATEWAY_TYPE
        and (None in (each.vpc_id, appliance.vpc_id) or each.vpc_id == appliance.vpc_id)
    ]
    if not near:
        where = f" in {appliance.vpc_id}" if appliance.vpc_id else ""
        raise UsageError(
            f"NetworkInterfaces has no interface{where} with the InterfaceType {GATEWAY_TYPE}, from which "
            f"{appliance.eni_id} would get its packets; describe that of the load balancer there"
        )
    return min(near, key=lambda each: each.zone != appliance.zone)


def _ends(interface: NetworkInterface) -> tuple[bytes, IPv4Address]:
    if interface.mac is None or interface.ipv4 is None:
        lacks = "MacAddress" if interface.mac is None else "PrivateIpAddress"
        raise UsageError(f"{interface.eni_id} has no {lacks}, which GENEVE packets to an appliance need; state it")
    return interface.mac, interface.ipv4
