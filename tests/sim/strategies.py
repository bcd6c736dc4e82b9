"""Hypothesis strategies: policies, and frames that tend to match them.

Both draw addresses, protocols and ports from the same small pools, so that a rule and a frame meet often. The first
choice of everything is the plainest, which is what a counterexample shrinks to.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from itertools import pairwise
from typing import NamedTuple, TypeVar

from hypothesis import strategies as st

from halfsilver.harness.policy.policy import Interface, Outer, Policy, Rule, Session
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.engine import PAUSES
from halfsilver.sim.pump import Pacing
from halfsilver.sim.traffic import Situation, draw_situation

__all__ = ["hostile_situations", "situations"]

T = TypeVar("T")

MACS = [bytes.fromhex(text) for text in ("020000000010", "020000000011", "020000000090", "820000000010")]
"""Of the interfaces: the last three each differ from the first in one bit."""
PEERS = [bytes.fromhex(text) for text in ("0600000000aa", "ffffffffffff", "01005e000001", "030000000010")]

IPV4 = [
    ip_address(text).packed
    for text in (
        "10.0.0.1",
        "10.0.0.2",
        "10.0.1.1",
        "10.128.0.1",
        "192.168.7.7",
        "169.254.169.254",
        "169.254.169.253",
        "169.254.169.123",
        "169.254.169.250",
        "169.254.169.251",
        "0.0.0.0",
        "255.255.255.255",
    )
]
IPV6 = [
    ip_address(text).packed
    for text in (
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8:0:1::1",
        "2001:db8:8000::1",
        "fd00:ec2::254",
        "fd00:ec2::253",
        "fd00:ec2::123",
        "fd00:ec2::250",
        "::",
        "ff02::1",
    )
]
OFTEN = 4
"""The first addresses of each family and the first protocols, which rules and frames use most."""

PROTOCOLS = [6, 17, 1, 58, 47, 132, 0, 255]
PORTS = [80, 443, 53, 123, 1688, 67, 68, 546, 547, 0, 0x7FFF, 0x8000, 0xFFFF]
TAGS = [
    b"",
    *(
        bytes.fromhex(text)
        for text in ("81000001", "88a80fff", "88a8000181000800", "810086dd81000800", "810000018100000181000001")
    ),
]
ETHERTYPES = [0x0806, 0x88CC, 0x8847, 0x8864, 0x0040, 0x9100]
EXTENSIONS = [0, 60, 43, 44, 51, 135]
FRAGMENT, AUTHENTICATION = 44, 51
FRAGMENTS = [0, 0x2000, 0x0001, 0x2001, 0x4000, 0x1FFF, 0xE000]
"""The IPv4 flags and fragment offset field."""

PADS = [0, 1, 6, 18, 100, 1500, 8900, 9162, 9216]
LENGTHS = [None, 1, 34, 35, 36, 54, 55, 56, 60, 64, 100, 8500]
PACING = Pacing(limit_frames=128, input_stalls=PAUSES, output_stalls=PAUSES)
"""As every engine's, for the usual buffers."""

LIMITS = [8961, None, 516, 536, 1460, 9176]


def _networks(addresses: list[bytes], prefixes: list[int]) -> list[IPv4Network | IPv6Network]:
    """Every network of these sizes around an address; as many that hold everything; exact ones once more."""
    around = {ip_network((address, prefix), strict=False): None for address in addresses for prefix in prefixes}
    whole, *_ = around
    return [whole] * len(around) + list(around) + [ip_network(address) for address in addresses[:OFTEN]] * 3


NETWORKS = {
    4: _networks(IPV4, [0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 30, 31, 32]),
    6: _networks(IPV6, [0, 1, 7, 8, 9, 16, 31, 32, 33, 47, 48, 63, 64, 65, 96, 120, 127, 128]),
}
RANGES = [None] * 80 + [
    (max(port - below, 0), min(port + above, 0xFFFF))
    for port in PORTS
    for below, above in ((0, 0), (0, 1), (1, 0), (-1, 0x100), (0x100, -1), (0x10000, 0))
    if max(port - below, 0) <= min(port + above, 0xFFFF)
]


def often(values: list[T]) -> st.SearchStrategy[T]:
    """One of the values, most of the time one of the first."""
    return st.sampled_from(values[:OFTEN] * 4 + values)


def rare(one_in: int) -> st.SearchStrategy[bool]:
    return st.sampled_from([False] * (one_in - 1) + [True])


# Policies ------------------------------------------------------------------------------------------------


