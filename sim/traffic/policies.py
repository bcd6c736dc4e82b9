"""Random policies for a build of any size: rules of every prefix length and port range over a few places.

Addresses come from a few random places per policy, so that rules overlap, one frame matches rules of several
sessions, and the prefixes differ in any bit. Some policies mirror everything, so that whatever is kept from the
rules shows.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from halfsilver.harness.law import FLOOR_IPV4, FLOOR_IPV6
from halfsilver.harness.policy.policy import Guard, Interface, Outer, Policy, Rule, Session
from halfsilver.harness.policy.types import MAX_PACKET_LENGTH, MAX_VNI, NLB_PACKET_LENGTH, OUTER_IPV4, OUTER_IPV6
from halfsilver.harness.records import Flags
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.random_policy import SOURCE_PORTS
from halfsilver.sim.traffic.chance import flip, happens
from halfsilver.sim.traffic.flow import ICMP, ICMPV6, IPV4, IPV6, TCP, UDP
from halfsilver.sim.traffic.outer_edges import ipv4_outer_with_checksum

__all__ = ["PROTOCOLS", "Places", "draw_flags", "draw_macs", "draw_places", "draw_policy"]

PROTOCOLS = (TCP, UDP, TCP, UDP, ICMP, ICMPV6, 47, 50, 51, 132, 255, 2, 41, 59, 60)
PORTS = (0, 1, 22, 53, 80, 123, 443, 1688, 0x7FFF, 0x8000, 0xFF, 0x100, 0xFFFE, 0xFFFF)

_PACKET_LENGTHS = (1, 2, 14, FLOOR_IPV4 - 1, FLOOR_IPV4, FLOOR_IPV4 + 1, 54, FLOOR_IPV6, FLOOR_IPV6 + 1, 60, 63, 64, 65)
_LONG_PACKETS = (127, 128, 256, 1500, NLB_PACKET_LENGTH, MAX_PACKET_LENGTH)
_MTUS = (576, 577, 1280, 1500, 8500, 9001, 9216)
_SOURCE_PORTS = (*SOURCE_PORTS, (0, 0xFFFF), (0xFFFF, 0), (0, 0))
"""Base and mask: AWS's, RFC 7348's, all of the hash, none of it."""


@dataclass(frozen=True, slots=True)
class Places:
    """Addresses of each family that rules and frames are drawn around."""

    ipv4: tuple[bytes, ...]
    ipv6: tuple[bytes, ...]

    def of(self, family: int) -> tuple[bytes, ...]:
        return self.ipv4 if family == IPV4 else self.ipv6


def draw_places(rng: random.Random) -> Places:
    """Two random ones of each family, and one a bit from the first."""

    def some(octets: int) -> tuple[bytes, ...]:
        one, two = (rng.getrandbits(8 * octets).to_bytes(octets, "big") for _ in range(2))
        return one, two, flip(rng, one)

    return Places(some(4), some(16))


def draw_flags(rng: random.Random) -> Flags:
    """Run-time flags; the source port as AWS has it, as RFC 7348 has it, or anyhow."""
    base, mask = rng.choice((_SOURCE_PORTS[0], *_SOURCE_PORTS, (rng.getrandbits(16), rng.getrandbits(16))))
    return Flags(happens(rng, 4), happens(rng, 3), base, mask)


def draw_policy(
    rng: random.Random,
    parameters: NicParameters,
    places: Places,
    *,
    wide: bool = False,
    macs: Sequence[bytes] | None = None,
) -> Policy:
    """A policy for interfaces with these addresses, or for 1 to all interfaces of the build.

    ``wide``: every one of them mirrors every IP frame.
    """
    macs = macs or draw_macs(rng, parameters)
    return Policy(tuple(_interface(rng, parameters, places, index, mac, wide) for index, mac in enumerate(macs)))


def draw_macs(rng: random.Random, parameters: NicParameters) -> list[bytes]:
    """Unicast addresses for 1 to all interfaces of the build, half of them one bit from an earlier one."""
    count = parameters.enis if happens(rng, 2) else rng.randint(1, parameters.enis)
    found: list[bytes] = []
    while len(found) < count:
        mac = flip(rng, rng.choice(found)) if found and happens(rng, 2) else rng.getrandbits(48).to_bytes(6, "big")
        mac = bytes([mac[0] & 0xFE]) + mac[1:]
        if mac not in found:
            found.append(mac)
    return found


def _interface(
    rng: random.Random, parameters: NicParameters, places: Places, index: int, mac: bytes, wide: bool
) -> Interface:
    sessions = parameters.sessions if wide or happens(rng, 3) else rng.randint(0, parameters.sessions)
    resolver = rng.choice((None, IPv4Address(rng.choice(places.ipv4)), IPv4Address(0)))
    return Interface(
        f"eni-{index}",
        mac,
        resolver,
        tuple(_session(rng, parameters, places, mac, 1 + number, wide) for number in range(sessions)),
        _guard(rng, parameters.security_groups, places, wide) if parameters.security_groups else None,
    )


def _guard(rng: random.Random, room: int, places: Places, wide: bool) -> Guard:
    """Security groups, a network ACL or both, of up to ``room`` rules; ``wide``: all comes in."""

    def rules(most: int) -> tuple[Rule, ...]:
        return tuple(
            replace(rule, destination=_everything(1, rule.source.version).destination, source_ports=None)
            for rule in _rules(rng, most, places, wide)
        )

    entries = rng.randint(1, max(1, room - 1)) if not wide else room // 2
    acl, groups = rules(entries), tuple(replace(rule, accept=True) for rule in rules(room - entries))
    return Guard(*rng.choice(((groups, acl), (groups, acl), (groups, None), (None, acl))))


def _session(
    rng: random.Random, parameters: NicParameters, places: Places, mac: bytes, number: int, wide: bool
) -> Session:
    length = rng.choice((None, rng.choice(_PACKET_LENGTHS), rng.choice((*_LONG_PACKETS, rng.randint(1, 1600)))))
    outer = None if not wide and happens(rng, 8) else _outer(rng, mac, length)
    receivers = () if outer is None or parameters.receivers == 1 else _receivers(rng, outer, parameters.receivers)
    return Session(
        f"tms-{number}",
        number,
        f"tmf-{number}",
        f"tmt-{number}",
        rng.choice((1, MAX_VNI, rng.randint(1, MAX_VNI), 1 << rng.randrange(24))),
        length,
        happens(rng, 3),
        _rules(rng, parameters.rules, places, wide),
        _rules(rng, parameters.rules, places, wide),
        outer,
        None if outer else "the target has no known MAC",
        receivers=receivers,
    )


def _receivers(rng: random.Random, first: Outer, room: int) -> tuple[Outer, ...]:
    """None, or 2 to ``room`` ways of one family and one source, each with addresses of its own."""
    count = rng.choice((0, 2, room, rng.randint(2, room)))
    others = (_elsewhere(rng, first) for _ in range(count - 1))
    return (first, *others) if count else ()


def _elsewhere(rng: random.Random, outer: Outer) -> Outer:
    destination = type(outer.destination)(rng.getrandbits(outer.destination.max_prefixlen))
    return replace(outer, destination_mac=rng.getrandbits(48).to_bytes(6, "big"), destination=destination)


def _outer(rng: random.Random, mac: bytes, length: int | None) -> Outer:
    """How copies are addressed; now and then so that a header checksum is at the edge of what 16 bits hold."""
    target_mac = rng.getrandbits(48).to_bytes(6, "big")
    mtu = rng.choice((None, rng.choice(_MTUS), rng.randint(576, 9216)))
    if happens(rng, 2):
        source, target = (IPv6Address(rng.getrandbits(128)) for _ in range(2))
        return Outer(target_mac, mac, source, target, None if mtu is None else mtu - OUTER_IPV6)
    limit = None if mtu is None else mtu - OUTER_IPV4
    if happens(rng, 2):
        ends = ipv4_outer_with_checksum(rng, max(FLOOR_IPV4, length or limit or 60))
    else:
        ends = IPv4Address(rng.getrandbits(32)), IPv4Address(rng.getrandbits(32))
    return Outer(target_mac, mac, *ends, limit)


def _rules(rng: random.Random, room: int, places: Places, wide: bool) -> tuple[Rule, ...]:
    """0 to ``room`` rules; if ``wide``, the last two (or the only one) accept all of a family."""
    if not wide:
        count = rng.choice((0, 1, 1, 2, room, room, rng.randint(0, room)))
        return tuple(_rule(rng, places, 1 + number) for number in range(min(count, room)))
    families = rng.sample((IPV4, IPV6), min(2, room))
    first = rng.randint(0, room - len(families)) if happens(rng, 3) else 0
    narrow = [_rule(rng, places, 1 + number) for number in range(first)]
    return (*narrow, *(_everything(1 + first + place, family) for place, family in enumerate(families)))


def _everything(number: int, family: int) -> Rule:
    whole = ip_network("0.0.0.0/0" if family == IPV4 else "::/0")
    return Rule(f"tmfr-{number}", number, True, whole, whole, None, None, None)


def _rule(rng: random.Random, places: Places, number: int) -> Rule:
    around = places.of(rng.choice((IPV4, IPV6)))
    protocol = rng.choice((None, None, TCP, UDP, rng.choice(PROTOCOLS)))
    has_ports = protocol in (TCP, UDP)
    return Rule(
        f"tmfr-{number}",
        number,
        not happens(rng, 3),
        _network(rng, around),
        _network(rng, around),
        protocol,
        _range(rng) if has_ports and happens(rng, 2) else None,
        _range(rng) if has_ports and happens(rng, 2) else None,
    )


def _network(rng: random.Random, around: tuple[bytes, ...]) -> IPv4Network | IPv6Network:
    """Any prefix length; short ones and the whole more often, or no frame would meet two of them."""
    bits = 8 * len(around[0])
    length = rng.choice((0, 0, 1, rng.randrange(9), bits, rng.randint(0, bits)))
    return ip_network((ip_address(rng.choice(around)), length), strict=False)


def _range(rng: random.Random) -> tuple[int, int]:
    """One port, two neighbours, up to an end of all, or between two powers of two or anything."""
    port = rng.choice((*PORTS, rng.getrandbits(16)))
    other = rng.choice((port, port, min(port + 1, 0xFFFF), 0, 0xFFFF, 1 << rng.randrange(16), rng.getrandbits(16)))
    return min(port, other), max(port, other)
