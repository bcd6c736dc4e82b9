"""Makes the example capture: a few thousand frames of the traffic that ``mirror.json``, beside it, is about.

``python examples/make_example.py [FOLDER]`` writes ``example.pcap`` (nanosecond pcap) and a copy of
``mirror.json`` to FOLDER, ``build/example`` by default. Frames come from a fixed seed: the files are the same
on every run. The traffic is as varied as a real interface's, and every verdict occurs that a capture can lead
to.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from pathlib import Path

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import DHCP6_Solicit
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.ipsec import AH, ESP
from scapy.layers.l2 import ARP, GRE, LLC, STP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.ntp import NTP
from scapy.packet import Packet, Raw
from scapy.utils import RawPcapWriter

ROOT = Path(__file__).resolve().parent.parent
POLICY = Path(__file__).with_name("mirror.json")
SEED = 4789
START = 1_767_225_600_000_000_000
"""Time of the first frame: 2026-01-01 00:00 UTC, in nanoseconds since 1970."""

ROUTER = "0a:3b:5c:00:00:01"
SHORTEST = 60
"""Bytes to which a sender pads a frame on the wire, FCS not counted (IEEE 802.3)."""


class Host:
    """An interface of the policy: MAC, IPv4 and IPv6 address."""

    def __init__(self, description: dict) -> None:
        self.mac = description["MacAddress"]
        self.ipv4 = description.get("PrivateIpAddress")
        self.ipv6 = next((entry["Ipv6Address"] for entry in description["Ipv6Addresses"]), None)


class Wire:
    """Collects frames. ``to`` and ``of`` wrap a packet for a host: ingress is padded, egress is not."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.frames: list[bytes] = []

    def raw(self, frame: bytes) -> None:
        self.frames.append(frame)

    def to(self, host: Host, *layers: Packet) -> None:
        """Ingress."""
        self.raw(_stack(Ether(src=ROUTER, dst=host.mac), *layers).ljust(SHORTEST, b"\0"))

    def of(self, host: Host, *layers: Packet) -> None:
        """Egress."""
        self.raw(_stack(Ether(src=host.mac, dst=ROUTER), *layers))

    def pair(self, host: Host, question: Packet, answer: Packet) -> None:
        """A question to the host and its answer."""
        self.to(host, question)
        self.of(host, answer)

    def ask(self, host: Host, question: Packet, answer: Packet) -> None:
        """A question by the host and the answer to it."""
        self.of(host, question)
        self.to(host, answer)

    def data(self, length: int) -> Raw:
        return Raw(self.chance.randbytes(length))


def _stack(*layers: Packet) -> bytes:
    packet = layers[0]
    for layer in layers[1:]:
        packet = packet / layer
    return bytes(packet)


def tcp_connection(wire: Wire, host: Host, client: str, port: int, sizes: list[int]) -> None:
    """A connection to the host: handshake, data (ingress and egress in turn), close."""
    ipv6 = ":" in client
    network, own = (IPv6, host.ipv6) if ipv6 else (IP, host.ipv4)
    client_port, number = wire.chance.randrange(1024, 65536), wire.chance.getrandbits(31)

    def segment(from_client: bool, flags: str, payload: int = 0) -> None:
        nonlocal number
        ends = {"src": client, "dst": own} if from_client else {"src": own, "dst": client}
        ports = (client_port, port) if from_client else (port, client_port)
        options = [("MSS", 8900)] if "S" in flags else [("NOP", None), ("NOP", None), ("Timestamp", (number, 0))]
        header = TCP(sport=ports[0], dport=ports[1], flags=flags, seq=number, ack=number ^ 1, options=options)
        number = (number + max(1, payload)) & 0xFFFFFFFF
        (wire.to if from_client else wire.of)(host, network(**ends) / header / wire.data(payload))

    segment(True, "S")
    segment(False, "SA")
    segment(True, "A")
    for turn, size in enumerate(sizes):
        segment(turn % 2 == 0, "PA", size)
        segment(turn % 2 == 1, "A")
    segment(True, "FA")
    segment(False, "FA")


def udp(source: str, destination: str, source_port: int, destination_port: int, payload: Packet) -> Packet:
    network = IPv6 if ":" in source else IP
    return network(src=source, dst=destination) / UDP(sport=source_port, dport=destination_port) / payload


