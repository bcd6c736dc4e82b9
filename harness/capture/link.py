"""Frames captured without an Ethernet header: what stands in its place is taken off, and one is put in front.

Link types by draft-ietf-opsawg-pcaplinktype; LINUX_SLL and LINUX_SLL2 as libpcap describes them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = [
    "ETHERTYPE_IPV4",
    "ETHERTYPE_IPV6",
    "LINK_ETHERNET",
    "LINK_NAMES",
    "MADE_UP_MAC",
    "OTHER_LINKS",
    "HeaderCutOff",
    "Stations",
    "network_header",
    "ip_addresses",
    "with_ethernet",
]

Stations = Mapping[bytes, bytes]
"""IP address -> MAC address, of interfaces that are known."""

MADE_UP_MAC = bytes.fromhex("020000000000")
"""Of a station that is not known: locally administered (IEEE 802, clause 8.4), so it is nobody's."""

LINK_ETHERNET = 1
LINK_NAMES = {
    0: "NULL",
    9: "PPP",
    12: "RAW",
    101: "RAW",
    104: "C_HDLC",
    105: "IEEE802_11",
    108: "LOOP",
    113: "LINUX_SLL",
    127: "IEEE802_11_RADIOTAP",
    189: "USB_LINUX",
    192: "PPI",
    220: "USB_LINUX_MMAPPED",
    228: "IPV4",
    229: "IPV6",
    239: "NFLOG",
    249: "USBPCAP",
    276: "LINUX_SLL2",
}
"""Some link types by their registered name, for messages; 12 is what BSD writes for 101."""

ETHERTYPE_IPV4, ETHERTYPE_IPV6, _ARP, _RESERVED = 0x0800, 0x86DD, 0x0806, 0xFFFF
"""Ethertypes (IANA "Ethertypes"); the last is nobody's, for what is not IP."""
_VLAN_TAGS = (0x8100, 0x88A8)
_FAMILIES = {2: ETHERTYPE_IPV4, 10: ETHERTYPE_IPV6, 24: ETHERTYPE_IPV6, 28: ETHERTYPE_IPV6, 30: ETHERTYPE_IPV6}
"""AF_INET, and AF_INET6 of Linux, NetBSD, FreeBSD and Darwin."""
_BROADCAST = 1
_OUTBOUND = {0: False, 1: False, 2: False, 3: False, 4: True}
"""Packet types of LINUX_SLL: to everybody; whether it left: not if to us, to all, to a group or another; from us."""
_SLL, _SLL2 = struct.Struct("!HHH8sH"), struct.Struct("!HHIHBB8s")
_ADDRESSES = {ETHERTYPE_IPV4: (12, 16, 4), ETHERTYPE_IPV6: (8, 24, 16), _ARP: (14, 24, 4)}
"""Where source and destination address stand, and how long they are (RFC 791, 8200, 826)."""


class HeaderCutOff(Exception):
    """The frame ends within the header of its link type."""


@dataclass(frozen=True, slots=True)
class _Link:
    """What a frame's own header says: its bytes, the ethertype, the sender's MAC address and the way if it has them."""

    size: int
    ethertype: int
    sender: bytes | None = None
    broadcast: bool = False
    outbound: bool | None = None


def _family(data: bytes) -> _Link:
    """Four bytes of address family, in either byte order."""
    (family,) = struct.unpack_from("<I", data)
    (swapped,) = struct.unpack_from(">I", data)
    return _Link(4, _FAMILIES.get(family, _FAMILIES.get(swapped, _RESERVED)))


def _version(data: bytes) -> _Link:
    return _Link(0, ETHERTYPE_IPV6 if data[0] >> 4 == 6 else ETHERTYPE_IPV4)


def _sll(data: bytes) -> _Link:
    kind, _hardware, size, address, protocol = _SLL.unpack_from(data)
    return _Link(_SLL.size, protocol, _mac(address, size), kind == _BROADCAST, _OUTBOUND.get(kind))


def _sll2(data: bytes) -> _Link:
    protocol, _reserved, _interface, _hardware, kind, size, address = _SLL2.unpack_from(data)
    return _Link(_SLL2.size, protocol, _mac(address, size), kind == _BROADCAST, _OUTBOUND.get(kind))


def _mac(address: bytes, size: int) -> bytes | None:
    """None where it is another kind of address, or that of a loopback."""
    return address[:6] if size == 6 and any(address[:6]) else None


OTHER_LINKS: dict[int, Callable[[bytes], _Link]] = {
    0: _family,
    12: _version,
    101: _version,
    108: _family,
    113: _sll,
    228: lambda data: _Link(0, ETHERTYPE_IPV4),
    229: lambda data: _Link(0, ETHERTYPE_IPV6),
    276: _sll2,
}
"""Link types whose frames can be given an Ethernet header."""


def with_ethernet(link: int, data: bytes, stations: Stations) -> tuple[bytes, int, bool | None]:
    """The frame with an Ethernet header, by how many bytes it is longer, and whether it left, None if nothing says so.

    HeaderCutOff if it ends in its own header.

    MAC addresses are those of ``stations``; else the sender's, where the capture has it, that of a group (RFC 1112
    section 6.4, RFC 2464 section 7), or MADE_UP_MAC.
    """
    try:
        of = OTHER_LINKS[link](data)
    except struct.error:
        raise HeaderCutOff from None
    packet = data[of.size :]
    source, destination = ip_addresses(of.ethertype, packet)
    sender = stations.get(source) or of.sender or MADE_UP_MAC
    receiver = b"\xff" * 6 if of.broadcast else stations.get(destination) or _group(destination) or MADE_UP_MAC
    return receiver + sender + of.ethertype.to_bytes(2, "big") + packet, 14 - of.size, of.outbound


def network_header(data: bytes) -> tuple[int, int]:
    """The ethertype behind at most two VLAN tags, and where the header behind it begins."""
    at = 12
    for _ in range(2):
        if int.from_bytes(data[at : at + 2], "big") in _VLAN_TAGS:
            at += 4
    return int.from_bytes(data[at : at + 2], "big"), at + 2


def ip_addresses(ethertype: int, packet: bytes) -> tuple[bytes, bytes]:
    """Of an IP or ARP packet: source and destination, empty where there are none."""
    if ethertype not in _ADDRESSES:
        return b"", b""
    source, destination, size = _ADDRESSES[ethertype]
    return packet[source : source + size], packet[destination : destination + size]


def _group(address: bytes) -> bytes | None:
    """The MAC address of a multicast group or of the broadcast; None for any other address."""
    if address == b"\xff" * 4:
        return b"\xff" * 6
    if len(address) == 4 and address[0] >> 4 == 0xE:
        return bytes((0x01, 0x00, 0x5E, address[1] & 0x7F, *address[2:]))
    if len(address) == 16 and address[0] == 0xFF:
        return b"\x33\x33" + address[12:]
    return None