@st.composite
def rules(draw: st.DrawFn, number: int) -> Rule:
    networks = st.sampled_from(NETWORKS[draw(st.sampled_from([4, 6]))])
    accept = draw(st.sampled_from([True, True, False]))
    protocol = draw(st.sampled_from([None] * 10 + PROTOCOLS[:2] * 3 + PROTOCOLS))
    protocol = protocol or None  # 0 in a rule is any protocol, and a policy resolves it so
    ports = [draw(st.sampled_from(RANGES)) if protocol in (6, 17) else None for _ in range(2)]
    return Rule(f"tmfr-{number}", number, accept, draw(networks), draw(networks), protocol, *ports)


@st.composite
def rule_lists(draw: st.DrawFn) -> tuple[Rule, ...]:
    count = draw(st.sampled_from([1, 1, 2, 2, 3, 3, 4, 10, 0]))
    return tuple(draw(rules(number)) for number in range(1, count + 1))


@st.composite
def outers(draw: st.DrawFn, source_mac: bytes) -> Outer | None:
    kind = draw(st.sampled_from([4, 4, 6, 6, None]))
    if kind is None:
        return None
    ends = ("10.9.0.1", "10.9.255.254") if kind == 4 else ("2001:db8:9::1", "2001:db8:9:ffff:ffff:ffff:ffff:fffe")
    return Outer(bytes.fromhex("0200000000ee"), source_mac, *map(ip_address, ends), draw(st.sampled_from(LIMITS)))


@st.composite
def interfaces(draw: st.DrawFn, index: int, filters: list[tuple]) -> Interface:
    sessions = []
    for number in range(1, 1 + draw(st.sampled_from([1, 2, 3] * 4 + [0]))):
        outer = draw(outers(MACS[index]))
        sessions.append(
            Session(
                f"tms-{index}{number}",
                number,
                "tmf",
                "tmt",
                draw(st.sampled_from([1, 0x123456, 0xFFFFFF])),
                draw(st.sampled_from(LENGTHS)),
                draw(rare(4)),
                *draw(st.sampled_from(filters)),
                outer,
                None if outer else "down",
            )
        )
    resolver = draw(st.sampled_from([None, *IPV4[:2]]))
    return Interface(f"eni-{index}", MACS[index], IPv4Address(resolver) if resolver else None, tuple(sessions))


@st.composite
def policies(draw: st.DrawFn, enis: int) -> Policy:
    filters = draw(st.lists(st.tuples(rule_lists(), rule_lists()), min_size=1, max_size=2))
    count = draw(st.integers(1, enis))
    return Policy(tuple(draw(interfaces(index, filters)) for index in range(count)))


# Frames --------------------------------------------------------------------------------------------------


class Ends(NamedTuple):
    """Addresses, protocol and ports of a packet."""

    source: bytes
    destination: bytes
    protocol: int
    ports: tuple[int, int]


@st.composite
def ends(draw: st.DrawFn, family: int) -> Ends:
    """Any of the pools."""
    addresses, protocols = (IPV4, PROTOCOLS) if family == 4 else (IPV6, [*PROTOCOLS[:6], 59, 50])
    return Ends(
        draw(often(addresses)), draw(often(addresses)), draw(often(protocols)), (draw(often(PORTS)), draw(often(PORTS)))
    )


@st.composite
def aimed(draw: st.DrawFn, rule: Rule) -> Ends:
    """At a rule: in the corners of what it takes, and now and then just outside."""
    return Ends(
        draw(corners(rule.source)),
        draw(corners(rule.destination)),
        draw(often(PROTOCOLS)) if rule.protocol is None else rule.protocol,
        (draw(port_corners(rule.source_ports)), draw(port_corners(rule.destination_ports))),
    )


def corners(network: IPv4Network | IPv6Network) -> st.SearchStrategy[bytes]:
    first, last = int(network[0]), int(network[-1])
    after, before = last + 1 & (1 << network.max_prefixlen) - 1, max(0, first - 1)
    octets = network.max_prefixlen // 8
    return st.sampled_from([value.to_bytes(octets, "big") for value in (first, last, first, last, after, before)])


def port_corners(ports: tuple[int, int] | None) -> st.SearchStrategy[int]:
    if ports is None:
        return often(PORTS)
    low, high = ports
    return st.sampled_from([low, high, low, high, min(high + 1, 0xFFFF), max(low - 1, 0)])


@st.composite
def transports(draw: st.DrawFn, protocol: int, ports: tuple[int, int]) -> bytes:
    if protocol in (6, 17):
        return struct.pack("!HH", *ports) + bytes(draw(st.sampled_from([4, 0, 16])))
    if protocol in (1, 58):
        kind, identifier = draw(st.sampled_from([8, 0, 128, 129, 3])), draw(st.sampled_from([0, 0x1234, 0xFFFF]))
        return struct.pack("!BBHH", kind, 0, 0, identifier) + bytes(2)
    return b""


