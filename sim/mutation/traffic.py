"""Policies and frames for ``halfsilver.sim.mutation.regression``: drawn at random, close to every edge of the rules.

Frames are made byte by byte from a policy's own rules: addresses beside the last bit of a prefix, ports beside the
ends of a range, header chains of every length, cut anywhere. All choices come from the ``random.Random`` that is
passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import pairwise
from random import Random

from halfsilver.harness.law import LONGEST_FRAME
from halfsilver.harness.policy.policy import Address, Interface, Network, Outer, Policy, Rule, Session
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction

__all__ = [
    "ENIS",
    "RULES",
    "SESSIONS",
    "bit_frames",
    "bit_policy",
    "checksum_frame",
    "draw_frames",
    "draw_policy",
    "edge_frames",
    "open_policy",
    "overflow_frames",
    "swap_frames",
    "tiny_frames",
]

ENIS, SESSIONS, RULES = 2, 3, 3
"""Sizes of the drawn policies; the build has the same."""

MACS = (bytes.fromhex("0200000a0b10"), bytes.fromhex("0200010a0b10"))
PEER = bytes.fromhex("020000000099")
TARGET = bytes.fromhex("0a1b2c3d4e5f")
RESOLVER = IPv4Address("10.20.0.2")

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
EXTENSIONS = (0, 43, 60, 135)
FRAGMENT, AH = 44, 51

SERVICES = {
    "169.254.169.254": 80,
    "169.254.169.123": 123,
    "169.254.169.250": 1688,
    "169.254.169.251": 1688,
    "169.254.169.253": 53,
    "fd00:ec2::254": 80,
    "fd00:ec2::123": 123,
    "fd00:ec2::250": 1688,
    "fd00:ec2::253": 53,
    str(RESOLVER): 53,
}
"""Addresses that rules do not see, each with a port of its service."""
SERVICE_PORTS = (53, 67, 68, 123, 546, 547, 1688)

Hosts = tuple[IPv4Address, IPv6Address]


def draw_policy(chance: Random) -> Policy:
    """Two interfaces with up to three sessions each; rules nest around a few addresses, so that they compete."""
    hosts = (IPv4Address(chance.getrandbits(32)), IPv6Address(chance.getrandbits(128)))
    numbers = range(1, SESSIONS + 1)
    interfaces = []
    for eni, mac in enumerate(MACS):
        count = SESSIONS if eni == 0 else chance.randint(0, SESSIONS)
        sessions = tuple(_draw_session(chance, hosts, mac, number) for number in numbers[:count])
        resolver = RESOLVER if chance.random() < 0.7 else None
        interfaces.append(Interface(f"eni-{eni}", mac, resolver, sessions))
    return Policy(tuple(interfaces))


def _draw_session(chance: Random, hosts: Hosts, mac: bytes, number: int) -> Session:
    outer = None if chance.random() < 0.1 else _draw_outer(chance, mac)
    ingress, egress = (tuple(_draw_rule(chance, hosts, i) for i in range(chance.randint(1, RULES))) for _ in range(2))
    length = chance.choice((None, None, 20, 45, 64, 65, 100))
    return Session(
        f"tms-{number}",
        number,
        "tmf-0",
        "tmt-0",
        chance.getrandbits(24) | 1,
        length,
        chance.random() < 0.4,
        ingress,
        egress,
        outer,
        None if outer else "no MAC",
    )


def _draw_outer(chance: Random, mac: bytes) -> Outer:
    limit = chance.choice((None, 80, 1460, 8961))
    if chance.random() < 0.5:
        return Outer(TARGET, mac, IPv4Address(chance.getrandbits(32)), IPv4Address(chance.getrandbits(32)), limit)
    return Outer(TARGET, mac, IPv6Address(chance.getrandbits(128)), IPv6Address(chance.getrandbits(128)), limit)


def _draw_rule(chance: Random, hosts: Hosts, number: int) -> Rule:
    host: Address = chance.choice(hosts)
    source, destination = (_draw_network(chance, host) for _ in range(2))
    protocol = chance.choice((None, TCP, UDP, UDP, ICMP, ICMPV6))
    ports: list[tuple[int, int] | None] = [None, None]
    if protocol in (TCP, UDP):
        ports = [_draw_range(chance) if chance.random() < 0.5 else None for _ in range(2)]
    return Rule(f"tmfr-{number}", number + 1, chance.random() < 0.7, source, destination, protocol, *ports)


def _draw_network(chance: Random, host: Address) -> Network:
    bits = host.max_prefixlen
    length = chance.choice((0, 0, 0, bits, chance.randint(1, bits)))
    return ip_network((host, length), strict=False)


def _draw_range(chance: Random) -> tuple[int, int]:
    low = chance.randrange(65536)
    high = chance.choice((low, min(65535, low + chance.randrange(64)), chance.randint(low, 65535)))
    return low, high


def open_policy(mark: int = 0) -> Policy:
    """Everything of interface 0 is mirrored whole: to an IPv4 target on ingress, an IPv6 one on egress.

    ``mark`` (0 to 255) tells such policies apart: it is in the VNIs and in the targets' addresses.
    """
    any_ipv4 = Rule("tmfr-1", 1, True, ip_network("0.0.0.0/0"), ip_network("0.0.0.0/0"), None, None, None)
    any_ipv6 = Rule("tmfr-2", 2, True, ip_network("::/0"), ip_network("::/0"), None, None, None)
    rules = (any_ipv4, any_ipv6)
    targets = (("10.9.8.7", f"10.1.2.{mark}"), ("2001:db8::7", f"2001:db8:1::{mark:x}"))
    sessions = []
    for number, (source, destination) in enumerate(targets, 1):
        first, second = ip_address(source), ip_address(destination)
        ingress, egress = (rules, ()) if number == 1 else ((), rules)
        vni = mark << 16 | 0x3450 + number
        sessions.append(
            Session(
                f"tms-{number}",
                number,
                "tmf-0",
                "tmt-0",
                vni,
                None,
                False,
                ingress,
                egress,
                Outer(TARGET, MACS[0], first, second, None),
                None,
            )
        )
    return Policy((Interface("eni-0", MACS[0], None, tuple(sessions)), Interface("eni-1", MACS[1], None, ())))


def draw_frames(chance: Random, policy: Policy, count: int) -> list[Frame]:
    """Frames about the rules of the policy, in both directions."""
    return [_draw_frame(chance, policy) for _ in range(count)]


def _draw_frame(chance: Random, policy: Policy) -> Frame:
    direction = chance.choice((Direction.INGRESS, Direction.EGRESS))
    eni = chance.randrange(ENIS)
    sessions = policy.interfaces[eni].sessions
    rules = [
        rule for session in sessions for rule in (session.ingress if direction is Direction.INGRESS else session.egress)
    ]
    kind = chance.random()
    if kind < 0.05:
        ethertype = chance.choice((0x0806, 0x0800, 0x86DD, 0x8847, 0x0026))
        packet = chance.randbytes(chance.randrange(60))
    elif kind < 0.2:
        ethertype, packet = _service_packet(chance)
    elif rules:
        ethertype, packet = _packet_of_rule(chance, chance.choice(rules))
    else:
        ethertype, packet = _packet(chance, IPv4Address(chance.getrandbits(32)), RESOLVER, UDP, (1, 2))
    data = _ethernet(chance, MACS[eni], direction, ethertype, packet)
    if chance.random() < 0.2:
        data = data[: chance.randint(1, len(data))]
    return Frame(
        data, direction, bad=chance.random() < 0.03, dropped=direction is Direction.INGRESS and chance.random() < 0.05
    )


def _ethernet(chance: Random, mac: bytes, direction: Direction, ethertype: int, packet: bytes) -> bytes:
    owner = chance.choice(
        (mac,) * 12
        + (b"\xff" * 6, b"\x01\x00\x5e\x00\x00\x01", PEER, bytes([mac[0] ^ 2]) + mac[1:], mac[:5] + bytes([mac[5] ^ 1]))
    )
    addresses = owner + PEER if direction is Direction.INGRESS else PEER + owner
    tags = b"".join(
        chance.choice((b"\x81\x00", b"\x88\xa8")) + chance.randbytes(2)
        for _ in range(chance.choice((0, 0, 0, 0, 1, 2, 2, 3)))
    )
    data = addresses + tags + ethertype.to_bytes(2, "big") + packet
    return data.ljust(60, b"\0") if chance.random() < 0.2 else data


def _packet_of_rule(chance: Random, rule: Rule) -> tuple[int, bytes]:
    source, destination = (_near_network(chance, network) for network in (rule.source, rule.destination))
    protocol = rule.protocol if rule.protocol is not None else chance.choice((ICMP, TCP, UDP, ICMPV6, 47))
    if chance.random() < 0.1:
        protocol ^= 1 << chance.randrange(8)
    ports = _near_port(chance, rule.source_ports), _near_port(chance, rule.destination_ports)
    return _packet(chance, source, destination, protocol, ports)


def _near_network(chance: Random, network: Network) -> Address:
    """Mostly inside; else one bit off, often the last one of the prefix."""
    bits, length = network.max_prefixlen, network.prefixlen
    value = int(network.network_address) | chance.getrandbits(bits) & int(network.hostmask)
    if length and chance.random() < 0.25:
        value ^= 1 << bits - chance.choice((length, chance.randint(1, length)))
    return IPv6Address(value) if isinstance(network, IPv6Network) else IPv4Address(value)


def _near_port(chance: Random, ports: tuple[int, int] | None) -> int:
    """In the range, at its ends, just beyond, or one bit away from an end."""
    if ports is None:
        return chance.randrange(65536)
    low, high = ports
    inside = chance.randint(low, high)
    bit = 1 << chance.randrange(16)
    return chance.choice((low, high, inside, inside, low - 1, high + 1, low ^ bit, high ^ bit)) & 0xFFFF


def _service_packet(chance: Random) -> tuple[int, bytes]:
    """One of the services' addresses and ports, right or mixed up."""
    name = chance.choice(tuple(SERVICES))
    service = ip_address(name)
    other = type(service)(chance.getrandbits(service.max_prefixlen))
    ends = [service, other] if chance.random() < 0.5 else [other, service]
    ports = [chance.choice((SERVICES[name], chance.choice(SERVICE_PORTS))), chance.randrange(65536)]
    chance.shuffle(ports)
    return _packet(chance, ends[0], ends[1], chance.choice((TCP, UDP, UDP)), (ports[0], ports[1]))


