"""Frames for the benches: valid, cut off, and hostile.

Everything is drawn from `random`, which cocotb seeds for each test. Addresses and ports come from small pools, so
that the rules of ``halfsilver.sim.benches.policies`` match often; some belong to services that are never mirrored.
"""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address

from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction

__all__ = [
    "ENI_MACS",
    "HOSTS_IPV4",
    "HOSTS_IPV6",
    "LENGTHS",
    "PORTS",
    "any_frame",
    "chained_headers",
    "frame_of_length",
    "ipv4",
    "ipv6",
    "tcp6_frame",
    "udp",
]

LENGTHS = (*range(14, 201), 512, 1500, 9216)
"""The sizes of the matrix: every length around headers and beats, and the usual large ones."""

ENI_MACS = tuple(bytes((2, 0, 0, 0, 0, 0x10 + number)) for number in range(16))
PEER_MAC = bytes.fromhex("020000000099")
GROUP_MACS = (b"\xff" * 6, bytes.fromhex("01005e000001"), bytes.fromhex("333300000001"))

HOSTS_IPV4 = tuple(
    IPv4Address(text) for text in ("10.0.0.1", "10.0.0.2", "10.0.1.1", "10.1.2.3", "192.168.7.9", "203.0.113.77")
)
HOSTS_IPV6 = tuple(
    IPv6Address(text) for text in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "fd00::1234", "fe80::1")
)
SERVICES_IPV4 = tuple(IPv4Address(f"169.254.169.{last}") for last in (254, 123, 250, 251, 253))
SERVICES_IPV6 = tuple(IPv6Address(f"fd00:ec2::{last}") for last in ("254", "123", "250", "253"))
PORTS = (53, 67, 68, 80, 123, 443, 546, 547, 1024, 1688, 8080, 65535)

TAGS = (0x8100, 0x88A8)
PROTOCOLS = (1, 6, 6, 17, 17, 17, 47, 50, 58, 132, 0, 255)
EXTENSIONS = (0, 43, 44, 51, 60, 135)
LAST_HEADERS = (1, 6, 6, 17, 17, 58, 59, 132)


def any_frame(direction: Direction, *, enis: int = 1, longest: int = 400) -> Frame:
    """A frame of any kind: three quarters are IP, a third of all are cut somewhere."""
    kind = random.random()
    if kind < 0.4:
        ethertype, packet = 0x0800, _any_ipv4()
    elif kind < 0.8:
        ethertype, packet = 0x86DD, _any_ipv6()
    elif kind < 0.85:
        ethertype, packet = 0x0806, random.randbytes(28)
    else:
        ethertype, packet = random.choice((0x0800, 0x86DD, 0x88CC, 0x0026, 0x8847, 0x8863)), random.randbytes(60)
    data = _macs(direction, enis) + _tags() + ethertype.to_bytes(2, "big") + packet
    data += random.randbytes(random.choice((0, 0, 1, 7, 46, random.randrange(longest))))
    if random.random() < 0.3:
        data = data[: random.randint(1, len(data))]
    return Frame(data[:longest], direction, bad=random.random() < 0.03, dropped=random.random() < 0.05)


def frame_of_length(length: int, direction: Direction, *, eni: int = 0) -> Frame:
    """A UDP packet cut or filled to exactly this length, with a payload like no other."""
    ethertype, packet = random.choice(
        (
            (b"\x08\x00", ipv4(HOSTS_IPV4[0], HOSTS_IPV4[3], 17, udp(4000, 80))),
            (b"\x86\xdd", ipv6(HOSTS_IPV6[0], HOSTS_IPV6[2], 17, udp(4000, 80))),
        )
    )
    data = _addressed(direction, ENI_MACS[eni]) + ethertype + packet
    return Frame((data + random.randbytes(max(0, length - len(data))))[:length], direction)


def tcp6_frame(direction: Direction, *, eni: int = 0) -> Frame:
    """IPv6 and TCP without payload: 74 bytes."""
    tcp = udp(4000, 80)[:4] + random.randbytes(8) + b"\x50\x10" + random.randbytes(6)
    packet = ipv6(HOSTS_IPV6[0], HOSTS_IPV6[2], 6, tcp)
    return Frame(_addressed(direction, ENI_MACS[eni]) + b"\x86\xdd" + packet, direction)


def udp(source: int, destination: int) -> bytes:
    """A UDP header whose length and checksum mean nothing; nobody looks at them."""
    return source.to_bytes(2, "big") + destination.to_bytes(2, "big") + random.randbytes(4)


def ipv4(
    source: IPv4Address,
    destination: IPv4Address,
    protocol: int,
    payload: bytes,
    *,
    options: bytes = b"",
    fragment: int = 0,
    version_ihl: int | None = None,
) -> bytes:
    """An IPv4 packet; ``fragment`` is the word of flags and offset."""
    first = 0x45 + len(options) // 4 if version_ihl is None else version_ihl
    return (
        bytes((first, 0))
        + random.randbytes(4)
        + fragment.to_bytes(2, "big")
        + bytes((64, protocol))
        + random.randbytes(2)
        + source.packed
        + destination.packed
        + options
        + payload
    )