@st.composite
def ipv4_packets(draw: st.DrawFn, to: Ends) -> bytes:
    version, words = draw(st.sampled_from([(4, 5)] * 40 + [(4, 6), (4, 7), (4, 15), (4, 4), (4, 0), (6, 5)]))
    header = struct.pack(
        "!BBHHHBBH",
        version << 4 | words,
        0,
        draw(st.sampled_from([0, 20, 0xFFFF])),
        0,
        draw(st.sampled_from([0] * 12 + FRAGMENTS)),
        64,
        to.protocol,
        0,
    )
    options = b"\x01" * max(0, words * 4 - 20)
    return header + to.source + to.destination + options + draw(transports(to.protocol, to.ports))


@st.composite
def ipv6_packets(draw: st.DrawFn, to: Ends) -> bytes:
    chain = draw(st.lists(st.sampled_from(EXTENSIONS), max_size=10)) if draw(rare(3)) else []
    order = [*chain, to.protocol]
    body = b"".join(draw(extension_headers(kind, following)) for kind, following in pairwise(order))
    version = draw(st.sampled_from([6] * 30 + [4]))
    fixed = struct.pack("!IHBB", version << 28, len(body), order[0], 64)
    return fixed + to.source + to.destination + body + draw(transports(to.protocol, to.ports))


@st.composite
def extension_headers(draw: st.DrawFn, kind: int, following: int) -> bytes:
    if kind == FRAGMENT:
        return struct.pack("!BBHI", following, 0, draw(st.sampled_from([0, 1, 8, 9, 0xFFF9])), 0)
    size = draw(st.sampled_from([0, 1, 2]))
    length = (size + 2) * 4 if kind == AUTHENTICATION else (size + 1) * 8
    return struct.pack("!BB", following, size) + bytes(length - 2)


@st.composite
def frames(draw: st.DrawFn, policy: Policy) -> Frame:
    direction = draw(st.sampled_from(list(Direction)))
    index = draw(st.integers(0, len(policy.interfaces) - 1))
    own = draw(st.sampled_from([policy.interfaces[index].mac] * 24 + MACS + PEERS))
    peer = draw(st.sampled_from(PEERS[:1] * 3 + PEERS))
    data = own + peer if direction is Direction.INGRESS else peer + own
    data += draw(st.sampled_from(TAGS[:1] * 12 + TAGS))
    lists = [
        session.ingress if direction is Direction.INGRESS else session.egress
        for session in policy.interfaces[index].sessions
    ]
    rules = [rule for each in lists for rule in each]
    rule = draw(st.sampled_from([*rules, None])) if rules else None
    kind = draw(st.sampled_from([4] * 4 + [6] * 4 + [0])) if rule is None else rule.source.version
    if kind == 0:
        data += struct.pack("!H", draw(st.sampled_from(ETHERTYPES)))
    else:
        to = draw(ends(kind) if rule is None else aimed(rule))
        data += b"\x08\x00" + draw(ipv4_packets(to)) if kind == 4 else b"\x86\xdd" + draw(ipv6_packets(to))
    data += bytes(draw(st.sampled_from(PADS[:1] * 16 + PADS[:5] * 8 + PADS)))
    if draw(rare(10)):
        data = data[: max(1, len(data) - draw(st.integers(1, 80)))]
    bad, dropped = draw(st.sampled_from([(False, False)] * 40 + [(True, False), (False, True), (False, True)]))
    return Frame(data, direction, bad, dropped)


@st.composite
def situations(draw: st.DrawFn, enis: int) -> Situation:
    """A policy of 1 to ``enis`` interfaces, and 1 to 6 frames."""
    base, mask = draw(st.sampled_from([(0xFF80, 0x7F), (0xC000, 0x3FFF), (0, 0xFFFF)]))
    flags = Flags(draw(rare(4)), draw(rare(2)), base, mask)
    policy = draw(policies(enis))
    return Situation(policy, flags, draw(st.lists(frames(policy), min_size=1, max_size=6)), PACING)


@st.composite
def hostile_situations(draw: st.DrawFn, parameters: NicParameters) -> Situation:
    """The same of ``halfsilver.sim.traffic``, which has no small pools and looks for every edge."""
    rng = draw(st.randoms(use_true_random=False))
    return draw_situation(rng, parameters, draw(st.integers(1, 6)), full_rate=False)
