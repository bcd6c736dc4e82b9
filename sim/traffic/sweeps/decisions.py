"""What the tables decide: services, lengths of copies, and the rule at every place with its near misses."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network

from halfsilver.harness.law import FLOOR_IPV4, FLOOR_IPV6
from halfsilver.harness.policy.policy import Interface, Policy, Rule, Session
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.frames import MIN_FRAME
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.traffic.chance import happens
from halfsilver.sim.traffic.ethernet import ETHERTYPES
from halfsilver.sim.traffic.flow import IPV4, IPV6, TCP, UDP, Flow
from halfsilver.sim.traffic.services import SERVICES
from halfsilver.sim.traffic.situations import Situation
from halfsilver.sim.traffic.sweeps.octets import (
    FRAGMENT,
    STRANGER,
    any_flow,
    calm,
    ethernet,
    flipped,
    interfaces_of,
    of_interface,
    outer_of,
    packet,
    session_of,
    some,
    transparent,
)

__all__ = ["limits", "order", "rules", "services"]

NEAR = 16
"""Near misses of a rule, where not every one is tried."""


def services(rng: random.Random, parameters: NicParameters, every: bool) -> Iterator[Situation]:
    """Section 4: each service, and what is a bit of address, port or protocol from it, to it and from it."""
    policy = transparent(rng, parameters)
    resolvers = [IPv4Address(rng.randbytes(4)) for _ in policy.interfaces]
    policy = Policy(
        tuple(replace(each, resolver=resolver) for each, resolver in zip(policy.interfaces, resolvers, strict=True))
    )
    cases = []
    for service in SERVICES:
        for address in service.addresses or (any_flow(rng, service.family).source,):
            cases += _around(rng, policy, address, service.protocols or (TCP,), service.ports or (80,))
    for resolver in resolvers:
        cases += _around(rng, policy, resolver.packed, (UDP, TCP), (53,))
    yield Situation(policy, Flags(), some(rng, cases, 600, every), calm(parameters))
    # Without a resolver no address is one, in either bank.
    for _ in range(2):
        without = transparent(rng, parameters)
        cases = [frame for _ in range(10) for frame in _around(rng, without, bytes(4), (UDP, TCP), (53,))[:2]]
        yield Situation(without, Flags(), cases, calm(parameters))


def _around(
    rng: random.Random, policy: Policy, address: bytes, protocols: Sequence[int], ports: Sequence[int]
) -> list[Frame]:
    family = IPV4 if len(address) == 4 else IPV6
    flow = any_flow(rng, family)
    flow = Flow(flow.source, address, rng.choice(protocols), flow.source_port, rng.choice(ports))
    near = [replace(flow, protocol=protocol, destination_port=port) for protocol in protocols for port in ports]
    near += [replace(flow, destination=flipped(address, bit)) for bit in range(8 * len(address))]
    near += [replace(flow, destination_port=flow.destination_port ^ 1 << bit) for bit in range(16)]
    near += [replace(flow, protocol=flow.protocol ^ 1 << bit) for bit in range(8)]
    frames = []
    for each in near:
        direction = rng.choice(tuple(Direction))
        way = each.reverse() if happens(rng, 2) else each
        frames.append(Frame(of_interface(rng, policy, direction, packet(way, b"service"), family), direction))
    return frames


def limits(rng: random.Random, parameters: NicParameters, every: bool) -> Iterator[Situation]:
    """Section 6: packet lengths and MTU limits one by one around the floors, and frames around what they leave."""
    lengths = [1, *range(FLOOR_IPV4 - 1, FLOOR_IPV4 + (68 if every else 5)), *range(FLOOR_IPV6 - 2, FLOOR_IPV6 + 10)]
    lengths += [rng.randrange(1 << bit, 2 << bit) for bit in range(7, 13) for _ in range(8 if every else 1)]
    mtus = list(range(536, 536 + (70 if every else 10)))
    limits: list[tuple[int | None, int | None]] = [(length, None) for length in lengths]
    limits += [(rng.choice((None, mtu + rng.randint(-2, 2))), mtu) for mtu in mtus]
    rng.shuffle(limits)
    macs = interfaces_of(rng, parameters)
    while limits:
        interfaces, frames = [], []
        for number, mac in enumerate(macs):
            sessions = []
            for place in range(parameters.sessions):
                if not limits:
                    break
                length, mtu = limits.pop()
                rules = tuple(
                    Rule(f"tmfr-{family}", family, True, *_slots(family, place), None, None, None)
                    for family in (IPV4, IPV6)[: parameters.rules]
                )
                outer = outer_of(rng, mac, rng.choice((IPV4, IPV6)), mtu)
                session = session_of(rng, place, rules, rules, outer, length)
                sessions.append(session)
                for family in (IPV4, IPV6):
                    frames += _lengths(rng, parameters, mac, session, place, family)
            interfaces.append(Interface(f"eni-{number}", mac, None, tuple(sessions)))
        yield Situation(Policy(tuple(interfaces)), Flags(), some(rng, frames, 0, True), calm(parameters))


def _slots(family: int, place: int) -> tuple[IPv4Network | IPv6Network, IPv4Network | IPv6Network]:
    """Source network of a session's frames, and every destination."""
    if family == IPV4:
        return ip_network(f"10.{place}.0.0/16"), ip_network("0.0.0.0/0")
    return ip_network(f"2001:db8:{place}::/48"), ip_network("::/0")