def ipv6(source: IPv6Address, destination: IPv6Address, next_header: int, payload: bytes, *, version: int = 6) -> bytes:
    """An IPv6 packet with a random flow label and a length that means nothing."""
    return (
        bytes((version << 4, 0))
        + random.randbytes(4)
        + bytes((next_header, 64))
        + source.packed
        + destination.packed
        + payload
    )


def _addressed(direction: Direction, eni_mac: bytes) -> bytes:
    """MAC addresses of a frame of this interface."""
    return eni_mac + PEER_MAC if direction is Direction.INGRESS else PEER_MAC + eni_mac


def _macs(direction: Direction, enis: int) -> bytes:
    """Mostly a frame of one of the interfaces, sometimes nobody's or everybody's."""
    draw = random.random()
    if draw < 0.05:
        return random.choice(GROUP_MACS) + PEER_MAC
    if draw < 0.1:
        return _addressed(direction, PEER_MAC[:-1] + b"\x77")
    return _addressed(direction, ENI_MACS[random.randrange(enis)])


def _tags() -> bytes:
    count = random.choice((0, 0, 0, 0, 1, 1, 2, 3))
    return b"".join(random.choice(TAGS).to_bytes(2, "big") + random.randbytes(2) for _ in range(count))


def _any_ipv4() -> bytes:
    source, destination = (random.choice(HOSTS_IPV4) for _ in range(2))
    if random.random() < 0.1:
        destination = random.choice(SERVICES_IPV4)
    protocol = random.choice(PROTOCOLS)
    fragment = random.choice((0, 0, 0, 0, 0x4000, 0x2000, 0x0001, 0x1FFF, 0x2100))
    version_ihl = random.choice((0x44, 0x65, 0x05, 0x40)) if random.random() < 0.05 else None
    options = random.randbytes(4 * random.choice((0, 0, 0, 1, 2, 10)))
    return ipv4(
        source, destination, protocol, _upper(protocol), options=options, fragment=fragment, version_ihl=version_ihl
    )


def _any_ipv6() -> bytes:
    source, destination = (random.choice(HOSTS_IPV6) for _ in range(2))
    if random.random() < 0.1:
        source = random.choice(SERVICES_IPV6)
    chain = [random.choice(EXTENSIONS) for _ in range(random.choice((0, 0, 0, 1, 1, 2, 3, 7, 8, 9, 10)))]
    last = random.choice(LAST_HEADERS)
    payload = b""
    for number, following in zip(chain, [*chain, last][1:], strict=True):
        payload += _extension(number, following)
    version = random.choice((4, 0, 15)) if random.random() < 0.03 else 6
    return ipv6(source, destination, [*chain, last][0], payload + _upper(last), version=version)


def _extension(number: int, following: int) -> bytes:
    """One extension header; mostly as long as it says."""
    if number == 44:
        offset_and_more = random.choice((0, 0, 1, 8, 9, 0xFFF8, 6))
        return bytes((following, random.getrandbits(8))) + offset_and_more.to_bytes(2, "big") + random.randbytes(4)
    length = random.choice((0, 0, 0, 1, 2, 5)) if random.random() < 0.97 else 255
    octets = (length + 2) * 4 if number == 51 else (length + 1) * 8
    return bytes((following, length)) + random.randbytes(min(octets, 64) - 2)


def _upper(protocol: int) -> bytes:
    """What stands behind the IP header."""
    if protocol in (1, 58):
        return bytes((random.choice((0, 3, 8, 128, 129, 135)), 0)) + random.randbytes(6)
    ports = udp(random.choice(PORTS), random.choice(PORTS))
    return ports + random.randbytes(random.choice((0, 4, 12, 30)))


def chained_headers(direction: Direction, *, tags: int, extensions: list[int], eni: int = 0) -> bytes:
    """All headers of a frame: tags, IPv6, destination options of ``8 * (n + 1)`` bytes each, the ports of UDP.

    Of any ports but DHCP's, which is never mirrored.
    """
    following = [60] * len(extensions) + [17]
    data = _addressed(direction, ENI_MACS[eni]) + b"\x88\xa8\0\1\x81\0\0\1"[: 4 * tags] + b"\x86\xdd"
    data += b"\x60\0\0\0\0\0" + bytes([following[0], 64]) + random.randbytes(32)
    for behind, length in zip(following[1:], extensions, strict=True):
        data += bytes([behind, length]) + bytes(6 + 8 * length)
    ports = [random.choice((random.randrange(546), random.randrange(548, 1 << 16))) for _ in range(2)]
    return data + b"".join(port.to_bytes(2, "big") for port in ports)
