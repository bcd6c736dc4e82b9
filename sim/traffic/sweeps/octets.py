"""Frames written out header by header, and policies that let all of them through."""

from __future__ import annotations

import random
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network

from halfsilver.harness.policy.policy import Interface, Outer, Policy, Rule, Session
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.pump import Pacing
from halfsilver.sim.traffic.ethernet import ARP, ETHERTYPES
from halfsilver.sim.traffic.flow import ICMP, ICMPV6, IPV4, IPV6, TCP, UDP, Flow
from halfsilver.sim.traffic.policies import draw_macs

__all__ = [
    "ALL_OF_THE_HASH",
    "AUTHENTICATION",
    "FRAGMENT",
    "KINDS",
    "STRANGER",
    "accept_all",
    "any_flow",
    "back_to_back",
    "calm",
    "ethernet",
    "flipped",
    "interfaces_of",
    "ipv4",
    "ipv6",
    "of_interface",
    "outer_of",
    "packet",
    "session_of",
    "some",
    "some_frames",
    "transparent",
    "whole_frame",
]

ALL_OF_THE_HASH = Flags(source_port_base=0, source_port_mask=0xFFFF)
"""The UDP source port shows 16 bits of the flow hash."""

STRANGER = bytes.fromhex("0600000000aa")
HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, OPTIONS, MOBILITY = 0, 43, 44, 51, 60, 135
Kind = tuple[int, int, Sequence[int], int, int]
"""VLAN tags; family; extension headers; IHL; fragment word."""

KINDS: tuple[Kind, ...] = (
    (0, IPV4, (), 5, 0),
    (0, IPV4, (), 6, 0),
    (0, IPV4, (), 15, 0),
    (0, IPV4, (), 5, 0x2000),
    (0, IPV4, (), 5, 0x0001),
    (1, IPV4, (), 5, 0),
    (2, IPV4, (), 7, 0),
    (0, IPV6, (), 0, 0),
    (0, IPV6, (HOP_BY_HOP,), 0, 0),
    (0, IPV6, (FRAGMENT,), 0, 0x0001),
    (0, IPV6, (OPTIONS, FRAGMENT), 0, 0x0008),
    (1, IPV6, (ROUTING, AUTHENTICATION), 0, 0),
    (2, IPV6, (HOP_BY_HOP, FRAGMENT, MOBILITY), 0, 0),
    (3, IPV4, (), 5, 0),
)
"""One frame of every kind that the parser tells apart."""


