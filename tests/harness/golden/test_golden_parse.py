"""The parser, frame by frame: expectations by hand from ``docs/mirroring.md`` section 3 and the RFCs."""

from __future__ import annotations

import struct
import tracemalloc
from ipaddress import ip_address

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether

from halfsilver.harness.golden.parse import Headers, Kind, parse, parsed_as_whole

MACS = bytes.fromhex("020000000010 020000000099")
IPV4 = MACS + b"\x08\x00"
IPV6 = MACS + b"\x86\xdd"
PORTS = struct.pack("!HH", 1000, 2000)


def ipv4(
    payload: bytes = b"", protocol: int = 17, flags_offset: int = 0, first_byte: int = 0x45, options: bytes = b""
) -> bytes:
    fixed = struct.pack("!BBHHHBBH", first_byte, 0, 0, 0, flags_offset, 64, protocol, 0)
    return fixed + bytes([10, 0, 0, 1, 10, 0, 0, 2]) + options + payload


def ipv6(payload: bytes = b"", next_header: int = 17, first_byte: int = 0x60) -> bytes:
    addresses = ip_address("2001:db8::1").packed + ip_address("2001:db8::2").packed
    return struct.pack("!BBHHBB", first_byte, 0, 0, 0, next_header, 64) + addresses + payload


def extension(next_header: int, length: int = 0, size: int | None = None) -> bytes:
    return bytes([next_header, length]) + bytes((length + 1) * 8 - 2 if size is None else size - 2)


def fragment(next_header: int, offset: int, more: int) -> bytes:
    return struct.pack("!BBHI", next_header, 0, offset << 3 | more, 7)


def fields(frame: bytes, bound: int = 8) -> tuple[Kind, int | None, bool, tuple[int, int] | None]:
    headers = parse(frame, extension_headers=bound)
    return headers.kind, headers.protocol, headers.fragment, headers.ports


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        bytes(13),
        bytes(9217),
        IPV4 + ipv4() + bytes(9183),
        IPV4,
        IPV4 + b"\x45",
        IPV4 + ipv4()[:19],
        IPV4 + ipv4(first_byte=0x55),
        IPV4 + ipv4(first_byte=0x44) + bytes(40),
        IPV4 + ipv4(first_byte=0x65) + bytes(40),
        IPV4 + ipv4(first_byte=0x46),
        IPV4 + ipv4(first_byte=0x4F) + bytes(39),
        IPV6,
        IPV6 + b"\x60",
        IPV6 + ipv6()[:39],
        IPV6 + ipv6(first_byte=0x45) + bytes(40),
        MACS + b"\x81\x00\x00\x01\x08\x00",
        MACS + b"\x81\x00\x00\x01\x86\xdd" + ipv6()[:39],
    ],
)
def test_malformed(frame: bytes) -> None:
    headers = parse(frame)
    assert headers.kind is Kind.MALFORMED
    assert headers.why


def test_flagged_bad_is_malformed_whatever_it_holds() -> None:
    assert parse(IPV4 + ipv4(PORTS), bad=True).kind is Kind.MALFORMED


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (bytes(14), Kind.NOT_IP),
        (bytes(9216), Kind.NOT_IP),
        (IPV4 + ipv4() + bytes(9216 - 34), Kind.IPV4),
        (IPV4 + ipv4(), Kind.IPV4),
        (IPV4 + ipv4(first_byte=0x4F) + bytes(40), Kind.IPV4),
        (IPV6 + ipv6(), Kind.IPV6),
        (MACS + b"\x08\x06", Kind.ARP),
        (MACS + b"\x88\x47" + bytes(46), Kind.NOT_IP),
        (MACS + b"\x88\x64" + bytes(46), Kind.NOT_IP),
        (MACS + b"\x88\xcc" + bytes(46), Kind.NOT_IP),
        (MACS + b"\x00\x26" + bytes(46), Kind.NOT_IP),
        (MACS + b"\x91\x00\x00\x01\x08\x00" + ipv4(), Kind.NOT_IP),
        (MACS + b"\x81\x00", Kind.NOT_IP),
        (MACS + b"\x81\x00\x00\x01\x08", Kind.NOT_IP),
        (MACS + b"\x81\x00\x00\x01\x88\xa8", Kind.NOT_IP),
        (MACS + b"\x81\x00\x00\x01\x88\xa8\x00\x02\x08", Kind.NOT_IP),
        (MACS + b"\x81\x00\x00\x01" + b"\x81\x00\x00\x02" * 2 + b"\x08\x00" + ipv4(), Kind.NOT_IP),
    ],
)
def test_kind(frame: bytes, kind: Kind) -> None:
    assert parse(frame).kind is kind


