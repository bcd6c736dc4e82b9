"""Names of header fields: scapy changes one field, the first byte that differs must have its name."""

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN

from halfsilver.harness.report.header_fields import field_at, fields_of

INNER = Ether(src="0a:00:00:00:00:01", dst="0a:00:00:00:00:02") / IP(src="10.0.0.1", dst="10.0.0.2", chksum=0)


def copy_of(inner=INNER, ipv6=False, **fields):
    network = {"ip": IP(src="10.9.0.1", dst="10.9.0.2", chksum=0), "ip6": IPv6(src="2001:db8::1", dst="2001:db8::2")}
    packet = (
        Ether(src="0a:00:00:00:00:03", dst="0a:00:00:00:00:04")
        / network["ip6" if ipv6 else "ip"]
        / UDP(sport=0xFF80, dport=4789, chksum=0, len=100)
        / VXLAN(flags=8, vni=1)
        / inner
        / TCP(sport=1, dport=2, chksum=0, options=[("NOP", None)] * 4)
        / b"payload"
    )
    for layer, name, value in fields.get("change", ()):
        packet[layer].setfieldval(name, value)
    return bytes(packet)


def first_difference(one: bytes, two: bytes) -> str:
    offset = next(at for at, (left, right) in enumerate(zip(one, two, strict=True)) if left != right)
    return field_at(one, offset)


@pytest.mark.parametrize(
    ("layer", "name", "value", "expected"),
    [
        (Ether, "dst", "0b:00:00:00:00:04", "outer Ethernet destination MAC"),
        (Ether, "src", "0a:00:00:00:00:99", "outer Ethernet source MAC"),
        (IP, "tos", 4, "outer IPv4 type of service"),
        (IP, "id", 0x0102, "outer IPv4 identification"),
        (IP, "flags", "DF", "outer IPv4 flags and fragment offset"),
        (IP, "ttl", 254, "outer IPv4 time to live"),
        (IP, "chksum", 1, "outer IPv4 header checksum"),
        (IP, "src", "10.9.0.9", "outer IPv4 source address"),
        (IP, "dst", "10.9.0.9", "outer IPv4 destination address"),
        (UDP, "sport", 0xFF81, "outer UDP source port"),
        (UDP, "len", 101, "outer UDP length"),
        (UDP, "chksum", 1, "outer UDP checksum"),
        (VXLAN, "reserved1", 1, "VXLAN reserved (first)"),
        (VXLAN, "vni", 2, "VXLAN network identifier (VNI)"),
        (VXLAN, "reserved2", 1, "VXLAN reserved (last)"),
        (TCP, "seq", 1, "inner TCP sequence number"),
        (TCP, "flags", "A", "inner TCP flags"),
        (TCP, "window", 1, "inner TCP window"),
        (TCP, "options", [("NOP", None)] * 3 + [("EOL", None)], "inner TCP options"),
    ],
)
def test_field_that_scapy_changed(layer, name, value, expected):
    assert first_difference(copy_of(), copy_of(change=[(layer, name, value)])) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("tc", 1, "outer IPv6 version, traffic class and flow label"),
        ("plen", 9, "outer IPv6 payload length"),
        ("hlim", 1, "outer IPv6 hop limit"),
        ("src", "2001:db8::9", "outer IPv6 source address"),
        ("dst", "2001:db8::9", "outer IPv6 destination address"),
    ],
)
def test_ipv6_field_that_scapy_changed(name, value, expected):
    assert first_difference(copy_of(ipv6=True), copy_of(ipv6=True, change=[(IPv6, name, value)])) == expected


def test_vlan_arp_icmp_and_fragments():
    ether = Ether(src="0a:00:00:00:00:03", dst="0a:00:00:00:00:04")
    assert field_at(bytes(ether / Dot1Q(vlan=5) / IP()), 15) == "VLAN tag control information"
    assert field_at(bytes(ether / Dot1Q(vlan=5) / IP()), 18) == "IPv4 version and header length"
    assert field_at(bytes(ether / ARP()), 20) == "ARP operation"
    assert field_at(bytes(ether / IP() / ICMP()), 34) == "ICMP type"
    assert field_at(bytes(ether / IP(frag=1) / b"xxxx"), 34) == "IPv4 payload"
    assert field_at(bytes(ether / IP(proto=47) / b"xxxx"), 35) == "IPv4 payload"
    assert field_at(bytes(ether / IP() / UDP() / b"x"), 43) == "end of frame"


def test_fields_cover_any_prefix_of_a_frame_without_gap():
    whole = copy_of()
    for length in range(len(whole) + 1):
        position = 0
        for field in fields_of(whole[:length]):
            assert field.start == position < field.end
            position = field.end
        assert position == length
