"""Copies from the gateware for outside judges: varied inner frames under sessions of every kind of outer packet."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import Dot1Q, Ether

from halfsilver.harness.policy.policy import Interface, Outer, Policy, Rule, Session
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.engine import VerilatorEngine

SOURCES = [bytes.fromhex("0200000000a1"), bytes.fromhex("0200000000a2")]
TARGET = bytes.fromhex("020000000002")
ENDS = {4: ("10.99.0.1", "10.99.0.2"), 6: ("fd99::1", "fd99::2")}
JUMBO = 9001 + 14


def session(eni, number, vni, family, protocol, packet_length, mtu):
    """A session that takes a protocol of both families; ``mtu`` None: no limit."""
    limit = None if mtu is None else mtu - (40 if family == 4 else 60)
    rules = tuple(
        Rule(f"tmfr-{n}", n, True, ip_network(block), ip_network(block), protocol, None, None)
        for n, block in enumerate(("0.0.0.0/0", "::/0"), 1)
    )
    outer = Outer(TARGET, SOURCES[eni], *map(ip_address, ENDS[family]), limit)
    return Session(f"tms-{eni}{number}", number, "tmf", "tmt", vni, packet_length, False, rules, rules, outer, None)


POLICY = Policy(
    (
        Interface(
            "eni-a",
            SOURCES[0],
            None,
            (
                session(0, 1, 0x000001, 4, 6, None, None),
                session(0, 2, 0x123456, 6, 17, None, None),
                session(0, 3, 0xFFFFFF, 6, None, 101, 9001),
            ),
        ),
        Interface(
            "eni-b",
            SOURCES[1],
            None,
            (
                session(1, 1, 0x00ABCD, 4, 6, 60, 9001),
                session(1, 2, 0x800000, 6, 17, 1, 1500),
                session(1, 3, 0x7FFFFF, 4, None, None, 1500),
            ),
        ),
    )
)


def inner_frames() -> list[Frame]:
    """Inner frames of both interfaces and directions: plain, tagged, odd lengths, short, jumbo, not TCP or UDP."""
    packets = []
    for size in (0, 1, 5, 46, 333, 1400, JUMBO - 54):
        for network in (IP(src="192.0.2.1", dst="198.51.100.7"), IPv6(src="2001:db8::1", dst="2001:db8::2")):
            payload = bytes(number * 7 & 0xFF for number in range(size - (20 if network.version == 6 else 0)))
            for transport in (TCP(sport=1025, dport=80), UDP(sport=40000, dport=9)):
                packets.append(network / transport / payload)
    packets += [
        IP(src="192.0.2.9", dst="192.0.2.10") / ICMP(id=77) / b"echo",
        IPv6(src="2001:db8::9", dst="2001:db8::a") / ICMPv6EchoRequest(id=77, data=b"echo!"),
        IP(src="192.0.2.9", dst="192.0.2.10") / ICMP(id=78) / bytes(1601),
        IPv6(src="2001:db8::9", dst="2001:db8::a") / ICMPv6EchoRequest(id=78, data=bytes(1601)),
        IP(src="192.0.2.9", dst="192.0.2.10", proto=47) / (b"\0" * 33),
        IPv6(src="2001:db8::9", dst="2001:db8::a") / IPv6ExtHdrDestOpt() / UDP(sport=5, dport=6) / b"x",
        IP(src="192.0.2.9", dst="192.0.2.10", flags="MF") / UDP(sport=5, dport=6) / (b"first" * 8),
        IP(src="192.0.2.9", dst="192.0.2.10", frag=6) / (b"second" * 5),
    ]
    frames = []
    for number, packet in enumerate(packets):
        for eni, own in enumerate(SOURCES):
            direction = Direction((number + eni) % 2)
            ends = {"src": own.hex(":"), "dst": "02:00:00:00:00:b0"}
            if direction is Direction.INGRESS:
                ends = {"src": ends["dst"], "dst": ends["src"]}
            tag = Dot1Q(vlan=number + 1, prio=3) if number % 5 == 4 else None
            whole = Ether(**ends) / tag / packet if tag else Ether(**ends) / packet
            frames.append(Frame(bytes(whole)[:JUMBO], direction))
    return frames


def mirror(frames, policy=POLICY, flags=Flags()):  # noqa: B008 (frozen)
    """(input frame, its session, verdict record, copy) of every copy, from the 64-bit core under Verilator."""
    engine = VerilatorEngine(NicParameters(enis=4), seed=3)
    try:
        engine.configure(policy, flags)
        result = engine.process(frames)
    finally:
        engine.close()
    copies = []
    for output in result.outputs:
        record = result.verdicts[output.frame]
        chosen = policy.interfaces[record.eni].sessions[record.session]
        copies.append((frames[output.frame], chosen, record, output.data))
    return copies