@pytest.mark.parametrize(
    ("tags", "vlan"),
    [
        ([], ()),
        ([Dot1Q(vlan=5, prio=7)], (5,)),
        ([Dot1AD(vlan=6)], (6,)),
        ([Dot1AD(vlan=7), Dot1Q(vlan=8)], (7, 8)),
        ([Dot1Q(vlan=9), Dot1AD(vlan=4095)], (9, 4095)),
    ],
)
def test_vlan_tags_in_front_of_every_kind(tags: list[object], vlan: tuple[int, ...]) -> None:
    head = Ether()
    for tag in tags:
        head = head / tag
    headers = parse(bytes(head / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1000, dport=2000)))
    assert headers == Headers(Kind.IPV4, "", vlan, 0x0A000001, 0x0A000002, 17, False, (1000, 2000), "", None)
    assert parse(bytes(head / ARP()))._replace(vlan=()) == Headers(Kind.ARP)


def test_ipv4_options_move_the_ports() -> None:
    frame = IPV4 + ipv4(PORTS, 6, first_byte=0x47, options=bytes(8))
    assert fields(frame) == (Kind.IPV4, 6, False, (1000, 2000))


@pytest.mark.parametrize(
    ("flags_offset", "is_fragment", "ports"),
    [
        (0x0000, False, (1000, 2000)),
        (0x4000, False, (1000, 2000)),  # DF
        (0x8000, False, (1000, 2000)),  # the reserved flag
        (0x2000, True, (1000, 2000)),  # first fragment: MF, offset 0
        (0x2001, True, None),
        (0x0001, True, None),  # last fragment
        (0x1000, True, None),  # highest bit of the offset
    ],
)
def test_ipv4_fragments(flags_offset: int, is_fragment: bool, ports: tuple[int, int] | None) -> None:
    assert fields(IPV4 + ipv4(PORTS, 17, flags_offset)) == (Kind.IPV4, 17, is_fragment, ports)


@pytest.mark.parametrize("protocol", [1, 2, 33, 47, 50, 51, 58, 132, 136, 0, 43, 44, 60])
def test_only_tcp_and_udp_have_ports_and_ipv4_has_no_extension_headers(protocol: int) -> None:
    assert fields(IPV4 + ipv4(PORTS, protocol)) == (Kind.IPV4, protocol, False, None)


@pytest.mark.parametrize(("present", "ports"), [(0, None), (3, None), (4, (1000, 2000))])
def test_ports_need_their_four_bytes(present: int, ports: tuple[int, int] | None) -> None:
    assert fields(IPV4 + ipv4(PORTS[:present], 6)) == (Kind.IPV4, 6, False, ports)
    assert fields(IPV6 + ipv6(PORTS[:present], 6)) == (Kind.IPV6, 6, False, ports)


def test_written_lengths_do_not_matter() -> None:
    """IPv4 total length 0 and IPv6 payload length 0 in these frames, yet the ports are read."""
    assert fields(IPV4 + ipv4(PORTS))[3] == (1000, 2000)
    assert fields(IPV6 + ipv6(PORTS))[3] == (1000, 2000)


def test_ipv6_addresses() -> None:
    headers = parse(IPV6 + ipv6(PORTS))
    assert (headers.source, headers.destination) == (int(ip_address("2001:db8::1")), int(ip_address("2001:db8::2")))


@pytest.mark.parametrize("kind", [0, 43, 60, 135])
@pytest.mark.parametrize("length", [0, 1, 5, 255])
def test_ipv6_extension_header_of_eight_byte_units(kind: int, length: int) -> None:
    frame = IPV6 + ipv6(extension(6, length) + PORTS, kind)
    assert fields(frame) == (Kind.IPV6, 6, False, (1000, 2000))


@pytest.mark.parametrize(("length", "size"), [(1, 12), (4, 24), (0, 8)])
def test_ipv6_ah_counts_four_byte_units_less_two(length: int, size: int) -> None:
    frame = IPV6 + ipv6(extension(17, length, size) + PORTS, 51)
    assert fields(frame) == (Kind.IPV6, 17, False, (1000, 2000))


def test_ipv6_whole_chain() -> None:
    chain = extension(60) + extension(43, 1) + extension(44, 2) + fragment(51, 0, 1) + extension(135, 4, 24)
    frame = IPV6 + ipv6(chain + extension(17) + PORTS, 0)
    assert fields(frame) == (Kind.IPV6, 17, True, (1000, 2000))


@pytest.mark.parametrize(
    ("offset", "more", "is_fragment", "ports"),
    [
        (0, 0, False, (1000, 2000)),  # atomic fragment, RFC 6946
        (0, 1, True, (1000, 2000)),
        (1, 0, True, None),
        (0x1FFF, 1, True, None),
    ],
)
def test_ipv6_fragments(offset: int, more: int, is_fragment: bool, ports: tuple[int, int] | None) -> None:
    frame = IPV6 + ipv6(fragment(17, offset, more) + PORTS, 44)
    assert fields(frame) == (Kind.IPV6, 17, is_fragment, ports)


@pytest.mark.parametrize("next_header", [0, 6, 44, 51, 59, 60])
def test_chain_ends_at_a_later_fragment(next_header: int) -> None:
    frame = IPV6 + ipv6(fragment(next_header, 3, 0) + extension(6) + PORTS, 44)
    assert fields(frame) == (Kind.IPV6, next_header, True, None)


