"""What the parser reads and the flow hash covers: runts, cuts at every byte, every protocol, every bit."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.policy.types import Rule, Session
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.frames import MAX_FRAME, MIN_FRAME
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.traffic.chance import happens
from halfsilver.sim.traffic.ethernet import ARP, ETHERTYPES, GROUPS, TAG_TYPES
from halfsilver.sim.traffic.flow import ICMP, ICMPV6, IPV4, IPV6, TCP, UDP
from halfsilver.sim.traffic.situations import Situation
from halfsilver.sim.traffic.sweeps.octets import (
    ALL_OF_THE_HASH,
    AUTHENTICATION,
    FRAGMENT,
    KINDS,
    STRANGER,
    any_flow,
    back_to_back,
    calm,
    ethernet,
    flipped,
    of_interface,
    packet,
    some,
    transparent,
    whole_frame,
)

__all__ = ["chains", "cuts", "ethertypes", "giants", "hash_bits", "owners", "protocols", "runts"]

SATURATED = 0xFFFF
"""The longest length that a record or a counter of ports tells."""

JUMBOS = {False: 6, True: 20}
"""Frames of each direction of the longest kibibyte that is still mirrored: a few, or every case."""


def runts(rng: random.Random, parameters: NicParameters, every: bool) -> Iterator[Situation]:
    """3.2: frames of 1 to 13 bytes, and bad ones of any length, one by one in front of whole frames of every kind."""
    policy = transparent(rng, parameters)
    for round_ in range(6 if every else 1):
        for size in range(1, MIN_FRAME):
            frames = []
            for direction in Direction:
                for kind in rng.sample(KINDS, len(KINDS)):
                    frames += _misfits(rng, policy, direction, size, round_)
                    mac = rng.choice(policy.interfaces).mac
                    data = whole_frame(rng, kind, mac, direction, rng.randrange(12))
                    frames.append(Frame(data, direction, dropped=happens(rng, 16)))
            yield Situation(policy, ALL_OF_THE_HASH, frames, back_to_back((0.0, 0.3)[round_ % 2]))


def _misfits(rng: random.Random, policy: Policy, direction: Direction, size: int, round_: int) -> list[Frame]:
    """Usually one runt, sometimes more or a bad frame; of any bytes, or the begin of a frame that would be mirrored."""
    found = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        mac = rng.choice(policy.interfaces).mac
        other = whole_frame(rng, rng.choice(KINDS), mac, direction, rng.randrange(40))
        if round_ % 2 or happens(rng, 5):
            found.append(Frame(other[: rng.randint(MIN_FRAME, len(other))], direction, bad=True))
            continue
        data = rng.choice((other[:size], other[:size], rng.randbytes(size)))
        found.append(Frame(data, direction, bad=happens(rng, 8), dropped=happens(rng, 8)))
    return found


def giants(rng: random.Random, parameters: NicParameters, every: bool) -> Iterator[Situation]:
    """3.2, 9.7: lengths whose lower bits are those of a frame that would be mirrored, and each end of what is told."""
    policy = transparent(rng, parameters)
    lengths = [MAX_FRAME + 1, MAX_FRAME + 64, SATURATED, *((1 << bits) + 60 for bits in range(14, 19 if every else 17))]
    if every:
        lengths += [MAX_FRAME, MAX_FRAME + 1024, SATURATED - 1, SATURATED + 1, 0x3000, 0xFFFF + 0x2400]
    frames = []
    for direction in Direction:
        for length in rng.sample(lengths, len(lengths)):
            family = rng.choice((IPV4, IPV6))
            data = of_interface(rng, policy, direction, packet(any_flow(rng, family, 47), bytes(length)), family)
            whole = whole_frame(rng, rng.choice(KINDS), rng.choice(policy.interfaces).mac, direction, 20)
            frames += [Frame(data[:length], direction, bad=happens(rng, 4)), Frame(whole, direction)]
    yield Situation(policy, ALL_OF_THE_HASH, frames, back_to_back())
    jumbos = []  # these are mirrored
    for direction in Direction:
        for _ in range(JUMBOS[every]):
            data = packet(any_flow(rng, IPV4, 47), bytes(MAX_FRAME))
            data = of_interface(rng, policy, direction, data, IPV4)[: rng.randint(MAX_FRAME - 1024, MAX_FRAME)]
            jumbos.append(Frame(data, direction))
    yield Situation(policy, ALL_OF_THE_HASH, jumbos, calm(parameters))


def ethertypes(rng: random.Random, parameters: NicParameters, every: bool) -> Iterator[Situation]:
    """3.3, 3.4: each ethertype and tag that is looked at, behind no tag to three, and each that is a bit from it."""
    policy = transparent(rng, parameters)
    cases = []
    for tags in range(4):
        for kind in (ARP, *ETHERTYPES.values(), *TAG_TYPES):
            for near in (kind, *(flipped(kind, bit) for bit in range(16))):
                family = rng.choice((IPV4, IPV6))
                behind = rng.randbytes(2) + ETHERTYPES[family] if kind in TAG_TYPES else b""
                direction = rng.choice(tuple(Direction))
                mac = rng.choice(policy.interfaces).mac
                ends = mac + STRANGER if direction is Direction.INGRESS else STRANGER + mac
                family = {ETHERTYPES[IPV4]: IPV4, ETHERTYPES[IPV6]: IPV6}.get(kind, family)
                data = packet(any_flow(rng, family), rng.randbytes(rng.randrange(30)))
                cases.append(Frame(ethernet(ends, behind + data, near, tags, rng.randbytes(2)), direction))
    yield Situation(policy, ALL_OF_THE_HASH, some(rng, cases, 300, every), calm(parameters))


def cuts(rng: random.Random, parameters: NicParameters, every: bool) -> Iterator[Situation]:
    """3.3 to 3.17: a frame of every kind, ending at every byte of its headers and a few behind them."""
    policy = transparent(rng, parameters)
    cases = []
    for kind in (*KINDS, (0, IPV6, (AUTHENTICATION,) * 2, 0, 0), (0, IPV6, (FRAGMENT,) * 2, 0, 0)):
        for direction in Direction:
            data = whole_frame(rng, kind, rng.choice(policy.interfaces).mac, direction, 6)
            cases += [Frame(data[:end], direction) for end in range(MIN_FRAME - 1, len(data) + 1)]
    yield Situation(policy, ALL_OF_THE_HASH, some(rng, cases, 600, every), calm(parameters))


def protocols(rng: random.Random, parameters: NicParameters, every: bool) -> Iterator[Situation]:
    """3.9 to 3.16, 7.11 to 7.15: all 256 protocol numbers, alone, behind an extension header, in a later fragment."""
    policy = transparent(rng, parameters)
    cases = []
    forms: tuple[tuple[int, Sequence[int], int], ...] = (
        (IPV4, (), 0),
        (IPV4, (), 1),
        (IPV6, (), 0),
        (IPV6, (60,), 0),
        (IPV6, (FRAGMENT,), 8),
        (IPV6, (FRAGMENT,), 0),
        (IPV6, (FRAGMENT,), 1),
        (IPV6, (0,) * parameters.extension_headers, 0),
    )
    for family, chain, fragment in forms:
        flow = any_flow(rng, family)
        for protocol in range(256):
            data = packet(replace(flow, protocol=protocol), rng.randbytes(10), chain, 5, fragment)
            # Two in a row, as two parsers may take turns.
            for direction in (*Direction, *Direction) if every else (rng.choice(tuple(Direction)),):
                cases.append(Frame(of_interface(rng, policy, direction, data, family), direction))
    yield Situation(policy, ALL_OF_THE_HASH, some(rng, cases, 700, every), calm(parameters))


def chains(rng: random.Random, parameters: NicParameters, every: bool) -> Iterator[Situation]:
    """3.9 to 3.16, 4: rules that name the number of an extension header, and frames that end within one or before."""
    whole = transparent(rng, parameters)
    for number in (0, 43, FRAGMENT, AUTHENTICATION, 60):
        policy = _of_protocol(whole, number)
        cases = []
        for chain in ((number,), (60, number), (number, 60)):
            data = packet(any_flow(rng, IPV6, TCP), rng.randbytes(4), chain)
            for end in range(40, len(data) + 1) if every else (40, 47, rng.randint(41, len(data))):
                for direction in (*Direction, *Direction):  # two in a row, as two parsers may take turns
                    cases.append(Frame(of_interface(rng, whole, direction, data[:end], IPV6), direction))
        yield Situation(policy, ALL_OF_THE_HASH, some(rng, cases, 0, True), calm(parameters))


def _of_protocol(policy: Policy, number: int) -> Policy:
    """The same, but all rules accept this protocol number alone."""

    def only(rules: Sequence[Rule]) -> tuple[Rule, ...]:
        return tuple(replace(rule, protocol=number) for rule in rules)

    def narrowed(session: Session) -> Session:
        return replace(session, ingress=only(session.ingress), egress=only(session.egress))

    return Policy(tuple(replace(each, sessions=tuple(map(narrowed, each.sessions))) for each in policy.interfaces))


def hash_bits(rng: random.Random, parameters: NicParameters, every: bool) -> Iterator[Situation]:
    """7.9, 7.12 to 7.15: flows a bit apart, in each bit of addresses, ports, identifier; each bit of base and mask."""
    policy = transparent(rng, parameters)
    cases = []
    for family, protocol in ((IPV4, TCP), (IPV6, UDP), (IPV4, ICMP), (IPV6, ICMPV6)):
        flow = any_flow(rng, family, protocol)
        direction = rng.choice(tuple(Direction))
        octets = len(flow.source)
        near = [flow]
        near += [replace(flow, source=flipped(flow.source, bit)) for bit in range(8 * octets)]
        near += [replace(flow, destination=flipped(flow.destination, bit)) for bit in range(8 * octets)]
        near += [replace(flow, source_port=flow.source_port ^ 1 << bit) for bit in range(16)]
        near += [replace(flow, destination_port=flow.destination_port ^ 1 << bit) for bit in range(16)]
        cases += [Frame(of_interface(rng, policy, direction, packet(each, b"x"), family), direction) for each in near]
    yield Situation(policy, ALL_OF_THE_HASH, some(rng, cases, 500, every), calm(parameters))
    for bit in range(16) if every else rng.sample(range(16), 4):
        few = rng.sample(cases, 4)
        yield Situation(policy, Flags(source_port_base=1 << bit, source_port_mask=0), few, calm(parameters))
        yield Situation(policy, Flags(source_port_base=0, source_port_mask=1 << bit), few, calm(parameters))


def owners(rng: random.Random, parameters: NicParameters, every: bool) -> Iterator[Situation]:
    """2.1 to 2.3: each interface's address, each that is a bit from it and groups, at both ends, in both directions."""
    policy = transparent(rng, parameters)
    data = packet(any_flow(rng, IPV4, TCP), b"owner")
    cases = []
    for interface in policy.interfaces:
        for mac in (interface.mac, *(flipped(interface.mac, bit) for bit in range(48))):
            for ends in (mac + STRANGER, STRANGER + mac):
                cases += [Frame(ethernet(ends, data, ETHERTYPES[IPV4]), direction) for direction in Direction]
    pairs = [group + other for group in GROUPS for other in (STRANGER, policy.interfaces[-1].mac)]
    groups = [Frame(ethernet(each, data, ETHERTYPES[IPV4]), direction) for direction in Direction for each in pairs]
    for tap in (False, True):
        yield Situation(policy, Flags(tap), some(rng, cases, 150, every) + groups, calm(parameters))
