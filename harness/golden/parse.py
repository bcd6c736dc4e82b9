"""Step 1: from the bytes of a frame to the fields the rules look at.

Follows ``docs/mirroring.md`` section 3. Lengths written inside IP headers
are never looked at, only the bytes that are present.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from halfsilver.harness.law import LONGEST_FRAME, SHORTEST_FRAME

__all__ = ["EXTENSION_HEADERS", "Headers", "Kind", "parse", "parsed_as_whole"]

EXTENSION_HEADERS = 8
"""IPv6 extension headers that are read unless told otherwise."""

_ETHERTYPE_AT = 12
_VLAN_TAGS = (0x8100, 0x88A8)
_MOST_TAGS = 2
_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
_IPV4_FIXED, _IPV6_FIXED = 20, 40

_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
_ECHO_TYPES = {_ICMP: (8, 0), _ICMPV6: (128, 129)}
_FILLERS = (b"\x08", b"\x80")
"""Each begins an echo request, as ICMP and as ICMPv6; neither is the number of an IPv6 extension header."""

# IPv6 extension headers by next-header value (IANA); how long each is differs.
_FRAGMENT, _AUTHENTICATION = 44, 51
_EXTENSIONS = (0, 43, _FRAGMENT, _AUTHENTICATION, 60, 135)


class Kind(enum.Enum):
    """What the frame is, as far as mirroring cares."""

    MALFORMED = "malformed"
    NOT_IP = "not IP"
    ARP = "ARP"
    IPV4 = "IPv4"
    IPV6 = "IPv6"


class Headers(NamedTuple):
    """The fields of one frame. ``why`` says why it is malformed or not IP; addresses are integers.

    ``protocol`` is None where IPv6 extension headers hide it. ``ports`` (source, destination) is None where
    there are none, and ``no_ports`` says why. ``echo`` is the identifier of an ICMP echo.
    """

    kind: Kind
    why: str = ""
    vlan: tuple[int, ...] = ()
    source: int = 0
    destination: int = 0
    protocol: int | None = None
    fragment: bool = False
    ports: tuple[int, int] | None = None
    no_ports: str = "not an IP packet"
    echo: int | None = None


def parse(frame: bytes, bad: bool = False, extension_headers: int = EXTENSION_HEADERS) -> Headers:
    """Parse an Ethernet frame without FCS; ``bad`` is the MAC's flag. Never raises: a bad frame is a Kind."""
    if bad:
        return Headers(Kind.MALFORMED, "flagged bad by the MAC")
    if len(frame) < SHORTEST_FRAME:
        return Headers(Kind.MALFORMED, f"{len(frame)} bytes, shorter than {SHORTEST_FRAME}")
    if len(frame) > LONGEST_FRAME:
        return Headers(Kind.MALFORMED, f"{len(frame)} bytes, longer than {LONGEST_FRAME}")

    vlan: tuple[int, ...] = ()
    position = _ETHERTYPE_AT
    ethertype = _number(frame, position, 2)
    while ethertype in _VLAN_TAGS:
        if len(vlan) == _MOST_TAGS:
            return Headers(Kind.NOT_IP, f"more than {_MOST_TAGS} VLAN tags", vlan)
        if len(frame) < position + 6:
            return Headers(Kind.NOT_IP, "ends inside a VLAN tag", vlan)
        vlan += (_number(frame, position + 2, 2) & 0x0FFF,)
        position += 4
        ethertype = _number(frame, position, 2)

    if ethertype == _IPV4:
        return _parse_ipv4(frame, position + 2, vlan)
    if ethertype == _IPV6:
        return _parse_ipv6(frame, position + 2, vlan, extension_headers)
    if ethertype == _ARP:
        return Headers(Kind.ARP, vlan=vlan)
    return Headers(Kind.NOT_IP, f"ethertype or length 0x{ethertype:04x}", vlan)


def parsed_as_whole(present: bytes, original_length: int) -> bool:
    """Whether a frame that lacks its last bytes has the headers of the whole one, whatever they were."""
    missing = original_length - len(present)
    if original_length > LONGEST_FRAME:  # which is malformed; a capture may claim 4 GiB
        return False
    headers = parse(present)
    return all(parse(present + filler * missing) == headers for filler in _FILLERS)


def _number(frame: bytes, start: int, size: int) -> int:
    return int.from_bytes(frame[start : start + size], "big")


