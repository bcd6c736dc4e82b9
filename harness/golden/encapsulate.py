"""Step 7: the outer packet around a copy, byte for byte as AWS sends it (``docs/mirroring.md`` section 7)."""

from __future__ import annotations

import struct
from functools import lru_cache
from ipaddress import IPv4Address

from halfsilver.harness.law import VXLAN_PORT
from halfsilver.harness.policy.policy import Outer

__all__ = ["encapsulate", "internet_checksum", "ipv4_header", "udp_checksum", "udp_header"]


_UDP = 17
_UDP_HEADER = 8
_VXLAN_FLAGS = 0x08  # RFC 7348: the VNI is valid
_IPV4_HEADER = 20
_HOP_LIMIT = 255
_IPV4_HEADERS_KEPT = 1 << 14
"""Of those last made: nothing else is in one but the length, as the identification is 0."""


def internet_checksum(data: bytes) -> int:
    """RFC 1071: one's complement of the one's complement sum of the 16-bit words, zero-padded at the end."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def encapsulate(outer: Outer, vni: int, source_port: int, copy: bytes) -> bytes:
    """The frame that leaves the NIC, without FCS: Ethernet, IP, UDP, VXLAN and the copied bytes."""
    vxlan = struct.pack("!B3xI", _VXLAN_FLAGS, vni << 8)
    payload = vxlan + copy
    addresses = outer.source.packed + outer.destination.packed
    if isinstance(outer.destination, IPv4Address):
        ethertype = 0x0800
        ip = ipv4_header(addresses, _UDP_HEADER + len(payload))
        checksum = 0
    else:
        ethertype = 0x86DD
        ip = _ipv6_header(addresses, _UDP_HEADER + len(payload))
        checksum = udp_checksum(addresses, source_port, VXLAN_PORT, payload)
    udp = udp_header(source_port, VXLAN_PORT, len(payload), checksum)
    ethernet = outer.destination_mac + outer.source_mac + struct.pack("!H", ethertype)
    return ethernet + ip + udp + payload


@lru_cache(_IPV4_HEADERS_KEPT)
def ipv4_header(addresses: bytes, payload_length: int) -> bytes:
    """Of a UDP packet; ``addresses``: source, then destination."""

    def header(checksum: int) -> bytes:
        version_ihl, tos, identification, flags = 0x45, 0, 0, 0
        return (
            struct.pack(
                "!BBHHHBBH",
                version_ihl,
                tos,
                _IPV4_HEADER + payload_length,
                identification,
                flags,
                _HOP_LIMIT,
                _UDP,
                checksum,
            )
            + addresses
        )

    return header(internet_checksum(header(0)))


def _ipv6_header(addresses: bytes, payload_length: int) -> bytes:
    version_class_label = 6 << 28
    fixed = struct.pack("!IHBB", version_class_label, payload_length, _UDP, _HOP_LIMIT)
    return fixed + addresses


def udp_header(source_port: int, destination_port: int, payload_length: int, checksum: int) -> bytes:
    return struct.pack("!HHHH", source_port, destination_port, _UDP_HEADER + payload_length, checksum)


def udp_checksum(addresses: bytes, source_port: int, destination_port: int, payload: bytes) -> int:
    """Over pseudo-header, UDP header and payload; 0 is sent as 0xffff (RFC 8200 section 8.1, RFC 768).

    ``addresses`` are those of either family: length and protocol add up to the same in both pseudo-headers.
    """
    pseudo_header = addresses + struct.pack("!II", _UDP_HEADER + len(payload), _UDP)
    header = udp_header(source_port, destination_port, len(payload), 0)
    return internet_checksum(pseudo_header + header + payload) or 0xFFFF
