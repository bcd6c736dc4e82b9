"""Truncation, flow hash and outer packet: tables by hand, published vectors, scapy as the other writer."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.l2 import Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from halfsilver.harness.errors import UsageError
from halfsilver.harness.golden.encapsulate import internet_checksum
from halfsilver.harness.golden.flow_hash import Toeplitz
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction
from tests.harness.golden.golden_kit import ENI_0, PEER, TARGET, engine, interface, judge, outer, policy, session

IN = Ether(dst=ENI_0, src=PEER)
MICROSOFT_KEY = bytes.fromhex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa")


def of_length(length: int, packet: Any) -> bytes:
    """The packet with zeros behind it, so that the frame has this many bytes."""
    head = bytes(packet)
    assert len(head) <= length
    return head + bytes(length - len(head))


IPV4_FRAME = IN / IP(src="10.0.0.1", dst="10.0.0.2", proto=47)
IPV6_FRAME = IN / IPv6(src="2001:db8::1", dst="2001:db8::2", nh=47)


# Truncation: copied = min(frame, max(packet_length, floor), MTU limit)


@pytest.mark.parametrize(
    ("packet", "length", "packet_length", "mtu_limit", "copied", "limit"),
    [
        (IPV4_FRAME, 1514, None, None, 1514, "whole frame"),
        (IPV4_FRAME, 1514, 1514, 8961, 1514, "whole frame"),
        (IPV4_FRAME, 1514, 1513, 8961, 1513, "packet length"),
        (IPV4_FRAME, 1514, 100, 8961, 100, "packet length"),
        (IPV4_FRAME, 1514, 36, 8961, 36, "packet length"),
        (IPV4_FRAME, 1514, 35, 8961, 35, "packet length"),
        (IPV4_FRAME, 1514, 34, 8961, 35, "floor"),
        (IPV4_FRAME, 1514, 1, 8961, 35, "floor"),
        (IPV4_FRAME, 35, 1, 8961, 35, "whole frame"),
        (IPV4_FRAME, 34, 1, 8961, 34, "whole frame"),
        (IPV6_FRAME, 1514, 56, 8961, 56, "packet length"),
        (IPV6_FRAME, 1514, 55, 8961, 55, "packet length"),
        (IPV6_FRAME, 1514, 54, 8961, 55, "floor"),
        (IPV6_FRAME, 1514, 35, 8961, 55, "floor"),
        (IPV6_FRAME, 54, 1, 8961, 54, "whole frame"),
        # the guide's examples: 54 bytes of headroom over IPv4 and 74 over IPv6, counted from the inner IP packet
        (IPV4_FRAME, 14 + 8446, None, 8500 - 40, 14 + 8446, "whole frame"),
        (IPV4_FRAME, 14 + 8447, None, 8500 - 40, 14 + 8446, "MTU"),
        (IPV4_FRAME, 14 + 8426, None, 8500 - 60, 14 + 8426, "whole frame"),
        (IPV4_FRAME, 14 + 8427, None, 8500 - 60, 14 + 8426, "MTU"),
        (IPV4_FRAME, 14 + 8947, None, 9001 - 40, 14 + 8947, "whole frame"),
        (IPV4_FRAME, 14 + 8948, None, 9001 - 40, 14 + 8947, "MTU"),
        (IPV4_FRAME, 9216, 9001, 9001 - 40, 8961, "MTU"),
        (IPV4_FRAME, 9216, 8960, 9001 - 40, 8960, "packet length"),
        (IPV4_FRAME, 9216, 8500, None, 8500, "packet length"),
        (IPV4_FRAME, 9216, None, None, 9216, "whole frame"),
    ],
)
def test_truncation(
    packet: Any, length: int, packet_length: int | None, mtu_limit: int | None, copied: int, limit: str
) -> None:
    frame = of_length(length, packet)
    policy = interface(session(packet_length=packet_length, to=outer(mtu_limit=mtu_limit)))
    trace = judge(frame, policy)
    assert trace.record.length == length
    assert trace.record.copied == copied
    assert trace.cut is not None and limit in trace.cut.limit.value
    assert trace.copy is not None and trace.copy[50:] == frame[:copied]


@pytest.mark.parametrize(
    ("packet_length", "mtu_limit", "longest", "copied", "limit"),
    [
        (None, None, 256, 256, "longest copy of the build"),
        (300, 8961, 256, 256, "longest copy of the build"),
        (256, 8961, 256, 256, "packet length"),
        (255, 8961, 256, 255, "packet length"),
        (None, 250, 256, 250, "MTU"),
        (1, None, 55, 35, "floor"),
        (None, None, 1514, 1514, "whole frame"),
    ],
)
def test_the_longest_copy_of_a_build(
    packet_length: int | None, mtu_limit: int | None, longest: int, copied: int, limit: str
) -> None:
    policy = interface(session(packet_length=packet_length, to=outer(mtu_limit=mtu_limit)))
    trace = judge(of_length(1514, IPV4_FRAME), policy, longest_copy=longest)
    assert trace.record.copied == copied
    assert trace.cut is not None and limit in trace.cut.limit.value


def test_the_floor_goes_by_the_inner_family_not_the_outer() -> None:
    over_ipv6 = outer("2001:db8::a", "2001:db8::b", mtu_limit=8941)
    for packet, floor in ((IPV4_FRAME, 35), (IPV6_FRAME, 55)):
        for to in (outer(), over_ipv6):
            trace = judge(of_length(200, packet), interface(session(packet_length=1, to=to)))
            assert trace.record.copied == floor


def test_vlan_tags_count_as_bytes_of_the_frame() -> None:
    frame = of_length(200, IN / Dot1Q(vlan=1) / IP(proto=47))
    trace = judge(frame, interface(session(packet_length=1)))
    assert trace.copy is not None and trace.copy[50:] == frame[:35]


# The outer packet


def mirrored(frame: Any, to: Any, **options: Any) -> bytes:
    trace = judge(frame, interface(session(to=to, **options)))
    assert trace.copy is not None
    return trace.copy


@pytest.mark.parametrize("length", [14 + 20, 60, 61, 1514, 8961])
def test_outer_ipv4(length: int) -> None:
    frame = of_length(length, IPV4_FRAME)
    copy = mirrored(frame, outer("10.9.0.1", "10.9.0.2"), vni=0xABCDEF)
    assert copy[:14] == bytes.fromhex(TARGET.replace(":", "") + ENI_0.replace(":", "") + "0800")
    ip = IP(src="10.9.0.1", dst="10.9.0.2", id=0, ttl=255, flags=0)
    udp = UDP(sport=int.from_bytes(copy[34:36], "big"), dport=4789, chksum=0)
    vxlan = VXLAN(flags=0x08, vni=0xABCDEF)
    # scapy computes lengths and the header checksum
    assert copy == bytes(Ether(dst=TARGET, src=ENI_0) / ip / udp / vxlan / Raw(frame))
    assert copy[34:36] >= b"\xff\x80"


def outer_ipv6_by_scapy(source_port: bytes, frame: bytes) -> bytes:
    """Scapy computes lengths and the UDP checksum."""
    ip = IPv6(src="2001:db8::a", dst="2001:db8::b", hlim=255)
    udp = UDP(sport=int.from_bytes(source_port, "big"), dport=4789)
    return bytes(Ether(dst=TARGET, src=ENI_0) / ip / udp / VXLAN(flags=0x08, vni=1) / Raw(frame))


@pytest.mark.parametrize("length", [14 + 20, 60, 61, 1514, 8941])
def test_outer_ipv6_with_a_udp_checksum(length: int) -> None:
    frame = of_length(length, IPV4_FRAME)
    copy = mirrored(frame, outer("2001:db8::a", "2001:db8::b", mtu_limit=8941), vni=1)
    assert copy == outer_ipv6_by_scapy(copy[54:56], frame)
    assert copy[60:62] != b"\0\0"


def test_ipv6_udp_checksum_zero_is_sent_as_ffff() -> None:
    """Two free bytes at the end of the frame make the sum come out as zero (RFC 8200 section 8.1)."""
    to = outer("2001:db8::a", "2001:db8::b")
    head = of_length(60, IPV4_FRAME)
    remainder = mirrored(head + b"\0\0", to, vni=1)[60:62]  # what the sum lacks to 0xffff
    copy = mirrored(head + remainder, to, vni=1)
    assert copy[60:62] == b"\xff\xff"
    assert copy == outer_ipv6_by_scapy(copy[54:56], head + remainder)


def test_internet_checksum_of_rfc_1071() -> None:
    """Section 3 of the RFC: the sum of these bytes is 0xddf2."""
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2 ^ 0xFFFF
    assert internet_checksum(b"\x01") == 0x0100 ^ 0xFFFF
    assert internet_checksum(b"") == 0xFFFF


@pytest.mark.parametrize(("base", "mask"), [(0xFF80, 0x7F), (0xC000, 0x3FFF), (4789, 0), (0, 0xFFFF)])
def test_source_port_is_base_or_masked_hash(base: int, mask: int) -> None:
    built = engine(toeplitz_key=MICROSOFT_KEY)
    built.configure(policy(interface(session())), Flags(source_port_base=base, source_port_mask=mask))
    frame = IN / IP(src="66.9.149.187", dst="161.142.100.80") / TCP(sport=2794, dport=1766)
    (output,) = built.process([Frame(bytes(frame), Direction.INGRESS)]).outputs
    assert int.from_bytes(output.data[34:36], "big") == base | ((0x51CCC178 ^ 6) & mask)


@pytest.mark.parametrize("flags", [Flags(source_port_base=0x10000), Flags(source_port_mask=-1)])
def test_source_port_settings_are_16_bits(flags: Flags) -> None:
    with pytest.raises(UsageError, match="between 0 and 0xffff"):
        engine().configure(policy(), flags)


# The flow hash: Microsoft, "Verifying the RSS hash calculation" (source, destination, ports, both hashes)

VECTORS = [
    ("66.9.149.187", 2794, "161.142.100.80", 1766, 0x323E8FC2, 0x51CCC178),
    ("199.92.111.2", 14230, "65.69.140.83", 4739, 0xD718262A, 0xC626B0EA),
    ("24.19.198.95", 12898, "12.22.207.184", 38024, 0xD2D0A5DE, 0x5C2B394A),
    ("38.27.205.30", 48228, "209.142.163.6", 2217, 0x82989176, 0xAFC7327F),
    ("153.39.163.191", 44251, "202.188.127.2", 1303, 0x5D1809C5, 0x10E828A2),
    ("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x2CC18CD5, 0x40207D3D),
    ("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0x0F0C461C, 0xDDE51BBF),
    ("3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, "fe80::200:f8ff:fe21:67cf", 38024, 0x4B61E985, 0x02D1FEEF),
]


@pytest.mark.parametrize(("source", "sport", "destination", "dport", "addresses", "with_ports"), VECTORS)
def test_toeplitz_gives_microsofts_values(
    source: str, sport: int, destination: str, dport: int, addresses: int, with_ports: int
) -> None:
    toeplitz = Toeplitz(MICROSOFT_KEY)
    data = ip_address(source).packed + ip_address(destination).packed
    assert toeplitz.hash(data) == addresses
    assert toeplitz.hash(data + sport.to_bytes(2, "big") + dport.to_bytes(2, "big")) == with_ports


@pytest.mark.parametrize(("source", "sport", "destination", "dport", "addresses", "with_ports"), VECTORS)
def test_flow_hash_of_frames_in_microsofts_values(
    source: str, sport: int, destination: str, dport: int, addresses: int, with_ports: int
) -> None:
    """The hash of the input, then XOR the protocol: what goes in for each kind of frame."""

    def flow_hash(payload: Any, **fields: Any) -> int | None:
        network = (IPv6 if ":" in source else IP)(src=source, dst=destination, **fields)
        return judge(IN / network / payload, interface(session()), toeplitz_key=MICROSOFT_KEY).hash

    ports = {"sport": sport, "dport": dport}
    if ":" in source:
        assert flow_hash(IPv6ExtHdrFragment(m=1, nh=6) / TCP(**ports)) == addresses ^ 6
        assert flow_hash(IPv6ExtHdrFragment(offset=9, nh=17) / Raw(bytes(9))) == addresses ^ 17
        assert flow_hash(IPv6ExtHdrFragment(nh=17) / UDP(**ports)) == with_ports ^ 17
        assert flow_hash(Raw(b"\x3c\0\0\0\0\0\0\0" * 9 + bytes(9)), nh=60) == addresses  # no protocol
        assert flow_hash(IPv6ExtHdrDestOpt() / TCP(**ports)) == with_ports ^ 6
    else:
        assert flow_hash(TCP(**ports), flags="MF") == addresses ^ 6
        assert flow_hash(UDP(**ports), frag=1) == addresses ^ 17
        assert flow_hash(ICMP(type=3)) == addresses ^ 1
        assert flow_hash(ICMP(type=8, id=sport), flags="MF") == addresses ^ 1
    assert flow_hash(TCP(**ports)) == with_ports ^ 6
    assert flow_hash(UDP(**ports)) == with_ports ^ 17
    proto = "nh" if ":" in source else "proto"
    assert flow_hash(Raw(bytes(8)), **{proto: 132}) == addresses ^ 132
    assert flow_hash(Raw(bytes(3)), **{proto: 6}) == addresses ^ 6


def test_echo_identifier_stands_for_the_source_port_alone() -> None:
    def flow_hash(packet: Any) -> int:
        trace = judge(IN / packet, interface(session()), toeplitz_key=MICROSOFT_KEY)
        assert trace.hash is not None
        return trace.hash

    ipv4, ipv6 = IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="2001:db8::1", dst="2001:db8::2")
    tcp = TCP(sport=0x1234, dport=0)
    for kind in (8, 0):
        assert flow_hash(ipv4 / ICMP(type=kind, id=0x1234)) ^ 1 == flow_hash(ipv4 / tcp) ^ 6
    for echo in (ICMPv6EchoRequest, ICMPv6EchoReply):
        assert flow_hash(ipv6 / echo(id=0x1234)) ^ 58 == flow_hash(ipv6 / tcp) ^ 6


@pytest.mark.parametrize(("source", "sport", "destination", "dport"), [vector[:4] for vector in VECTORS])
def test_default_key_gives_both_directions_the_same_port(source: str, sport: int, destination: str, dport: int) -> None:
    network = IPv6 if ":" in source else IP
    request = network(src=source, dst=destination) / TCP(sport=sport, dport=dport)
    reply = network(src=destination, dst=source) / TCP(sport=dport, dport=sport)
    there = judge(IN / request, interface(session()))
    back = judge(Ether(dst=PEER, src=ENI_0) / reply, interface(session()), egress=True)
    assert there.hash == back.hash
    assert there.source_port == back.source_port


def test_hash_with_the_default_key_by_hand() -> None:
    """One bit at a time: bit i of the input adds the 32 bits of 6d5a6d5a... from bit i on."""
    toeplitz = Toeplitz()
    assert toeplitz.hash(bytes(12)) == 0
    assert toeplitz.hash(b"\x80" + bytes(11)) == 0x6D5A6D5A
    assert toeplitz.hash(b"\x40" + bytes(11)) == 0xDAB4DAB4
    assert toeplitz.hash(b"\x00\x80" + bytes(10)) == 0x5A6D5A6D
    assert toeplitz.hash(bytes(35) + b"\x01") == 0x36AD36AD


def test_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 40 bytes, not 39"):
        Toeplitz(bytes(39))