def web(wire: Wire, host: Host) -> None:
    """Connections to the web server, from hosts that are mirrored and from some that are rejected."""
    chance = wire.chance
    for _ in range(45):
        client = f"198.18.{chance.randrange(256)}.{chance.randrange(1, 255)}"
        sizes = [chance.choice((1, 200, 517, 1400, 4000, 8900)) for _ in range(chance.randrange(2, 9))]
        tcp_connection(wire, host, client, chance.choice((443, 443, 443, 80, 8443)), sizes)
    for _ in range(20):
        tcp_connection(
            wire,
            host,
            f"2001:db8:77::{chance.randrange(1, 65536):x}",
            chance.choice((80, 443, 444)),
            [chance.randrange(1, 3000) for _ in range(5)],
        )
    for _ in range(8):
        tcp_connection(wire, host, f"203.0.113.{chance.randrange(1, 255)}", 443, [100, 1200])
        tcp_connection(wire, host, f"10.0.7.{chance.randrange(1, 255)}", 8443, [64, 512])


def database(wire: Wire, host: Host) -> None:
    """Connections to the database from the network of its users and from the one of the backups."""
    chance = wire.chance
    for _ in range(25):
        tcp_connection(
            wire,
            host,
            f"10.0.1.{chance.randrange(1, 255)}",
            5432,
            [chance.choice((20, 90, 180, 181, 182, 183, 300, 2000, 8948)) for _ in range(6)],
        )
    for _ in range(10):
        tcp_connection(wire, host, f"10.0.9.{chance.randrange(1, 255)}", 5432, [500, 8000])


def names(wire: Wire, host: Host) -> None:
    """DNS: Amazon's resolver under its three addresses, and public servers; UDP and TCP."""
    for number in range(30):
        port = wire.chance.randrange(1024, 65536)
        question = DNS(id=number, rd=1, qd=DNSQR(qname=f"host{number}.example.com"))
        answer = DNS(id=number, qr=1, rd=1, ra=1, qd=DNSQR(qname=f"host{number}.example.com"))
        server = ("10.0.0.2", "169.254.169.253", "192.0.2.53", "fd00:ec2::253")[number % 4]
        own = host.ipv6 if ":" in server else host.ipv4
        wire.ask(host, udp(own, server, port, 53, question), udp(server, own, 53, port, answer))
    tcp = IP(src=host.ipv4, dst="10.0.0.2") / TCP(sport=40000, dport=53, flags="S")
    wire.of(host, tcp)


def time(wire: Wire, host: Host) -> None:
    """NTP: public servers, whose traffic is mirrored, and the link-local one, whose is not."""
    for number in range(24):
        server = ("192.0.2.123", "169.254.169.123", "fd00:ec2::123")[number % 3]
        own = host.ipv6 if ":" in server else host.ipv4
        question = NTP(version=4, mode=3, ref=0, orig=0, recv=0, sent=number)
        answer = NTP(version=4, mode=4, ref=0, orig=number, recv=number, sent=number)
        wire.ask(host, udp(own, server, 123, 123, question), udp(server, own, 123, 123, answer))


def services(wire: Wire, host: Host) -> None:
    """What is never mirrored: ARP, DHCP, instance metadata, Windows activation."""
    mac = bytes.fromhex(host.mac.replace(":", ""))
    for number in range(12):
        wire.of(host, ARP(op="who-has", hwsrc=host.mac, psrc=host.ipv4, pdst="10.0.0.1"))
        wire.to(host, ARP(op="is-at", hwsrc=ROUTER, psrc="10.0.0.1", hwdst=host.mac, pdst=host.ipv4))
        discover = BOOTP(chaddr=mac, xid=number) / DHCP(options=[("message-type", "request"), "end"])
        offer = BOOTP(op=2, chaddr=mac, xid=number, yiaddr=host.ipv4) / DHCP(options=[("message-type", "ack"), "end"])
        wire.of(host, udp("0.0.0.0", "255.255.255.255", 68, 67, discover))
        wire.to(host, udp("10.0.0.1", host.ipv4, 67, 68, offer))
        wire.of(host, udp("fe80::1", "ff02::1:2", 546, 547, DHCP6_Solicit(trid=number)))
        for server in ("169.254.169.254", "fd00:ec2::254"):
            network, own = (IPv6, host.ipv6) if ":" in server else (IP, host.ipv4)
            segment = TCP(sport=50000 + number, dport=80, flags="PA")
            wire.of(host, network(src=own, dst=server) / segment / Raw(b"GET /latest/meta-data/ HTTP/1.1\r\n\r\n"))
            segment = TCP(sport=80, dport=50000 + number, flags="PA")
            wire.to(host, network(src=server, dst=own) / segment / Raw(b"HTTP/1.1 200 OK\r\n\r\n"))
        server = f"169.254.169.{250 + number % 2}"
        wire.of(host, IP(src=host.ipv4, dst=server) / TCP(sport=51000 + number, dport=1688, flags="S"))


