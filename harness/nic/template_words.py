"""The outer-header template of a session: what is constant in front of its copies."""

from __future__ import annotations

from ipaddress import IPv6Address

from halfsilver.harness.nic.places import wire_number
from halfsilver.harness.policy.policy import Outer
from halfsilver.hdl.layout.assigned_numbers import PROTOCOL_UDP
from halfsilver.hdl.layout.outer import HOP_LIMIT, TEMPLATE_BODY, TEMPLATE_SEED, VERSION_IHL, VXLAN_FLAGS, VXLAN_PORT

__all__ = ["template_words"]


def template_words(outer: Outer, vni: int) -> list[int]:
    """Template words of a session: the body's, then the checksum seed."""
    body = TEMPLATE_BODY.pack(
        destination_mac=wire_number(outer.destination_mac),
        source_mac=wire_number(outer.source_mac),
        vni=vni,
        source=wire_number(outer.source.packed),
        destination=wire_number(outer.destination.packed),
    )
    words = [body >> at & 0xFFFFFFFF for at in range(0, TEMPLATE_BODY.width, 32)]
    return [*words, TEMPLATE_SEED.pack(seed=_checksum_seed(outer, vni))]


def _checksum_seed(outer: Outer, vni: int) -> int:
    """What `TEMPLATE_SEED` says is to be summed."""
    if isinstance(outer.source, IPv6Address):
        vxlan = bytes([VXLAN_FLAGS, 0, 0, 0]) + vni.to_bytes(3, "big") + bytes(1)
        constant = PROTOCOL_UDP.to_bytes(2, "big") + VXLAN_PORT.to_bytes(2, "big") + vxlan
    else:
        constant = bytes([VERSION_IHL, 0, 0, 0, 0, 0, HOP_LIMIT, PROTOCOL_UDP])
    return _ones_complement_sum(constant + outer.source.packed + outer.destination.packed)


def _ones_complement_sum(octets: bytes) -> int:
    total = sum(int.from_bytes(octets[i : i + 2], "big") for i in range(0, len(octets), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total