def _packet(
    chance: Random, source: Address, destination: Address, protocol: int, ports: tuple[int, int]
) -> tuple[int, bytes]:
    """Ethertype and IP packet."""
    body = _body(chance, protocol, ports)
    if isinstance(source, IPv6Address):
        first, chain = _chain(chance, protocol)
        head = b"\x60" + chance.randbytes(5) + bytes([first, 64]) + source.packed + destination.packed
        return 0x86DD, head + chain + body
    words = chance.choice((5, 5, 5, 6, 9, 15))
    fragment = chance.choice((0, 0, 0, 0x4000, 0x2000, 1, 0x00FF, 0x1F00, 0x2100, 0x0100))
    version = 0x40 if chance.random() < 0.98 else 0x50
    head = (
        bytes([version | (words if chance.random() < 0.98 else 4)])
        + chance.randbytes(5)
        + fragment.to_bytes(2, "big")
        + bytes([64, protocol])
        + chance.randbytes(2)
        + source.packed
        + destination.packed
    )
    return 0x0800, head + chance.randbytes(4 * (words - 5)) + body


def _body(chance: Random, protocol: int, ports: tuple[int, int]) -> bytes:
    payload = chance.randbytes(chance.choice((0, 1, 4, chance.randrange(64), chance.randrange(64))))
    if protocol in (ICMP, ICMPV6):
        kind = chance.choice((8, 0, 128, 129, 3))
        return bytes([kind, 0]) + chance.randbytes(4) + payload
    return ports[0].to_bytes(2, "big") + ports[1].to_bytes(2, "big") + payload