def pings(wire: Wire, host: Host) -> None:
    for number in range(20):
        echo, reply = ICMP(type=8, id=number % 3, seq=number), ICMP(type=0, id=number % 3, seq=number)
        size = wire.chance.choice((0, 56, 1400, 3000))
        wire.pair(
            host,
            IP(src="198.51.100.9", dst=host.ipv4) / echo / wire.data(size),
            IP(src=host.ipv4, dst="198.51.100.9") / reply / wire.data(size),
        )
        wire.pair(
            host,
            IPv6(src="2001:db8:6::9", dst=host.ipv6) / ICMPv6EchoRequest(id=7, seq=number),
            IPv6(src=host.ipv6, dst="2001:db8:6::9") / ICMPv6EchoReply(id=7, seq=number),
        )
    wire.to(host, IP(src="198.51.100.9", dst=host.ipv4) / ICMP(type=3, code=4) / wire.data(28))


def tags_and_tunnels(wire: Wire, host: Host) -> None:
    """VLAN, QinQ, three tags, GRE, ESP, AH, SCTP."""
    for number in range(15):
        segment = IP(src="198.51.100.7", dst=host.ipv4) / TCP(sport=6000 + number, dport=443, flags="A")
        wire.to(host, Dot1Q(vlan=number + 1), segment)
        wire.to(host, Dot1AD(vlan=100), Dot1Q(vlan=number + 1), segment / wire.data(number))
        wire.to(host, Dot1Q(vlan=1), Dot1Q(vlan=2), segment)
        wire.to(host, Dot1AD(vlan=1), Dot1Q(vlan=2), Dot1Q(vlan=3), segment)
        wire.to(
            host, IP(src="198.51.100.7", dst=host.ipv4) / GRE() / IP(src="10.9.9.9", dst="10.9.9.8") / wire.data(40)
        )
        wire.to(host, IP(src="198.51.100.7", dst=host.ipv4) / ESP(spi=number, seq=number, data=bytes(64)))
        wire.to(host, IP(src="198.51.100.7", dst=host.ipv4, proto=132) / wire.data(32))


