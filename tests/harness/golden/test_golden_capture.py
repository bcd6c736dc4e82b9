"""The golden model against real traffic: AWS's own mirror capture, and scapy's reading of many captures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy.utils import RawPcapReader

from halfsilver.harness.golden.parse import Kind, parse
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.sim.places import CAPTURES
from tests.harness.golden.golden_kit import engine, interface, outer, session

AWS = CAPTURES / "vxlan" / "suricata-verify__AWS__vxlan.pcap"
SOURCE_MAC = "02:29:23:74:c7:7d"
OUTER_BYTES = 14 + 20 + 8 + 8
ETHERNET_LINK = 1


@pytest.fixture(scope="module")
def aws_packets() -> list[bytes]:
    if not AWS.exists():
        pytest.skip(f"no capture at {AWS} (set HALFSILVER_CAPTURES)")
    return [data for data, _ in RawPcapReader(str(AWS))]


def test_aws_capture_comes_back_identical(aws_packets: list[bytes]) -> None:
    """All but the outer MACs, which are the VPC router's there, and the hash bits of the UDP source port."""
    assert len(aws_packets) == 100
    to = outer("172.31.0.238", "172.31.17.188", source_mac=SOURCE_MAC)
    policy = interface(session(vni=0x54FA11, to=to), address=SOURCE_MAC)
    source = bytes.fromhex(SOURCE_MAC.replace(":", ""))
    frames = []
    for packet in aws_packets:
        inner = packet[OUTER_BYTES:]
        frames.append(Frame(inner, Direction.EGRESS if inner[6:12] == source else Direction.INGRESS))
    result = engine(policy).process(frames)

    assert [record.verdict for record in result.verdicts] == [Verdict.MIRRORED] * 100
    assert [output.frame for output in result.outputs] == list(range(100))
    ports_of_flow = defaultdict(set)
    for packet, output in zip(aws_packets, result.outputs, strict=True):
        ours = output.data
        assert ours[12:35] == packet[12:35]  # ethertype, IPv4 header, high byte of the port
        assert ours[35] & 0x80 == packet[35] & 0x80 == 0x80
        assert ours[36:] == packet[36:]
        inner = Ether(packet[OUTER_BYTES:])
        transport = TCP if TCP in inner else UDP
        ends = {(inner[IP].src, inner[transport].sport), (inner[IP].dst, inner[transport].dport)}
        ports_of_flow[inner[IP].proto, frozenset(ends)].add(int.from_bytes(ours[34:36], "big"))
    assert all(len(ports) == 1 for ports in ports_of_flow.values())  # per flow, both directions
    assert all(0xFF80 <= port <= 0xFFFF for ports in ports_of_flow.values() for port in ports)
    assert len(set.union(*ports_of_flow.values())) > 1


def capture_frames(every: int) -> Iterator[tuple[Path, int, bytes]]:
    """Every n-th frame of the Ethernet captures in ``captures/dev``."""
    for path in sorted((CAPTURES / "dev").iterdir()):
        with RawPcapReader(str(path)) as reader:
            for number, (data, metadata) in enumerate(reader, 1):
                link = getattr(metadata, "linktype", getattr(reader, "linktype", None))
                if number % every == 0 and link == ETHERNET_LINK:
                    yield path, number, data


def scapy_network(data: bytes) -> Packet | None:
    """The outermost IP layer if scapy finds it behind Ethernet and at most two VLAN tags."""
    layer = Ether(data).payload
    for _ in range(2):
        if layer.name in ("802.1Q", "802.1AD"):
            layer = layer.payload
    return layer if isinstance(layer, IP | IPv6) else None


def test_parser_agrees_with_scapy_on_captures() -> None:
    """Addresses, IPv4 protocol and fragments; and the ports wherever scapy sees TCP or UDP directly in IP."""
    if not (CAPTURES / "dev").is_dir():
        pytest.skip(f"no captures at {CAPTURES / 'dev'} (set HALFSILVER_CAPTURES)")
    compared = with_ports = 0
    for path, number, data in capture_frames(every=3):
        network, headers = scapy_network(data), parse(data)
        if network is None or headers.kind is Kind.MALFORMED:
            continue
        compared += 1
        where = f"{path.name} frame {number}"
        assert headers.kind is (Kind.IPV4 if isinstance(network, IP) else Kind.IPV6), where
        assert headers.source == int(ip_address(network.src)), where
        assert headers.destination == int(ip_address(network.dst)), where
        if isinstance(network, IP):
            assert headers.protocol == network.proto, where
            assert headers.fragment == (bool(network.flags.MF) or network.frag != 0), where
        if isinstance(network.payload, TCP | UDP):
            with_ports += 1
            assert headers.ports == (network.payload.sport, network.payload.dport), where
            assert headers.protocol == (6 if isinstance(network.payload, TCP) else 17), where
    assert compared > 5000
    assert with_ports > 4000
