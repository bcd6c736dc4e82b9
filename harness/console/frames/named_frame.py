"""A frame that somebody writes down by its headers, instead of having it in a capture."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from halfsilver.harness.console.web import Form
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.policy.policy import Interface

__all__ = ["PROTOCOLS", "named_frame"]

PROTOCOLS = (("6", "TCP"), ("17", "UDP"), ("1", "ICMP"), ("58", "ICMPv6"))
WITH_PORTS = ("6", "17")
STRANGER = bytes.fromhex("020000000001")
"""The MAC of the other side: a locally administered one."""
PAYLOAD = bytes(26)
"""Behind the ports, as the rest of a header and a few bytes."""
HOPS = 64

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def named_frame(form: Form, interfaces: Sequence[Interface]) -> bytes:
    """Ethernet, IP without options, and ports; lengths and IPv4's checksum are right, the rest is zeros.

    Fields of the form: eni, direction (egress, else it comes in), protocol, source, destination, and for TCP and UDP
    source_port and destination_port. ApiError if one of them makes no sense.
    """
    interface = next((each for each in interfaces if each.eni_id == form.get("eni")), None)
    if interface is None:
        raise ApiError("InvalidNetworkInterfaceID.NotFound", f"The NIC does not carry '{form.get('eni')[:64]}'")
    source, destination = _address(form, "source"), _address(form, "destination")
    if source.version != destination.version:
        raise _wrong("destination", "an address of the same version as the source")
    protocol = form.get("protocol")
    if protocol not in dict(PROTOCOLS):
        raise _wrong("protocol", f"one of {', '.join(number for number, _ in PROTOCOLS)}")
    ports = ("source_port", "destination_port") if protocol in WITH_PORTS else ()
    payload = b"".join(_port(form, name).to_bytes(2) for name in ports) + PAYLOAD
    packet = _packet(source, destination, int(protocol), payload)
    egress = form.get("direction") == "egress"
    macs = STRANGER + interface.mac if egress else interface.mac + STRANGER
    return macs + (0x0800 if source.version == 4 else 0x86DD).to_bytes(2) + packet


def _packet(source: Address, destination: Address, protocol: int, payload: bytes) -> bytes:
    """RFC 791 and RFC 8200."""
    if source.version == 6:
        head = bytes.fromhex("60000000") + len(payload).to_bytes(2) + bytes([protocol, HOPS])
        return head + source.packed + destination.packed + payload
    head = bytes.fromhex("4500") + (20 + len(payload)).to_bytes(2) + bytes(4) + bytes([HOPS, protocol])
    addresses = source.packed + destination.packed
    return head + _checksum(head + addresses).to_bytes(2) + addresses + payload


def _checksum(header: bytes) -> int:
    """Of IPv4: the complement of the sum of 16-bit words, carries added again."""
    total = sum(int.from_bytes(header[at : at + 2]) for at in range(0, len(header), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _address(form: Form, name: str) -> Address:
    try:
        return ipaddress.ip_address(form.get(name).partition("%")[0])
    except ValueError:
        raise _wrong(name, "an IPv4 or IPv6 address such as 10.0.1.10") from None


def _port(form: Form, name: str) -> int:
    text = form.get(name)
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) <= 0xFFFF):
        raise _wrong(name.replace("_", " "), "a port, 0 to 65535")
    return int(text)


def _wrong(name: str, right: str) -> ApiError:
    return ApiError("InvalidParameterValue", f"The {name} must be {right}")
