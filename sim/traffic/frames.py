"""Random frames for a policy: at the edge of its rules, beside services, around every length that decides something."""

from __future__ import annotations

import random
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from halfsilver.harness.law import FLOOR_IPV4, FLOOR_IPV6
from halfsilver.harness.policy.policy import Policy, Rule, Session
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.frames import MAX_FRAME, MIN_FRAME
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.traffic.chance import beside, filler, flip, happens
from halfsilver.sim.traffic.ethernet import ARP, ETHERTYPES, add_addresses, add_tags, any_ethertype
from halfsilver.sim.traffic.flow import IPV4, IPV6, Flow
from halfsilver.sim.traffic.packets import add_packet
from halfsilver.sim.traffic.policies import PROTOCOLS, Places
from halfsilver.sim.traffic.services import service_flow
from halfsilver.sim.traffic.wire import Wire

__all__ = ["Scene", "draw_flow", "draw_frame"]

_USUAL_LENGTHS = (60, 64, 128, 256, 1514)
_ARP_BYTES = 28


@dataclass(frozen=True, slots=True)
class Scene:
    """What frames are drawn for. ``services`` of 16 frames go to services or beside them."""

    policy: Policy
    parameters: NicParameters
    places: Places
    services: int = 3
    longest: int = MAX_FRAME + 2


def draw_frame(rng: random.Random, scene: Scene) -> Frame:
    """One frame, of either direction; few are flagged bad or dropped."""
    direction = rng.choice(tuple(Direction))
    interface = rng.choice(scene.policy.interfaces)
    session = rng.choice(interface.sessions) if interface.sessions else None
    wire = Wire()
    add_addresses(rng, wire, direction, interface.mac, [each.mac for each in scene.policy.interfaces])
    add_tags(rng, wire)
    if happens(rng, 12):
        wire.add(ARP if happens(rng, 2) else any_ethertype(rng))
        wire.add(filler(rng, _ARP_BYTES))
    else:
        flow = draw_flow(rng, scene, direction, session)
        wire.add(ETHERTYPES[flow.family] if not happens(rng, 30) else any_ethertype(rng))
        add_packet(rng, wire, flow, scene.parameters.extension_headers, scene.longest - len(wire.data) - 200)
    wire.add(filler(rng, _payload(rng, scene, session, len(wire.data))))
    data = wire.cut(rng) if happens(rng, 6) else bytes(wire.data)
    return Frame(data[: scene.longest], direction, bad=happens(rng, 60), dropped=happens(rng, 24))


def _payload(rng: random.Random, scene: Scene, session: Session | None, headers: int) -> int:
    """How many bytes follow the headers: none, some, or as many as make a length that decides something."""
    style = rng.randrange(8)
    if style < 2:
        return rng.choice((0, 0, 1, 2, 3, 18))
    if style < 5:
        return rng.randrange(80)
    around: list[int] = [*_USUAL_LENGTHS, MIN_FRAME, FLOOR_IPV4, FLOOR_IPV6]
    if session is not None:
        limits = (session.packet_length, session.outer.mtu_limit if session.outer else None)
        around += [limit for limit in limits if limit is not None] * 4
    if happens(rng, 8):
        around = [MAX_FRAME]
    beat: int = scene.parameters.width // 8
    length = rng.choice(around) + rng.choice((0, 0, 1, -1, 2, -2, beat, -beat))
    return max(0, min(length, scene.longest) - headers)


def draw_flow(rng: random.Random, scene: Scene, direction: Direction, session: Session | None) -> Flow:
    """To a service, at the edge of one of the session's rules, or anywhere."""
    if rng.randrange(16) < scene.services:
        resolvers = {each.resolver.packed for each in scene.policy.interfaces if each.resolver is not None}
        return service_flow(rng, sorted(resolvers))
    rules = () if session is None else session.ingress if direction is Direction.INGRESS else session.egress
    if rules and not happens(rng, 4):
        return _at_rule(rng, rng.choice(rules), scene.places)
    around = scene.places.of(rng.choice((IPV4, IPV6)))
    return Flow(rng.choice(around), rng.choice(around), rng.choice(PROTOCOLS), rng.getrandbits(16), rng.getrandbits(16))


def _at_rule(rng: random.Random, rule: Rule, places: Places) -> Flow:
    """Just inside the rule; half the time one thing is then just outside."""
    flow = Flow(
        _inside(rng, rule.source, places),
        _inside(rng, rule.destination, places),
        rng.choice(PROTOCOLS) if rule.protocol is None else rule.protocol,
        _port_inside(rng, rule.source_ports),
        _port_inside(rng, rule.destination_ports),
    )
    if happens(rng, 2):
        return flow
    source, destination, protocol = flow.source, flow.destination, flow.protocol
    ports = [flow.source_port, flow.destination_port]
    change = rng.randrange(5)
    if change == 0:
        source = _outside(rng, rule.source, source)
    elif change == 1:
        destination = _outside(rng, rule.destination, destination)
    elif change == 2:
        protocol = rng.choice((*PROTOCOLS, beside(rng, protocol, 8)))
    else:
        limits = rule.source_ports if change == 3 else rule.destination_ports
        ports[change - 3] = _port_outside(rng, limits, ports[change - 3])
    return Flow(source, destination, protocol, *ports)


def _inside(rng: random.Random, network: IPv4Network | IPv6Network, places: Places) -> bytes:
    """The first or last address of the network, one between, or one of the places."""
    family = network.version
    bits, first = network.max_prefixlen, int(network.network_address)
    free = bits - network.prefixlen
    known = [each for each in places.of(family) if int.from_bytes(each, "big") >> free == first >> free]
    value = first + rng.choice((0, (1 << free) - 1, rng.getrandbits(free) if free else 0))
    return rng.choice(known) if known and happens(rng, 2) else value.to_bytes(bits // 8, "big")


def _outside(rng: random.Random, network: IPv4Network | IPv6Network, address: bytes) -> bytes:
    """The address before or after the network, or one with another bit of the prefix, often the last."""
    bits, length = network.max_prefixlen, network.prefixlen
    if length == 0:
        return flip(rng, address)
    value = int.from_bytes(address, "big")
    first, last = int(network.network_address), int(network.broadcast_address)
    nearest = bits - length
    others = (first - 1, last + 1, value ^ 1 << nearest, value ^ 1 << rng.randrange(nearest, bits))
    return (rng.choice(others) % (1 << bits)).to_bytes(bits // 8, "big")


def _port_inside(rng: random.Random, ports: tuple[int, int] | None) -> int:
    low, high = ports or (0, 0xFFFF)
    return rng.choice((low, high, rng.randint(low, high)))


def _port_outside(rng: random.Random, ports: tuple[int, int] | None, port: int) -> int:
    if ports is None:
        return beside(rng, port, 16)
    low, high = ports
    return rng.choice((low - 1, high + 1, beside(rng, low, 16), beside(rng, high, 16))) % 0x10000
