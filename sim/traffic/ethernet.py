"""Ethernet headers: whose the frame is, or nearly is, and up to three VLAN tags, or what looks like one."""

from __future__ import annotations

import random
from collections.abc import Sequence

from halfsilver.harness.verdict import Direction
from halfsilver.sim.traffic.chance import flip, happens
from halfsilver.sim.traffic.wire import Wire

__all__ = ["ARP", "ETHERTYPES", "GROUPS", "TAG_TYPES", "add_addresses", "add_tags", "any_ethertype"]

ARP = b"\x08\x06"
ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
"""By address family."""

TAG_TYPES = b"\x81\x00", b"\x88\xa8"
"""Of the tags that are looked behind: IEEE 802.1Q, 802.1ad."""

OTHER_TAG_TYPES = tuple(map(bytes.fromhex, ("9100", "9200", "9300", "88a7", "8101", "88e5", "8926")))
"""Near misses: older stacked tags, MACsec, and neighbours in value."""

OTHER_ETHERTYPES = tuple(
    map(bytes.fromhex, ("8847", "8848", "8863", "8864", "88cc", "8035", "0026", "05dc", "0600", "88f7", "0842", "22f3"))
)
"""MPLS, PPPoE, LLDP, RARP, 802.3 lengths and their edge, PTP, Wake-on-LAN, TRILL."""

GROUPS = tuple(map(bytes.fromhex, ("ffffffffffff", "01005e0000fb", "3333000000fb", "0180c2000000", "010000000000")))
"""Broadcast; multicast of IPv4, IPv6 and bridges; only the group bit."""

STRANGERS = tuple(map(bytes.fromhex, ("0600000000aa", "000000000000", "feffffffffff")))


def add_addresses(rng: random.Random, wire: Wire, direction: Direction, own: bytes, macs: Sequence[bytes]) -> None:
    """Destination and source; ``own`` is of the interface that is meant, ``macs`` are of all interfaces."""
    wire.add(b"".join(_pair(rng, direction, own, macs)))


def _pair(rng: random.Random, direction: Direction, own: bytes, macs: Sequence[bytes]) -> tuple[bytes, bytes]:
    other = rng.choice(STRANGERS)
    if not happens(rng, 4):
        return (own, other) if direction is Direction.INGRESS else (other, own)
    group = rng.choice((*GROUPS, bytes([own[0] | 1]) + own[1:]))
    near = flip(rng, own)
    return rng.choice(
        (
            (own, own),
            (own, rng.choice(macs)),
            (rng.choice(macs), own),
            (group, other),
            (group, own),
            (own, group),
            (group, group),
            (near, other),
            (other, near),
            (near, own),
            (own, near),
            (own, other),
            (other, own),
            (other, other),
        )
    )


def add_tags(rng: random.Random, wire: Wire) -> None:
    """Usually none; else one to three, each with any priority and VLAN."""
    if not happens(rng, 5):
        return
    for _ in range(rng.choice((1, 1, 2, 2, 3))):
        kind = rng.choice(TAG_TYPES)
        if happens(rng, 8):
            kind = rng.choice((*OTHER_TAG_TYPES, flip(rng, kind)))
        control = rng.choice((0, 1, 0x0FFF, 0xE000, 0x1000, 0xFFFF, rng.getrandbits(16), 0x8100, 0x0800))
        wire.add(kind + control.to_bytes(2, "big"))


def any_ethertype(rng: random.Random) -> bytes:
    """One of another protocol, or a near miss of those that are looked at."""
    if happens(rng, 2):
        return flip(rng, rng.choice((ARP, *ETHERTYPES.values())))
    return rng.choice((*OTHER_ETHERTYPES, *(kind[::-1] for kind in (ARP, *ETHERTYPES.values()))))