def calm(parameters: NicParameters) -> Pacing:
    """No copy is congested, and nothing stands still."""
    return Pacing(limit_bytes=parameters.queue_depth // 2, limit_frames=parameters.copies // 2)


def back_to_back(output_stalls: float = 0.0) -> Pacing:
    """Both inputs at full rate."""
    return Pacing(full_rate=True, output_stalls=output_stalls)


def any_flow(rng: random.Random, family: int, protocol: int | None = None) -> Flow:
    """A flow of no service, but for one in millions."""
    octets = 4 if family == IPV4 else 16
    if protocol is None:
        protocol = rng.choice((TCP, UDP, ICMP if family == IPV4 else ICMPV6, 47))
    return Flow(rng.randbytes(octets), rng.randbytes(octets), protocol, rng.getrandbits(16), rng.getrandbits(16))


def ethernet(ends: bytes, packet: bytes, ethertype: bytes, tags: int = 0, control: bytes = b"\x81\x00") -> bytes:
    """Addresses, tags (``control`` in each, which looks like a tag's type), ethertype, packet."""
    return (
        ends + b"".join((b"\x81\x00", b"\x88\xa8")[number % 2] + control for number in range(tags)) + ethertype + packet
    )


def ipv4(flow: Flow, behind: bytes, words: int = 5, fragment: int = 0) -> bytes:
    """An IPv4 packet; options look like a TCP header's first bytes."""
    head = bytes((0x40 | words, 0)) + bytes(4) + fragment.to_bytes(2, "big") + bytes((64, flow.protocol)) + bytes(2)
    return head + flow.source + flow.destination + bytes(range(1, 41))[: 4 * (words - 5)] + behind


def ipv6(flow: Flow, behind: bytes, chain: Sequence[int] = (), fragment: int = 0) -> bytes:
    """An IPv6 packet; all extension headers are as short as they may be."""
    order = [*chain, flow.protocol]
    headers = b""
    for kind, following in zip(chain, order[1:], strict=True):
        if kind == FRAGMENT:
            headers += bytes((following, 0)) + fragment.to_bytes(2, "big") + bytes(4)
        else:
            headers += bytes((following, 0)) + bytes(range(0xE0, 0xE6))
    return b"\x60" + bytes(5) + bytes((order[0], 64)) + flow.source + flow.destination + headers + behind


def packet(flow: Flow, behind: bytes = b"", chain: Sequence[int] = (), words: int = 5, fragment: int = 0) -> bytes:
    """Of the flow's family, with what its protocol has in front: an echo request, or the ports."""
    if flow.protocol in (ICMP, ICMPV6):
        transport = bytes((8 if flow.protocol == ICMP else 128, 0, 0, 0)) + flow.source_port.to_bytes(2, "big")
    else:
        transport = flow.source_port.to_bytes(2, "big") + flow.destination_port.to_bytes(2, "big")
    if flow.family == IPV4:
        return ipv4(flow, transport + behind, words, fragment)
    return ipv6(flow, transport + behind, chain, fragment)


def whole_frame(rng: random.Random, kind: Kind, mac: bytes, direction: Direction, payload: int) -> bytes:
    """A frame of one of ``KINDS`` of the interface with this address; now and then ARP instead."""
    tags, family, chain, words, fragment = kind
    ends = mac + STRANGER if direction is Direction.INGRESS else STRANGER + mac
    behind = rng.randbytes(payload)
    if rng.randrange(16) == 0:
        return ethernet(ends, behind.ljust(28, b"\0"), ARP, tags)
    return ethernet(ends, packet(any_flow(rng, family), behind, chain, words, fragment), ETHERTYPES[family], tags)


def some_frames(rng: random.Random, policy: Policy, ingress: int, egress: int) -> list[Frame]:
    """So many whole frames of each direction, of any kind and interface."""
    frames = []
    for direction, count in zip(Direction, (ingress, egress), strict=True):
        for _ in range(count):
            mac = rng.choice(policy.interfaces).mac
            frames.append(Frame(whole_frame(rng, rng.choice(KINDS), mac, direction, rng.randrange(40)), direction))
    return frames


def accept_all(rules: int, first: int = IPV4) -> tuple[Rule, ...]:
    """A rule that accepts a whole family; two, for both families, where the build has two."""
    nets = {IPV4: "0.0.0.0/0", IPV6: "::/0"}
    order = (first, IPV4 + IPV6 - first)[:rules]
    return tuple(
        Rule(f"tmfr-{number}", number, True, ip_network(nets[family]), ip_network(nets[family]), None, None, None)
        for number, family in enumerate(order, 1)
    )


def outer_of(rng: random.Random, mac: bytes, over: int, mtu_limit: int | None = None) -> Outer:
    """Any addresses, over IPv4 or IPv6."""
    make, octets = (IPv4Address, 4) if over == IPV4 else (IPv6Address, 16)
    source, target = (make(rng.randbytes(octets)) for _ in range(2))
    return Outer(rng.randbytes(6), mac, source, target, mtu_limit)


def session_of(
    rng: random.Random,
    place: int,
    ingress: tuple[Rule, ...],
    egress: tuple[Rule, ...],
    outer: Outer | None,
    length: int | None = None,
) -> Session:
    """A session with any network identifier; down where there is no ``outer``."""
    names = f"tms-{place}", place + 1, f"tmf-{place}", f"tmt-{place}", rng.getrandbits(24) | 1
    return Session(*names, length, False, ingress, egress, outer, None if outer else "no MAC")


def interfaces_of(rng: random.Random, parameters: NicParameters) -> list[bytes]:
    """Addresses for all interfaces of the build."""
    while len(macs := draw_macs(rng, parameters)) < parameters.enis:
        pass
    return macs


def transparent(rng: random.Random, parameters: NicParameters) -> Policy:
    """Every IP frame of every interface is mirrored whole, as far as the build has rules for both families."""
    interfaces = []
    for number, mac in enumerate(interfaces_of(rng, parameters)):
        sessions = []
        for place in range(min(2, parameters.sessions)):
            over = (IPV4, IPV6)[(number + place) % 2]
            rules = accept_all(parameters.rules, (IPV4, IPV6)[place])
            outer = outer_of(rng, mac, over)
            ways = (rules, ()) if place == 0 and parameters.rules > 1 else (rules, rules)
            sessions.append(session_of(rng, place, *ways, outer))
        interfaces.append(Interface(f"eni-{number}", mac, None, tuple(sessions)))
    return Policy(tuple(interfaces))


def of_interface(rng: random.Random, policy: Policy, direction: Direction, data: bytes, family: int) -> bytes:
    """A packet in a frame of one of the interfaces."""
    mac = rng.choice(policy.interfaces).mac
    ends = mac + STRANGER if direction is Direction.INGRESS else STRANGER + mac
    return ethernet(ends, data, ETHERTYPES[family])


def flipped(octets: bytes, bit: int) -> bytes:
    return (int.from_bytes(octets, "big") ^ 1 << bit).to_bytes(len(octets), "big")


def some(rng: random.Random, cases: Sequence[Frame], count: int, every: bool) -> list[Frame]:
    """The cases, or some of them, ingress first: turning round costs the pump more than the frame."""
    chosen = list(cases) if every or len(cases) <= count else rng.sample(list(cases), count)
    return sorted(chosen, key=lambda frame: frame.direction)