def _chain(chance: Random, protocol: int) -> tuple[int, bytes]:
    """First next-header value, and the extension headers before ``protocol``."""
    kinds = [chance.choice((*EXTENSIONS, AH, FRAGMENT)) for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 3, 4, 5)))]
    chain = b""
    for kind, following in pairwise([*kinds, protocol]):
        if kind == FRAGMENT:
            offset = chance.choice((0, 0, 1, 8, 0x0100, 0x0801))
            chain += bytes([following, 0]) + offset.to_bytes(2, "big") + chance.randbytes(4)
        else:
            units = chance.choice((0, 1, 2, 3))
            size = 4 * (units + 2) if kind == AH else 8 * (units + 1)
            chain += bytes([following, units]) + chance.randbytes(size - 2)
    return [*kinds, protocol][0], chain


def edge_frames(chance: Random) -> list[Frame]:
    """Lengths at every limit: each from 1 to 80 bytes, the longest frame, one more, and one beyond 65,535."""
    whole = _plain(chance, 80)
    lengths = [*range(1, 81), 1500, 1501, LONGEST_FRAME - 1, LONGEST_FRAME, LONGEST_FRAME + 1, 65539]
    frames = [Frame((whole + bytes(length))[:length], Direction.INGRESS) for length in lengths]
    frames += [
        Frame(_plain(chance, length, egress=True), Direction.EGRESS) for length in (*range(60, 80), 1501, LONGEST_FRAME)
    ]
    return frames


def overflow_frames(chance: Random) -> list[Frame]:
    """520 frames of `open_policy`, too much for the queues: a burst of tiny ones, then short and long ones, some bad.

    Short frames use up the places for copies, long ones the bytes.
    """
    tiny = chance.randbytes(chance.choice((3, 14)))
    frames = [Frame(tiny, way) for _ in range(100) for way in Direction]
    for group in range(16):
        for _ in range(20):
            length = chance.choice((60, 61, chance.randint(60, 400)) if group % 2 else (1500, 1514, 3000, 4001))
            egress = chance.random() < 0.5
            frames.append(Frame(_plain(chance, length, egress=egress), Direction(egress), bad=chance.random() < 0.1))
    return frames