def fragments(wire: Wire, host: Host) -> None:
    """First and later fragments, IPv4 and IPv6, and the atomic fragment that is none."""
    for number in range(12):
        whole = bytes(UDP(sport=9000, dport=53, len=3008, chksum=0) / wire.data(3000))
        for offset in range(0, len(whole), 1480):
            piece = Raw(whole[offset : offset + 1480])
            more = "MF" if offset + 1480 < len(whole) else 0
            wire.to(
                host, IP(src="198.51.100.5", dst=host.ipv4, id=number, flags=more, frag=offset // 8, proto=17) / piece
            )
            header = IPv6ExtHdrFragment(nh=17, id=number, offset=offset // 8, m=1 if more else 0)
            wire.to(host, IPv6(src="2001:db8:6::5", dst=host.ipv6) / header / piece)
        atomic = IPv6ExtHdrFragment(nh=6, id=number, offset=0, m=0)
        wire.to(host, IPv6(src="2001:db8:6::5", dst=host.ipv6) / atomic / TCP(sport=number + 1, dport=443, flags="S"))


def long_headers(wire: Wire, host: Host) -> None:
    """IPv4 options; IPv6 extension headers, from one to more than a parser follows."""
    for number in range(12):
        options = [IPOption_Router_Alert()] + [IPOption_NOP()] * (number * 3)
        wire.to(
            host, IP(src="198.18.0.1", dst=host.ipv4, options=options) / TCP(sport=number + 1, dport=443, flags="S")
        )
        chain: Packet = IPv6(src="2001:db8:6::7", dst=host.ipv6)
        for position in range(number):
            chain = chain / (IPv6ExtHdrHopByHop() if position == 0 else IPv6ExtHdrDestOpt())
        wire.to(host, chain / TCP(sport=number + 1, dport=443, flags="S"))
        routed = IPv6(src="2001:db8:6::7", dst=host.ipv6) / IPv6ExtHdrRouting(addresses=["2001:db8:6::1"])
        wire.to(host, routed / UDP(sport=123, dport=number + 1) / wire.data(8))
        wire.to(
            host,
            IPv6(src="2001:db8:6::7", dst=host.ipv6)
            / AH(nh=17, spi=number, icv=bytes(12))
            / UDP(sport=5000, dport=5001)
            / wire.data(16),
        )


def neighbours(wire: Wire, idle: Host, hosts: list[Host]) -> None:
    """Multicast, other protocols, an interface without a session, addresses of nobody."""
    for number in range(30):
        wire.raw(
            bytes(
                Ether(src=ROUTER, dst="ff:ff:ff:ff:ff:ff")
                / ARP(op="who-has", hwsrc=ROUTER, psrc="10.0.0.1", pdst=f"10.0.1.{number + 1}")
            ).ljust(60, b"\0")
        )
        wire.raw(
            bytes(
                Ether(src=ROUTER, dst="01:80:c2:00:00:0e", type=0x88CC)  # LLDP: chassis, port, TTL, end
                / Raw(bytes.fromhex("0207040a3b5c0000010407030a3b5c000001060200780000"))
            )
        )
        wire.raw(bytes(Dot3(src=ROUTER, dst="01:80:c2:00:00:00") / LLC() / STP()).ljust(60, b"\0"))
        wire.raw(
            bytes(
                Ether(src=ROUTER, dst="33:33:ff:00:00:10")
                / IPv6(src="fe80::1", dst="ff02::1:ff00:10", hlim=255)
                / ICMPv6ND_NS(tgt=hosts[0].ipv6)
            )
        )
        wire.raw(
            bytes(
                Ether(src=ROUTER, dst="01:00:5e:00:00:fb")
                / IP(src="10.0.1.77", dst="224.0.0.251", ttl=255)
                / UDP(sport=5353, dport=5353)
                / DNS(id=0, qd=DNSQR(qname="_http._tcp.local", qtype="PTR"))
            )
        )
        wire.raw(
            bytes(
                Ether(src=ROUTER, dst=f"0a:99:00:00:00:{number:02x}")
                / IP(src="10.0.8.1", dst="10.0.8.2")
                / UDP(sport=1, dport=2)
                / wire.data(number)
            )
        )
        wire.to(idle, udp("10.0.1.10", idle.ipv4, 9000, 9000, wire.data(100)))
        wire.of(idle, udp(idle.ipv4, "10.0.1.10", 9000, 9000, wire.data(100)))
        host = hosts[number % len(hosts)]
        wire.to(host, udp("10.0.8.9", host.ipv4, 4000 + number, 4001, wire.data(8870 + number)))


def broken(wire: Wire, host: Host) -> None:
    """Runts, frames that end inside a header, wrong IP versions, and the longest frames there are."""
    whole = bytes(
        Ether(src=ROUTER, dst=host.mac) / IP(src="198.51.100.3", dst=host.ipv4) / TCP(sport=1000, dport=443, flags="S")
    )
    for length in range(1, len(whole) + 1):
        wire.raw(whole[:length])
    for first in (0x05, 0x41, 0x44, 0x55, 0x65):  # version and header length
        wire.raw(whole[:14] + bytes([first]) + whole[15:])
    whole = bytes(
        Ether(src=ROUTER, dst=host.mac) / IPv6(src="2001:db8:6::3", dst=host.ipv6) / UDP(sport=1000, dport=443)
    )
    for length in range(14, len(whole) + 1):
        wire.raw(whole[:length])
    wire.raw(whole[:14] + b"\x40" + whole[15:])
    for length in (9000, 9014, 9216, 9217):
        wire.to(host, IP(src="198.51.100.3", dst=host.ipv4) / UDP(sport=7, dport=7) / wire.data(length - 42))


def make_frames() -> list[bytes]:
    """All frames, kinds mixed, the order within each kind kept."""
    documents = json.loads(POLICY.read_text())
    first, second, idle = (Host(description) for description in documents["NetworkInterfaces"][:3])
    chance = random.Random(SEED)
    kinds: list[list[bytes]] = []

    def collect(make, *arguments) -> None:
        wire = Wire(chance)
        make(wire, *arguments)
        kinds.append(wire.frames)

    collect(web, first)
    collect(database, second)
    for host in (first, second):
        for make in (names, time, services, pings, tags_and_tunnels, fragments, long_headers, broken):
            collect(make, host)
    collect(neighbours, idle, [first, second])

    order = [kind for kind, frames in enumerate(kinds) for _ in frames]
    chance.shuffle(order)
    queues = [iter(frames) for frames in kinds]
    return [next(queues[kind]) for kind in order]


def main(folder: Path) -> None:
    frames = make_frames()
    chance = random.Random(SEED)
    folder.mkdir(parents=True, exist_ok=True)
    capture = folder / "example.pcap"
    now = START
    with RawPcapWriter(str(capture), linktype=1, nano=True) as writer:
        writer.write_header(None)
        for frame in frames:
            writer.write_packet(frame, sec=now // 1_000_000_000, usec=now % 1_000_000_000)
            now += 1 + int(chance.expovariate(1 / 250_000))
    policy = folder / POLICY.name
    if policy.resolve() != POLICY:
        shutil.copyfile(POLICY, policy)
    print(f"{len(frames):,} frames in {capture}, policy in {policy}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the example capture and a copy of its policy.")
    default = ROOT / "build" / "example"
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="where to (default: build/example)")
    main(parser.parse_args().folder)