def test_reserved_bits_of_the_fragment_header_do_not_make_a_fragment() -> None:
    header = bytes([17, 0xFF, 0x00, 0x06, 0, 0, 0, 7])
    assert fields(IPV6 + ipv6(header + PORTS, 44)) == (Kind.IPV6, 17, False, (1000, 2000))


def test_second_fragment_header_counts_too() -> None:
    frame = IPV6 + ipv6(fragment(44, 0, 0) + fragment(6, 9, 1) + PORTS, 44)
    assert fields(frame) == (Kind.IPV6, 6, True, None)


@pytest.mark.parametrize(
    ("count", "bound", "protocol"),
    [(8, 8, 17), (9, 8, None), (1, 1, 17), (2, 1, None), (12, 12, 17), (0, 0, 17), (1, 0, None)],
)
def test_extension_header_bound(count: int, bound: int, protocol: int | None) -> None:
    chain = b"".join(extension(60) for _ in range(count - 1)) + (extension(17) if count else b"")
    frame = IPV6 + ipv6(chain + PORTS, 60 if count else 17)
    ports = None if protocol is None else (1000, 2000)
    assert fields(frame, bound) == (Kind.IPV6, protocol, False, ports)


def test_past_the_bound_it_still_is_a_fragment() -> None:
    chain = fragment(60, 0, 1) + extension(60) + extension(17)
    assert fields(IPV6 + ipv6(chain + PORTS, 44), bound=2) == (Kind.IPV6, None, True, None)


@pytest.mark.parametrize(("present", "protocol"), [(0, None), (3, None), (4, 17), (7, 17)])
def test_extension_header_is_read_from_four_bytes_on(present: int, protocol: int | None) -> None:
    frame = IPV6 + ipv6(extension(17)[:present], 60)
    assert fields(frame) == (Kind.IPV6, protocol, False, None)


@pytest.mark.parametrize("next_header", [59, 50, 58, 89, 139, 140, 253])
def test_what_is_not_an_extension_header_is_the_protocol(next_header: int) -> None:
    frame = IPV6 + ipv6(extension(next_header) + PORTS, 0)
    assert fields(frame) == (Kind.IPV6, next_header, False, None)


@pytest.mark.parametrize(
    ("frame", "echo"),
    [
        (IPV4 + ipv4(bytes(ICMP(type=8, id=0x1234)), 1), 0x1234),
        (IPV4 + ipv4(bytes(ICMP(type=0, id=0x1234)), 1), 0x1234),
        (IPV4 + ipv4(bytes(ICMP(type=8, id=0x1234))[:6], 1), 0x1234),
        (IPV4 + ipv4(bytes(ICMP(type=8, id=0x1234))[:5], 1), None),
        (IPV4 + ipv4(b"\x0d\0\0\0\x12\x34", 1), None),  # timestamp request
        (IPV4 + ipv4(b"\x80\0\0\0\x12\x34", 1), None),  # ICMPv6's echo type
        (IPV4 + ipv4(b"\x08\0\0\0\x12\x34", 1, 0x2000), None),  # first fragment
        (IPV4 + ipv4(b"\x80\0\0\0\x12\x34", 58), None),  # ICMPv6 in IPv4
        (IPV6 + ipv6(b"\x80\0\0\0\x12\x34", 58), 0x1234),
        (IPV6 + ipv6(b"\x81\0\0\0\x12\x34", 58), 0x1234),
        (IPV6 + ipv6(b"\x82\0\0\0\x12\x34", 58), None),
        (IPV6 + ipv6(b"\x80\0\0\0\x12", 58), None),
        (IPV6 + ipv6(b"\x08\0\0\0\x12\x34", 1), None),  # ICMP in IPv6
        (IPV6 + ipv6(fragment(58, 0, 1) + b"\x80\0\0\0\x12\x34", 44), None),
        (IPV6 + ipv6(fragment(58, 0, 0) + b"\x80\0\0\0\x12\x34", 44), 0x1234),
    ],
)
def test_echo_identifier(frame: bytes, echo: int | None) -> None:
    assert parse(frame).echo == echo


def test_ipv6_tcp_built_by_scapy() -> None:
    packet = (
        Ether()
        / IPv6(src="2001:db8::1", dst="2001:db8::2")
        / IPv6ExtHdrHopByHop(options=PadN(optdata=b"12345678"))
        / IPv6ExtHdrRouting(addresses=["2001:db8::3"])
        / IPv6ExtHdrDestOpt()
        / TCP(sport=1000, dport=2000)
    )
    assert fields(bytes(packet)) == (Kind.IPV6, 6, False, (1000, 2000))


def test_a_length_that_no_wire_carries_is_not_built() -> None:
    """A capture may claim 4 GiB for a frame of which it has the first bytes."""
    frame = IPV4 + ipv4(PORTS)
    assert parsed_as_whole(frame, len(frame) + 100) and parsed_as_whole(frame, 9216)
    tracemalloc.start()
    assert not parsed_as_whole(frame, 1 << 28)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