def checksum_frame(data: bytes, checksum: int) -> bytes:
    """The same frame, its last 16-bit word changed so that the outer UDP checksum becomes 0 before the rule.

    ``checksum`` is what the outer packet of ``data`` (an even number of bytes) carries; adding it to a word
    makes the ones' complement sum 0xffff (RFC 1071).
    """
    word = int.from_bytes(data[-2:], "big") + checksum
    return data[:-2] + ((word & 0xFFFF) + (word >> 16)).to_bytes(2, "big")


def _plain(chance: Random, length: int, *, egress: bool = False) -> bytes:
    """A UDP frame of interface 0, of at least 42 bytes."""
    ends: Sequence[bytes] = (PEER, MACS[0]) if egress else (MACS[0], PEER)
    head = b"".join(ends) + b"\x08\x00\x45" + bytes(8) + b"\x11" + bytes(2) + chance.randbytes(8) + b"\x27\x10\x27\x11"
    return head + chance.randbytes(length - len(head))


def swap_frames(chance: Random, count: int, direction: Direction) -> list[Frame]:
    """Frames of one direction that `open_policy` mirrors."""
    egress = direction is Direction.EGRESS
    return [Frame(_plain(chance, chance.randint(60, 120), egress=egress), direction) for _ in range(count)]


def tiny_frames(chance: Random, count: int, ways: Sequence[Direction]) -> list[Frame]:
    """Runs of frames of a few bytes, each with whole frames of `open_policy` behind it, and then the next run."""
    frames = []
    for _ in range(count):
        longest = chance.choice((1, 1, 2, 9))
        for way in ways:
            sizes = [chance.randint(1, longest) for _ in range(chance.randrange(14))]
            frames += [Frame(chance.randbytes(size), way) for size in sizes]
            frames += swap_frames(chance, chance.randrange(1, 3), way)
    return frames


def bit_policy(chance: Random) -> Policy:
    """Each place for a rule has one that accepts a single flow, of its own: addresses and ports whole."""
    interfaces = []
    for eni, mac in enumerate(MACS):
        sessions = []
        for number in range(1, SESSIONS + 1):
            ways = [tuple(_flow_rule(chance, rule) for rule in range(RULES)) for _ in Direction]
            drawn = _draw_session(chance, (IPv4Address(0), IPv6Address(0)), mac, number)
            sessions.append(replace(drawn, ingress=ways[0], egress=ways[1]))
        interfaces.append(Interface(f"eni-{eni}", mac, None, tuple(sessions)))
    return Policy(tuple(interfaces))


def _flow_rule(chance: Random, number: int) -> Rule:
    bits = 128 if number else 32
    first, second = (ip_network((chance.getrandbits(bits), bits)) for _ in range(2))
    ports = [(port, port) for port in (chance.randrange(1 << 16), chance.randrange(1 << 16))]
    return Rule(f"tmfr-{number}", number + 1, True, first, second, chance.choice((TCP, UDP)), *ports)


def bit_frames(policy: Policy) -> list[Frame]:
    """For each rule of `bit_policy` its flow, and then flows that are one bit of an address or a port from it."""
    frames = []
    for interface in policy.interfaces:
        for session in interface.sessions:
            for direction, rules in ((Direction.INGRESS, session.ingress), (Direction.EGRESS, session.egress)):
                ends = (interface.mac, PEER) if direction is Direction.INGRESS else (PEER, interface.mac)
                frames += [Frame(b"".join(ends) + data, direction) for rule in rules for data in _near_flows(rule)]
    return frames


def _near_flows(rule: Rule) -> list[bytes]:
    assert rule.source_ports and rule.destination_ports and rule.protocol is not None
    addresses = rule.source.network_address.packed + rule.destination.network_address.packed
    if len(addresses) == 8:
        head = b"\x08\x00\x45" + bytes(8) + bytes((rule.protocol,)) + bytes(2)
    else:
        head = b"\x86\xdd\x60" + bytes(3) + b"\x00\x08" + bytes((rule.protocol, 64))
    flow = addresses + rule.source_ports[0].to_bytes(2, "big") + rule.destination_ports[0].to_bytes(2, "big")
    number, size = int.from_bytes(flow, "big"), len(flow)
    near = [number, *(number ^ 1 << bit for bit in range(8 * size))]
    return [head + each.to_bytes(size, "big") + bytes(4) for each in near]
