"""Which MAC address has which IP address, as the policy's interfaces say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from halfsilver.harness.policy.policy import Policy

__all__ = ["stations_of"]


def stations_of(policy: Policy) -> dict[bytes, bytes]:
    """IP address -> MAC address, of all interfaces in the file; of two with one address, of the first that has it.

    The NIC's own interfaces come before others.
    """
    ours = {interface.eni_id for interface in policy.interfaces}
    interfaces = sorted(
        policy.documents.get("NetworkInterfaces", ()), key=lambda each: each["NetworkInterfaceId"] not in ours
    )
    stations: dict[bytes, bytes] = {}
    for interface in interfaces:
        if "MacAddress" in interface:
            mac = bytes.fromhex(interface["MacAddress"].replace(":", "").replace("-", ""))
            for address in _addresses(interface):
                stations.setdefault(ip_address(address).packed, mac)
    return stations


def _addresses(interface: Mapping[str, Any]) -> Iterator[str]:
    for member in ("PrivateIpAddress", "Ipv6Address"):
        if interface.get(member):
            yield interface[member]
    for members, member in (("PrivateIpAddresses", "PrivateIpAddress"), ("Ipv6Addresses", "Ipv6Address")):
        for entry in interface.get(members) or ():
            if entry.get(member):
                yield entry[member]