def _lengths(
    rng: random.Random, parameters: NicParameters, mac: bytes, session: Session, place: int, family: int
) -> list[Frame]:
    """Frames around the length at which the session cuts, in both directions."""
    floor = FLOOR_IPV4 if family == IPV4 else FLOOR_IPV6
    least = MIN_FRAME + (20 if family == IPV4 else 40)
    limit = max(session.packet_length or 9216, floor)
    mtu = session.outer.mtu_limit if session.outer else None
    limit = min(limit, mtu or limit)
    source = _slots(family, place)[0].network_address.packed
    flow = replace(any_flow(rng, family, 47), source=source)
    data = packet(flow, rng.randbytes(limit + 2 * parameters.beat_bytes + 70))
    frames = []
    for direction in Direction:
        ends = mac + STRANGER if direction is Direction.INGRESS else STRANGER + mac
        whole = ethernet(ends, data, ETHERTYPES[family])
        beyond = (-1, 0, 1, 2, parameters.beat_bytes, rng.randint(3, 60))
        frames += [Frame(whole[: max(least, limit + more)], direction) for more in beyond]
    return frames


def order(rng: random.Random, parameters: NicParameters, every: bool) -> Iterator[Situation]:
    """Section 1: frames that several verdicts would fit, in each combination; each interface has sessions or none."""
    open_to_all = transparent(rng, parameters)
    for round_ in range(4 if every else 2):
        interfaces = tuple(
            replace(each, sessions=each.sessions if (number + round_) % 2 else ())
            for number, each in enumerate(open_to_all.interfaces)
        )
        frames = []
        macs = [rng.choice(interfaces[half::2] or interfaces).mac for half in range(2)]
        for mac in (*macs, STRANGER):
            for packet_type, data in _of_every_verdict(rng):
                for direction in Direction:
                    ends = mac + bytes(6) if direction is Direction.INGRESS else bytes(6) + mac
                    whole = ethernet(ends, data, packet_type)
                    for marks in range(4):
                        frames.append(Frame(whole, direction, bad=marks & 1 != 0, dropped=marks & 2 != 0))
        flags = Flags(tap=round_ // 2 % 2 == 1)
        yield Situation(Policy(interfaces), flags, some(rng, frames, 0, True), calm(parameters))


def _of_every_verdict(rng: random.Random) -> Iterator[tuple[bytes, bytes]]:
    """Ethertype and packet: malformed, not eligible for each reason, not IP, eligible."""
    flow = any_flow(rng, IPV4, UDP)
    yield ETHERTYPES[IPV4], packet(flow)[:19]
    yield ETHERTYPES[IPV6], packet(any_flow(rng, IPV6, UDP))[:39]
    yield b"\x08\x06", bytes(28)
    yield b"\x88\xcc", bytes(28)
    yield ETHERTYPES[IPV4], b"\x44" + packet(replace(flow, destination_port=67))[1:]
    for service, port in (("254", 80), ("123", 123), ("253", 53), ("253", 67)):
        to = IPv4Address(f"169.254.169.{service}").packed
        yield ETHERTYPES[IPV4], packet(replace(flow, destination=to, destination_port=port))
    yield ETHERTYPES[IPV4], packet(flow)


def rules(rng: random.Random, parameters: NicParameters, every: bool) -> Iterator[Situation]:
    """Sections 1 and 5: the rule at every place of every session, interface and direction, met and just missed.

    The frames that meet it go in both directions, from and to the same interface. Sessions are down, reject, or take
    Amazon DNS, each in its turn.
    """
    for round_ in range(12 if every else 2):
        macs = interfaces_of(rng, parameters)
        interfaces, met, missed = [], [], []
        for number, mac in enumerate(macs):
            sessions = []
            for place in range(parameters.sessions):
                turn = number + place + round_
                ways = {
                    direction: tuple(_narrow(rng, 1 + slot, (turn + slot) % 4 != 3) for slot in range(parameters.rules))
                    for direction in Direction
                }
                for direction, narrow in ways.items():
                    for rule in narrow:
                        inside, near = _at(rng, rule)
                        met += _frames(inside, mac)
                        missed += _without(rng, inside, mac, direction, parameters.extension_headers)
                        near = near if every else rng.sample(near, NEAR)
                        missed += [frame for flow in near for frame in _frames(flow, mac, direction)]
                outer = None if turn % 5 == 4 else outer_of(rng, mac, rng.choice((IPV4, IPV6)))
                session = session_of(rng, place, ways[Direction.INGRESS], ways[Direction.EGRESS], outer)
                sessions.append(replace(session, amazon_dns=turn % 3 == 1))
            for protocol in (UDP, TCP):
                for service in ("169.254.169.253", "169.254.169.254"):
                    to = Flow(rng.randbytes(4), IPv4Address(service).packed, protocol, 4000, 53)
                    met += _frames(to, mac)
            count = len(sessions) if (number + round_) % 4 else (number + round_) // 4 % (len(sessions) + 1)
            interfaces.append(Interface(f"eni-{number}", mac, None, tuple(sessions[:count])))
        frames = some(rng, met, 300, every) + some(rng, missed, 500, every)
        rng.shuffle(frames)
        frames = [replace(frame, bad=happens(rng, 40), dropped=happens(rng, 20)) for frame in frames]
        frames.sort(key=lambda frame: frame.direction)
        yield Situation(Policy(tuple(interfaces)), Flags(terminal_reject=round_ % 2 == 1), frames, calm(parameters))


def _narrow(rng: random.Random, number: int, accepts: bool) -> Rule:
    """A rule that hardly any frame meets that was not made for it."""
    family = rng.choice((IPV4, IPV6))
    flow = any_flow(rng, family)
    bits = 8 * len(flow.source)
    source, destination = (
        ip_network((address, rng.choice((bits, rng.randint(bits // 4, bits)))), strict=False)
        for address in (flow.source, flow.destination)
    )
    protocol = rng.choice((TCP, UDP, TCP, UDP, None, rng.randrange(1, 256)))
    ports: list[tuple[int, int] | None] = [None, None]
    if protocol in (TCP, UDP):
        for end in range(2):
            low = rng.randrange(0x10000)
            ports[end] = rng.choice((None, (low, low), (low, min(0xFFFF, low + rng.randrange(0x1000)))))
    return Rule(f"tmfr-{number}", number, accepts, source, destination, protocol, *ports)


def _at(rng: random.Random, rule: Rule) -> tuple[Flow, list[Flow]]:
    """A flow inside, and each that is outside by one bit of a prefix or of the protocol, or by one port."""
    source, destination = (
        (int(network.network_address) | rng.getrandbits(network.max_prefixlen) & int(network.hostmask)).to_bytes(
            network.max_prefixlen // 8, "big"
        )
        for network in (rule.source, rule.destination)
    )
    ports = [rng.randint(*(limits or (0, 0xFFFF))) for limits in (rule.source_ports, rule.destination_ports)]
    protocol = rng.choice((TCP, UDP, 47)) if rule.protocol is None else rule.protocol
    flow = Flow(source, destination, protocol, *ports)
    near = [
        replace(flow, source=flipped(source, bit))
        for bit in range(rule.source.max_prefixlen - rule.source.prefixlen, rule.source.max_prefixlen)
    ]
    near += [
        replace(flow, destination=flipped(destination, bit))
        for bit in range(rule.destination.max_prefixlen - rule.destination.prefixlen, rule.destination.max_prefixlen)
    ]
    near += [replace(flow, protocol=protocol ^ 1 << bit) for bit in range(8)]
    for port in _ports_near(rule.source_ports):
        near.append(replace(flow, source_port=port))
    for port in _ports_near(rule.destination_ports):
        near.append(replace(flow, destination_port=port))
    return flow, near


def _ports_near(limits: tuple[int, int] | None) -> list[int]:
    """Both ends, one beyond each, and what is a bit from an end."""
    low, high = limits or (0, 0xFFFF)
    near = {low, high, low - 1, high + 1, *(end ^ 1 << bit for end in (low, high) for bit in range(16))}
    return sorted(port & 0xFFFF for port in near)


def _without(rng: random.Random, flow: Flow, mac: bytes, direction: Direction, bound: int) -> list[Frame]:
    """5.8, 5.9: the same addresses, but no ports, or no protocol: fragments, cut off, a chain too long."""
    if flow.family == IPV4:
        data = [packet(flow, b"rule", fragment=word) for word in (1, 0x2000)]
    else:
        data = [packet(flow, b"rule", (FRAGMENT,), fragment=word) for word in (1, 8)]
        data.append(packet(flow, b"rule", (0,) * (bound + 1)))
        data.append(packet(flow, b"", (0,))[: 40 + rng.choice((0, 3))])
    data.append(packet(flow)[:-1])
    return [Frame(ethernet(mac + mac, each, ETHERTYPES[flow.family]), direction) for each in data]


def _frames(flow: Flow, mac: bytes, *ways: Direction) -> list[Frame]:
    """The same bytes in each direction, from the interface to itself."""
    data = ethernet(mac + mac, packet(flow, b"rule"), ETHERTYPES[flow.family])
    return [Frame(data, direction) for direction in ways or Direction]
