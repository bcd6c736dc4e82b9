"""Frames without Ethernet header: scapy writes them, in captures of each link type and several in one."""

import io
import struct

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, CookedLinux, CookedLinuxV2, Ether, Loopback

from halfsilver.harness.capture.reader import CaptureReader
from tests.harness.capture.test_capture import block, interface, option, packet, pcap, record, section

WEB, ROUTER, MADE_UP = "0a:00:00:00:00:10", "0a:00:00:00:00:01", "02:00:00:00:00:00"
STATIONS = {
    bytes([10, 0, 0, 10]): bytes.fromhex("0a0000000010"),
    bytes.fromhex("fd000000000000000000000000000010"): bytes.fromhex("0a0000000010"),
}
OUT4 = IP(src="10.0.0.10", dst="192.0.2.1") / TCP(sport=443, dport=1000) / b"answer"
IN4 = IP(src="192.0.2.1", dst="10.0.0.10") / UDP(sport=53, dport=1000) / b"question"
IN6 = IPv6(src="2001:db8::1", dst="fd00::10") / TCP(sport=80)
GROUP4, GROUP6 = IP(src="10.0.0.10", dst="239.129.1.2") / b"x", IPv6(src="fd00::10", dst="ff02::1:ff00:7") / b"x"
FAR = IP(src="192.0.2.1", dst="192.0.2.2") / b"x"


def sll(kind, protocol, source=ROUTER):
    address = bytes.fromhex(source.replace(":", "")) + bytes(2)
    return CookedLinux(pkttype=kind, lladdrtype=1, lladdrlen=6, src=address, proto=protocol)


def sll2(kind, protocol):
    address = bytes.fromhex(ROUTER.replace(":", "")) + bytes(2)
    return CookedLinuxV2(pkttype=kind, lladdrtype=1, lladdrlen=6, src=address, proto=protocol, ifindex=3)


def lift(link, *frames):
    """The frames of a pcap and of a pcapng of this link type, which must be the same."""
    ways = (
        pcap(link=link, records=b"".join(record(bytes(frame)) for frame in frames)),
        section() + interface(link) + b"".join(packet(bytes(frame)) for frame in frames),
    )
    found = []
    for data in ways:
        reader = CaptureReader(io.BytesIO(data), "some")
        reader.know(STATIONS)
        found.append([(frame.data, frame.original_length) for frame in reader])
        assert (dict(reader.lifted), reader.damage) == ({link: len(frames)}, [])
    assert found[0] == found[1] and all(len(data) == length for data, length in found[0])
    return [data for data, _ in found[0]]


@pytest.mark.parametrize(
    ("link", "frame", "destination", "source", "inner"),
    [
        (101, OUT4, MADE_UP, WEB, OUT4),
        (12, IN4, WEB, MADE_UP, IN4),
        (101, IN6, WEB, MADE_UP, IN6),
        (228, FAR, MADE_UP, MADE_UP, FAR),
        (229, IN6, WEB, MADE_UP, IN6),
        (101, GROUP4, "01:00:5e:01:01:02", WEB, GROUP4),
        (101, GROUP6, "33:33:ff:00:00:07", WEB, GROUP6),
        (101, IP(src="10.0.0.10", dst="255.255.255.255"), "ff:ff:ff:ff:ff:ff", WEB, None),
        (0, Loopback(type=2) / IN4, WEB, MADE_UP, IN4),
        (0, struct.pack(">I", 30) + bytes(IN6), WEB, MADE_UP, IN6),
        (0, struct.pack("<I", 10) + bytes(IN6), WEB, MADE_UP, IN6),
        (108, struct.pack(">I", 2) + bytes(OUT4), MADE_UP, WEB, OUT4),
        (113, sll(0, 0x800) / IN4, WEB, ROUTER, IN4),
        (113, sll(4, 0x800, source=WEB) / FAR, MADE_UP, WEB, FAR),
        (113, sll(0, 0x800, source="00:00:00:00:00:00") / FAR, MADE_UP, MADE_UP, FAR),
        (113, sll(1, 0x800) / FAR, "ff:ff:ff:ff:ff:ff", ROUTER, FAR),
        (276, sll2(0, 0x86DD) / IN6, WEB, ROUTER, IN6),
        (276, sll2(0, 0x806) / ARP(psrc="10.0.0.1", pdst="10.0.0.10"), WEB, ROUTER, None),
    ],
)
def test_a_header_by_what_is_known(link, frame, destination, source, inner):
    (lifted,) = lift(link, frame)
    parsed = Ether(lifted)
    assert (parsed.dst, parsed.src) == (destination, source)
    if inner is not None:
        assert bytes(parsed.payload) == bytes(inner)
        assert parsed.type == (0x86DD if inner.version == 6 else 0x800)


