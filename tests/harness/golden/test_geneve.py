"""GENEVE as an appliance behind a Gateway Load Balancer gets it, against packets that AWS's load balancers sent."""

from __future__ import annotations

from collections import defaultdict
from ipaddress import IPv4Address

import pytest
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.utils import RawPcapReader

from halfsilver.harness.golden.flow_hash import Toeplitz
from halfsilver.harness.golden.geneve import Flow, endpoint_number, flow_of, wrap
from halfsilver.harness.policy.appliance import Appliance
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.sim.places import CAPTURES
from tests.harness.golden.golden_kit import ENI_0, engine, interface, outer, session

FILES = ("suricata-verify__bug-6402-01__input.pcap", "mercury__geneve.pcap")
OPTION_CLASS = bytes.fromhex("0108")
GENEVE_AT, COOKIE_AT, INNER_AT = 42, 78, 82
"""In a frame: where GENEVE begins, the value of its last option, and the packet that it carries."""
PER_FLOW = [*range(34, 36), *range(40, 42), *range(COOKIE_AT, INNER_AT)]
"""Bytes that are of the flow: the UDP source port, the cookie, and the UDP checksum over both."""

APPLIANCE = Appliance(
    bytes.fromhex("0a0000000091"), IPv4Address("10.9.0.91"), bytes.fromhex("0a0000000090"), IPv4Address("10.9.0.90")
)


@pytest.fixture(scope="module")
def from_aws() -> list[bytes]:
    """All frames of the captures that have Amazon's options."""
    paths = [CAPTURES / "geneve" / name for name in FILES]
    if not all(path.exists() for path in paths):
        pytest.skip(f"no captures in {CAPTURES / 'geneve'} (set HALFSILVER_CAPTURES)")
    frames = [data for path in paths for data, _ in RawPcapReader(str(path))]
    return [data for data in frames if data[36:38] == b"\x17\xc1" and data[50:52] == OPTION_CLASS]


def ends_of(frame: bytes) -> Appliance:
    return Appliance(frame[:6], IPv4Address(frame[30:34]), frame[6:12], IPv4Address(frame[26:30]))


def carried(frame: bytes) -> bytes:
    """What GENEVE carries, with an Ethernet header as a copy has it."""
    return bytes(12) + b"\x08\x00" + frame[INNER_AT:]


def test_every_packet_of_aws_comes_back_identical(from_aws: list[bytes]) -> None:
    """With the port and the cookie that AWS's load balancer drew for the flow; so the checksum over them too."""
    assert len(from_aws) == 12 + 224
    for frame in from_aws:
        flow = Flow(int.from_bytes(frame[34:36]), int.from_bytes(frame[COOKIE_AT:INNER_AT]))
        endpoint = int.from_bytes(frame[54:62])
        assert wrap(ends_of(frame), endpoint, flow, carried(frame)) == frame


def test_only_bytes_of_the_flow_are_ours(from_aws: list[bytes]) -> None:
    """With our port and cookie, all other bytes are AWS's; both are of the flow there as here, in both directions."""
    toeplitz = Toeplitz()
    ours, theirs = defaultdict(set), defaultdict(set)
    for frame in from_aws:
        flow = flow_of(carried(frame), toeplitz)
        made = wrap(ends_of(frame), int.from_bytes(frame[54:62]), flow, carried(frame))
        assert len(made) == len(frame)
        assert [at for at in range(len(frame)) if made[at] != frame[at] and at not in PER_FLOW] == []
        inner = IP(frame[INNER_AT:])
        ports = inner.payload.sport, inner.payload.dport  # of TCP or UDP; of one TCP connection in GRE
        key = inner.proto, frozenset(zip((inner.src, inner.dst), ports, strict=True))
        ours[key].add(made[34:36] + made[COOKIE_AT:INNER_AT])
        theirs[key].add(frame[34:36] + frame[COOKIE_AT:INNER_AT])
    assert {len(each) for each in (*ours.values(), *theirs.values())} == {1}
    assert len(theirs) == len(set.union(*theirs.values())) == 65
    ports = {int.from_bytes(each[:2]) for flows in (*ours.values(), *theirs.values()) for each in flows}
    assert min(ports) >= 60_000 and max(ports) <= 60_000 + 0xFFF


@pytest.mark.parametrize(("source", "destination"), [("10.9.0.1", "10.9.0.2"), ("2001:db8::1", "2001:db8::2")])
def test_a_copy_in_geneve_to_scapy(source: str, destination: str) -> None:
    """The whole nest, an endpoint of either family: Ethernet, IPv4, UDP, GENEVE, IP, UDP, VXLAN, the frame."""
    data = bytes(Ether(dst=ENI_0) / IP(src="192.0.2.7", dst="10.0.0.1") / UDP(sport=7, dport=9) / b"payload")
    (copy,) = (
        engine(interface(session(to=outer(source, destination)))).process([Frame(data, Direction.INGRESS)]).outputs
    )
    flow = flow_of(copy.data, Toeplitz())
    made = Ether(wrap(APPLIANCE, 0x31E129CDC0CD8633, flow, copy.data))
    assert (made.dst, made.src) == ("0a:00:00:00:00:91", "0a:00:00:00:00:90")
    assert (made[IP].src, made[IP].dst, made[IP].ttl, made[IP].id, int(made[IP].flags)) == (
        "10.9.0.90",
        "10.9.0.91",
        255,
        0,
        0,
    )
    assert (made[UDP].sport, made[UDP].dport) == (60_000 + flow.cookie % 4096, 6081)
    geneve = made[GENEVE]
    assert (geneve.version, geneve.optionlen, geneve.oam, geneve.critical, geneve.vni) == (0, 8, 0, 0, 0)
    assert [(each.classid, each.type, each.length) for each in geneve.options] == [
        (0x0108, 1, 2),
        (0x0108, 2, 2),
        (0x0108, 3, 1),
    ]
    assert [bytes(each)[4:] for each in geneve.options] == [
        bytes.fromhex("31e129cdc0cd8633"),
        bytes(8),
        flow.cookie.to_bytes(4),
    ]
    inner = geneve.payload
    assert isinstance(inner, IP if ":" not in source else IPv6)
    assert bytes(inner) == copy.data[14:]
    assert bytes(inner[VXLAN].payload) == data
    checked = made[IP].copy()
    del checked.chksum, checked[UDP].chksum
    assert bytes(checked) == bytes(made[IP])


def test_an_endpoint_is_its_hexadecimal_digits() -> None:
    assert endpoint_number("vpce-031e129cdc0cd8633") == 0x31E129CDC0CD8633
    assert endpoint_number("vpce-1a2b3c4d") == 0x1A2B3C4D
    other = endpoint_number("vpce-0123456789EXAMPLE")
    assert 0 < other < 1 << 64 and other != endpoint_number("vpce-0123456789EXAMPLF")
