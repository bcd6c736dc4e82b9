"""Frames for software that judges by the rules of a filter: whole packets, at the edge of those rules.

What such software takes differently from ``docs/mirroring.md`` is left out by construction, and named where it is.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, replace
from itertools import pairwise

from halfsilver.harness.policy.policy import Interface, Policy, Rule
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction, Service, Verdict, VerdictRecord
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.traffic.chance import happens, often
from halfsilver.sim.traffic.ethernet import ARP, ETHERTYPES, TAG_TYPES
from halfsilver.sim.traffic.flow import ICMPV6, IPV4, TCP, UDP, Flow
from halfsilver.sim.traffic.frames import Scene, draw_flow
from halfsilver.sim.traffic.policies import Places, draw_policy

PARAMETERS = NicParameters(enis=4)
OWN, PEER = bytes.fromhex("0200000000a1"), bytes.fromhex("0200000000b0")
LLDP = b"\x88\xcc"

HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, OPTIONS, MOBILITY = 0, 43, 44, 51, 60, 135
MORE, DONT = 0x2000, 0x4000
FIRST_OFFSET = 8
"""The least word of an IPv6 fragment header with an offset."""

CHAINED = {HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, OPTIONS, MOBILITY}
LONGEST = 200
"""Bytes of a frame, about."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """What the frames may have besides plain IPv4 and IPv6: all of it, for a judge that reads it as the law does.

    tagged      one VLAN tag
    options     IPv4 options
    extensions  IPv6 extension headers
    fragments   of both families; those of IPv6 only together with ``extensions``
    cut         packets that end within their first port
    services    traffic that no rule sees
    """

    tagged: bool = True
    options: bool = True
    extensions: bool = True
    fragments: bool = True
    cut: bool = True
    services: bool = True


PLAIN = Kinds(*[False] * 6)


def draw_interface(rng: random.Random, places: Places, direction: Direction) -> tuple[Interface, tuple[Rule, ...]]:
    """An interface with one session, and that session's rules for a direction, of which there are some."""
    while True:
        (interface,) = draw_policy(rng, PARAMETERS, places, macs=[OWN]).interfaces
        session = replace(interface.sessions[0], amazon_dns=False) if interface.sessions else None
        rules = () if session is None else session.ingress if direction is Direction.INGRESS else session.egress
        if session is not None and rules:
            return replace(interface, sessions=(session,)), rules


def one_port(rule: Rule) -> Rule:
    """The first ports of its ranges alone, for a judge that has no ranges."""
    source, destination = (ports and (ports[0], ports[0]) for ports in (rule.source_ports, rule.destination_ports))
    return replace(rule, source_ports=source, destination_ports=destination)


def draw_frames(
    rng: random.Random, interface: Interface, places: Places, direction: Direction, count: int, kinds: Kinds
) -> list[Frame]:
    """Frames of one direction, all of the interface."""
    scene = Scene(Policy((interface,)), PARAMETERS, places, services=2 * kinds.services)
    ends = (interface.mac, PEER) if direction is Direction.INGRESS else (PEER, interface.mac)
    return [Frame(b"".join(ends) + _rest(rng, scene, direction, kinds), direction) for _ in range(count)]


def _rest(rng: random.Random, scene: Scene, direction: Direction, kinds: Kinds) -> bytes:
    (interface,) = scene.policy.interfaces
    tag = rng.choice(TAG_TYPES) + rng.randbytes(2) if kinds.tagged and happens(rng, 8) else b""
    if happens(rng, 30):
        return tag + rng.choice((ARP, LLDP)) + rng.randbytes(46)
    flow = draw_flow(rng, scene, direction, rng.choice(interface.sessions) if interface.sessions else None)
    return tag + ETHERTYPES[flow.family] + (_ipv4 if flow.family == IPV4 else _ipv6)(rng, flow, kinds)


def _ipv4(rng: random.Random, flow: Flow, kinds: Kinds) -> bytes:
    words = often(rng, (5,), range(5, 16)) if kinds.options else 5
    fragment = often(rng, (0, DONT), (MORE, 1, MORE | 1, 0x1FFF), 6) if kinds.fragments else 0
    body = b"\x01" * (words * 4 - 20) + _transport(rng, flow, kinds)
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, 20 + len(body), 0, fragment, 64, flow.protocol, 0)
    return head + flow.source + flow.destination + body


def _ipv6(rng: random.Random, flow: Flow, kinds: Kinds) -> bytes:
    """At most the eight extension headers that a build reads; the fragment header is the last."""
    chain = [rng.choice((HOP_BY_HOP, ROUTING, OPTIONS)) for _ in range(rng.choice((0, 0, 0, 1, 2, 7)))]
    fragment = rng.choice((0, 1, 6, 8, 9, 0xFFF9))
    if not kinds.extensions:
        chain = []
    elif kinds.fragments and happens(rng, 6):
        chain.append(FRAGMENT)
    without = CHAINED | {TCP, UDP} if FRAGMENT in chain and fragment >= FIRST_OFFSET else CHAINED
    flow = replace(flow, protocol=ICMPV6) if flow.protocol in without else flow
    order = [*chain, flow.protocol]
    body = b"".join(_extension(rng, kind, following, fragment) for kind, following in pairwise(order))
    body += _transport(rng, flow, kinds)
    return struct.pack("!IHBB", 6 << 28, len(body), order[0], 64) + flow.source + flow.destination + body


def _extension(rng: random.Random, kind: int, following: int, fragment: int) -> bytes:
    if kind == FRAGMENT:
        return struct.pack("!BBHI", following, 0, fragment, 0)
    size = rng.choice((0, 1, 2))
    return struct.pack("!BB", following, size) + bytes(size * 8 + 6)


def _transport(rng: random.Random, flow: Flow, kinds: Kinds) -> bytes:
    if flow.protocol in (TCP, UDP):
        whole = struct.pack("!HH", flow.source_port, flow.destination_port) + bytes(rng.choice((16, 16, 46)))
        return whole[: rng.randrange(2)] if kinds.cut and happens(rng, 24) else whole
    return bytes(rng.randrange(8, LONGEST - 100))


def label(record: VerdictRecord, *, claims: bool = False) -> str:
    """What became of a frame, in one line; ``claims``: a session whose target is down claims it all the same."""
    mirrored = record.verdict is Verdict.MIRRORED or (claims and record.verdict is Verdict.TARGET_DOWN)
    words = ["mirrored" if mirrored else str(record.verdict)]
    if record.service is not Service.NONE:
        words.append(str(record.service))
    words += [f"{kind} {at}" for kind, at in (("session", record.session), ("rule", record.rule)) if at is not None]
    return " ".join(words)