def _ends_inside(what: str, present: int, needed: int, vlan: tuple[int, ...]) -> Headers:
    return Headers(Kind.MALFORMED, f"ends inside the {what} ({present} of {needed} bytes)", vlan)


def _parse_ipv4(frame: bytes, start: int, vlan: tuple[int, ...]) -> Headers:
    present = len(frame) - start
    if present < 1:
        return Headers(Kind.MALFORMED, "ends before the IPv4 header", vlan)
    version, ihl = frame[start] >> 4, frame[start] & 0x0F
    if version != 4:
        return Headers(Kind.MALFORMED, f"IPv4 ethertype but IP version {version}", vlan)
    if ihl < 5:
        return Headers(Kind.MALFORMED, f"IPv4 IHL {ihl}, less than 5", vlan)
    if present < _IPV4_FIXED:
        return _ends_inside("IPv4 header", present, _IPV4_FIXED, vlan)
    if present < ihl * 4:
        return _ends_inside("IPv4 options", present, ihl * 4, vlan)

    flags_and_offset = _number(frame, start + 6, 2)
    more_fragments, offset = flags_and_offset & 0x2000 != 0, flags_and_offset & 0x1FFF
    protocol = frame[start + 9]
    ports, no_ports = _ports(frame, start + ihl * 4, protocol, later_fragment=offset != 0)
    fragment = more_fragments or offset != 0
    echo = _echo(frame, start + ihl * 4, protocol) if protocol == _ICMP and not fragment else None
    return Headers(
        Kind.IPV4,
        "",
        vlan,
        _number(frame, start + 12, 4),
        _number(frame, start + 16, 4),
        protocol,
        fragment,
        ports,
        no_ports,
        echo,
    )


def _parse_ipv6(frame: bytes, start: int, vlan: tuple[int, ...], bound: int) -> Headers:
    present = len(frame) - start
    if present < 1:
        return Headers(Kind.MALFORMED, "ends before the IPv6 header", vlan)
    version = frame[start] >> 4
    if version != 6:
        return Headers(Kind.MALFORMED, f"IPv6 ethertype but IP version {version}", vlan)
    if present < _IPV6_FIXED:
        return _ends_inside("IPv6 header", present, _IPV6_FIXED, vlan)

    source, destination = _number(frame, start + 8, 16), _number(frame, start + 24, 16)
    protocol = frame[start + 6]
    position = start + _IPV6_FIXED
    headers_read = 0
    fragment = later_fragment = False
    while protocol in _EXTENSIONS and not later_fragment:
        hidden = ""
        if headers_read == bound:
            hidden = f"more than {bound} IPv6 extension headers"
        elif len(frame) < position + 4:
            hidden = "the frame ends inside the IPv6 extension headers"
        if hidden:
            return Headers(Kind.IPV6, "", vlan, source, destination, None, fragment, None, hidden, None)
        headers_read += 1
        next_header, length = frame[position], frame[position + 1]
        if protocol == _FRAGMENT:
            offset_and_more = _number(frame, position + 2, 2)
            later_fragment = offset_and_more >> 3 != 0
            if later_fragment or offset_and_more & 1:
                fragment = True
            position += 8
        elif protocol == _AUTHENTICATION:
            position += (length + 2) * 4
        else:
            position += (length + 1) * 8
        protocol = next_header

    ports, no_ports = _ports(frame, position, protocol, later_fragment)
    echo = _echo(frame, position, protocol) if protocol == _ICMPV6 and not fragment else None
    return Headers(Kind.IPV6, "", vlan, source, destination, protocol, fragment, ports, no_ports, echo)


def _ports(frame: bytes, start: int, protocol: int, later_fragment: bool) -> tuple[tuple[int, int] | None, str]:
    """(source port, destination port), or None and why there are none; the header begins at ``start``."""
    if protocol not in (_TCP, _UDP):
        return None, "neither TCP nor UDP"
    if later_fragment:
        return None, "fragment, not the first"
    if len(frame) < start + 4:
        return None, "the frame ends before them"
    return (_number(frame, start, 2), _number(frame, start + 2, 2)), ""


def _echo(frame: bytes, start: int, protocol: int) -> int | None:
    """The identifier of an ICMP or ICMPv6 echo request or reply whose header begins at ``start``."""
    if len(frame) < start + 6 or frame[start] not in _ECHO_TYPES[protocol]:
        return None
    return _number(frame, start + 4, 2)
