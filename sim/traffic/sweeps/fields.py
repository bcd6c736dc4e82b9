"""Header fields value by value: version, header length, fragment word, lengths of extension headers, ICMP type."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.traffic.flow import ICMP, ICMPV6, IPV4, IPV6, TCP, UDP
from halfsilver.sim.traffic.packets import EXTENSIONS
from halfsilver.sim.traffic.situations import Situation
from halfsilver.sim.traffic.sweeps.octets import (
    ALL_OF_THE_HASH,
    AUTHENTICATION,
    FRAGMENT,
    any_flow,
    calm,
    ipv4,
    ipv6,
    of_interface,
    packet,
    some,
    transparent,
)

__all__ = ["fields"]

ECHO = {(IPV4, ICMP): (8, 0), (IPV6, ICMPV6): (128, 129)}


def fields(rng: random.Random, parameters: NicParameters, every: bool) -> Iterator[Situation]:
    """3.5 to 3.17: each value, or each bit, of the fields that the parser looks at."""
    policy = transparent(rng, parameters)
    bound = parameters.extension_headers
    for cases, count in (
        ([*_versions(rng), *_fragments(rng), *_chains(rng, bound)], 400),
        (list(_lengths(rng)), 60),
        (list(_echoes(rng, every)), 160),
    ):
        frames = [_framed(rng, policy, family, data) for family, data in cases]
        yield Situation(policy, ALL_OF_THE_HASH, some(rng, frames, count, every), calm(parameters))


Packet = tuple[int, bytes]
"""Family as the ethertype has it, and the packet."""


def _framed(rng: random.Random, policy: Policy, family: int, data: bytes) -> Frame:
    direction = rng.choice(tuple(Direction))
    return Frame(of_interface(rng, policy, direction, data, family), direction)


def _versions(rng: random.Random) -> Iterator[Packet]:
    """Any version and IHL; packets that end at the end of the header, and a few bytes around that."""
    for words in range(16):
        data = packet(any_flow(rng, IPV4, TCP), bytes(8), words=max(words, 5))
        data = bytes((0x40 | words,)) + data[1:]
        for end in (19, 20, *(4 * words + beyond for beyond in (-1, 0, 1, 3, 4, 8))):
            yield IPV4, data[: max(1, end)]
    for version in range(16):
        for family in (IPV4, IPV6):
            data = packet(any_flow(rng, family, UDP), bytes(8))
            data = bytes((version << 4 | data[0] & 15,)) + data[1:]
            yield family, data
            yield family, data[: 20 if family == IPV4 else 40]


def _fragments(rng: random.Random) -> Iterator[Packet]:
    """Each bit of the fragment word, in front of ports and of an echo request."""
    for family in (IPV4, IPV6):
        for protocol in (TCP, ICMP if family == IPV4 else ICMPV6):
            flow = any_flow(rng, family, protocol)
            chains: Sequence[Sequence[int]] = ((),) if family == IPV4 else ((FRAGMENT,), (FRAGMENT, 0))
            for word in (0, *(1 << bit for bit in range(16)), 0xFFFF):
                for chain in chains:
                    yield family, packet(flow, b"fragment", chain, fragment=word)


def _chains(rng: random.Random, bound: int) -> Iterator[Packet]:
    """Around the bound of extension headers, with a fragment header at each place or none."""
    for count in range(bound - 1, bound + 3):
        for place in (None, *range(count)):
            chain = [FRAGMENT if each == place else rng.choice((0, 43, 60, 135)) for each in range(count)]
            flow = any_flow(rng, IPV6, rng.choice((TCP, UDP)))
            for word in (0, 1) if place is not None else (0,):
                yield IPV6, packet(flow, b"chain", chain, fragment=word)


def _lengths(rng: random.Random) -> Iterator[Packet]:
    """Each extension header with lengths in which each bit of the length is set alone, and the longest."""
    for kind in EXTENSIONS:
        if kind == FRAGMENT:
            continue
        for size in (0, 1, 2, 3, 4, 5, 8, 16, 32, 64, 128, 255):
            octets = (size + 2) * 4 if kind == AUTHENTICATION else (size + 1) * 8
            flow = any_flow(rng, IPV6, rng.choice((TCP, UDP)))
            ports = flow.source_port.to_bytes(2, "big") + flow.destination_port.to_bytes(2, "big")
            behind = bytes((flow.protocol, size)) + rng.randbytes(octets - 2) + ports
            yield IPV6, ipv6(replace(flow, protocol=kind), behind)
    for reserved in (0, 1, 0x80, 0xFF):  # where others have their length
        flow = any_flow(rng, IPV6, TCP)
        ports = flow.source_port.to_bytes(2, "big") + flow.destination_port.to_bytes(2, "big")
        yield IPV6, ipv6(replace(flow, protocol=FRAGMENT), bytes((TCP, reserved)) + bytes(6) + ports)


def _echoes(rng: random.Random, every: bool) -> Iterator[Packet]:
    """Every ICMP type, or what is a bit from an echo; the other family's ICMP; each end of the identifier."""
    for family, make in ((IPV4, ipv4), (IPV6, ipv6)):
        for protocol in (ICMP, ICMPV6):
            flow = any_flow(rng, family, protocol)
            near = {kind ^ 1 << bit for kinds in ECHO.values() for kind in kinds for bit in range(8)}
            for kind in range(256) if every else sorted(near):
                behind = bytes((kind, rng.choice((0, 0, 1)))) + rng.randbytes(rng.choice((2, 3, 4, 6, 6, 6)))
                yield family, make(flow, behind)
            for kind in ECHO.get((family, protocol), ()):
                for identifier in range(17):
                    yield family, make(flow, bytes((kind, 0, 0, 0)) + (1 << identifier >> 1).to_bytes(2, "big") + b"xy")