@pytest.mark.parametrize(("kind", "outbound"), [(0, False), (1, False), (2, False), (3, False), (4, True), (6, None)])
def test_the_packet_type_says_which_way_a_frame_went(kind, outbound):
    for link, header in ((113, sll), (276, sll2)):
        data = pcap(link=link, records=record(bytes(header(kind, 0x800) / FAR)))
        assert [frame.outbound for frame in CaptureReader(io.BytesIO(data), "some")] == [outbound]


@pytest.mark.parametrize(("flags", "outbound"), [(0, True), (1, False), (2, True), (3, True), (1 << 2 | 1, False)])
def test_the_flags_of_a_packet_say_so_first(flags, outbound):
    cooked = bytes(sll(4, 0x800) / FAR)
    body = struct.pack("<IIIII", 0, 0, 0, len(cooked), len(cooked)) + cooked + bytes(-len(cooked) % 4)
    data = section() + interface(113) + block(6, body + option(2, struct.pack("<I", flags)))
    assert [frame.outbound for frame in CaptureReader(io.BytesIO(data), "some")] == [outbound]


def test_what_is_not_ip_stays_so():
    """A family that is nobody's, an 802.2 frame, and a version that is none."""
    odd = (
        (0, struct.pack("<I", 7) + b"osi"),
        (113, sll(0, 4) / b"llc"),
        (101, b"\x10version 1"),
        (229, b"\x45version 4"),
    )
    types = [struct.unpack_from("!H", lift(link, frame)[0], 12)[0] for link, frame in odd]
    assert types == [0xFFFF, 4, 0x800, 0x86DD]


def test_interfaces_of_several_link_types_in_one_capture():
    ether = bytes(Ether(src=ROUTER, dst=WEB) / IN4)
    data = section() + interface() + interface(101) + interface(276)
    data += packet(ether) + packet(bytes(IN4), index=1) + packet(bytes(sll2(0, 0x800) / IN4), index=2)
    reader = CaptureReader(io.BytesIO(data), "mixed")
    reader.know(STATIONS)
    frames = [frame.data for frame in reader]
    assert frames[0] == frames[2] == ether and frames[1] == ether[:6] + bytes.fromhex("020000000000") + ether[12:]
    assert dict(reader.lifted) == {101: 1, 276: 1}


@pytest.mark.parametrize(("link", "size"), [(0, 4), (108, 4), (113, 16), (276, 20)])
def test_a_frame_that_ends_in_its_own_header_is_damage_and_costs_only_itself(link, size):
    whole = bytes(size) + bytes(IN4)
    for data in (
        pcap(link=link, records=record(whole) + record(bytes(size - 1), original=99) + record(whole)),
        section() + interface(link) + packet(whole) + packet(bytes(size - 1)) + packet(whole),
    ):
        reader = CaptureReader(io.BytesIO(data), "short")
        assert len(list(reader)) == 2
        assert [damage.message for damage in reader.damage] == [
            f"a frame of {size - 1} bytes ends in its {reader_name(link)} header"
        ]


def reader_name(link):
    return {0: "NULL", 108: "LOOP", 113: "LINUX_SLL", 276: "LINUX_SLL2"}[link]


def test_a_cut_frame_stays_known_as_cut():
    data = section() + interface(113) + block(6, struct.pack("<IIIII", 0, 0, 0, 40, 116) + bytes(40))
    (frame,) = CaptureReader(io.BytesIO(data), "cut")
    assert (len(frame.data), frame.original_length) == (38, 114)
