"""IPv4 and IPv6 packets of a flow: every header length, every extension header, reserved bits set at will."""

from __future__ import annotations

import random
import struct

from halfsilver.sim.traffic.chance import filler, happens, often
from halfsilver.sim.traffic.flow import ICMP, ICMPV6, IPV4, TCP, UDP, Flow
from halfsilver.sim.traffic.wire import Wire

__all__ = ["EXTENSIONS", "add_packet"]

HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, OPTIONS, MOBILITY = 0, 43, 44, 51, 60, 135
EXTENSIONS = HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, OPTIONS, MOBILITY
"""IPv6 extension headers that are looked behind (``docs/mirroring.md`` section 3)."""

NOT_EXTENSIONS = 50, 59, 139, 140, 253, 41, 4, 47, 255
"""Encryption, no next header, HIP, Shim6, experiments, tunnels: the chain ends there."""

ECHO = {ICMP: (0, 8), ICMPV6: (128, 129)}
"""Types of echo requests and replies."""

_MORE, _DONT, _RESERVED = 0x2000, 0x4000, 0x8000
_IPV4_FRAGMENTS = (_MORE, 1, _MORE | 1, 0x1FFF, _MORE | 0x1FFF, 0x0100, 0x1000, _RESERVED | 1, _RESERVED | _MORE)
_IPV4_WHOLE = (0, _DONT, _RESERVED, _RESERVED | _DONT)
_IPV6_FRAGMENTS = (1, 8, 9, 0xFFF8, 0xFFF9, 0x0100, 0x8000, 0x0009, 7, 0x000F)
_IPV6_WHOLE = (0, 2, 4, 6)
"""Fragment words without offset and without more fragments: atomic, whatever the two reserved bits."""

_WIDEST = 255
"""The length field of an extension header of 2,048 bytes (1,028 for authentication)."""


def add_packet(rng: random.Random, wire: Wire, flow: Flow, bound: int, room: int) -> None:
    """Append a packet; ``bound`` is how many extension headers are read, ``room`` how long the packet may be."""
    if flow.family == IPV4:
        _add_ipv4(rng, wire, flow)
    else:
        _add_ipv6(rng, wire, flow, bound, room)
    _add_transport(rng, wire, flow)


def _add_ipv4(rng: random.Random, wire: Wire, flow: Flow) -> None:
    words = often(rng, (5,), range(16))
    version = 4 if not happens(rng, 40) else rng.randrange(16)
    fragment = often(rng, _IPV4_WHOLE, _IPV4_FRAGMENTS, 8)
    length = rng.choice((0, 20, 0xFFFF, rng.getrandbits(16)))
    wire.add(
        struct.pack(
            "!BBHHHBBH",
            version << 4 | words,
            rng.getrandbits(8),
            length,
            rng.getrandbits(16),
            fragment,
            rng.getrandbits(8),
            flow.protocol,
            rng.choice((0, 0xFFFF, rng.getrandbits(16))),
        )
        + flow.source
        + flow.destination
    )
    if words > 5:
        wire.add(filler(rng, words * 4 - 20))


def _add_ipv6(rng: random.Random, wire: Wire, flow: Flow, bound: int, room: int) -> None:
    chain = _chain(rng, bound)
    protocol = flow.protocol if not happens(rng, 12) else rng.choice(NOT_EXTENSIONS)
    order = [*chain, protocol]
    version = 6 if not happens(rng, 40) else rng.randrange(16)
    length = rng.choice((0, 40, 0xFFFF, rng.getrandbits(16)))
    first = version << 28 | rng.choice((0, rng.getrandbits(28)))
    wire.add(struct.pack("!IHBB", first, length, order[0], rng.getrandbits(8)) + flow.source + flow.destination)
    left = room
    for kind, following in zip(chain, order[1:], strict=True):
        header = _extension(rng, kind, following, left)
        left -= len(header)
        wire.add(header)


def _chain(rng: random.Random, bound: int) -> list[int]:
    """Usually none or a short one; else around the bound; any kinds, the same one again, or all in their order."""
    if not happens(rng, 3):
        return []
    count = rng.choice((1, 1, 2, 3, bound - 1, bound, bound, bound + 1, bound + 2, 16))
    style = rng.randrange(4)
    if style == 0:
        return [rng.choice(EXTENSIONS)] * count
    if style == 1:
        usual = (HOP_BY_HOP, OPTIONS, ROUTING, FRAGMENT, AUTHENTICATION, OPTIONS, MOBILITY)  # RFC 8200 section 4.1
        return [usual[place % len(usual)] for place in range(count)]
    return [rng.choice(EXTENSIONS) for _ in range(count)]


def _extension(rng: random.Random, kind: int, following: int, room: int) -> bytes:
    """A complete header, at most ``room`` bytes long where its length is free."""
    if kind == FRAGMENT:
        word = often(rng, _IPV6_WHOLE, _IPV6_FRAGMENTS, 3)
        return struct.pack("!BBHI", following, rng.getrandbits(8), word, rng.getrandbits(32))
    size = rng.choice((0, 0, 0, 1, 2, 3, rng.randrange(32), 0))
    if happens(rng, 24):
        size = rng.choice((_WIDEST, _WIDEST - 1, 0x80, 0x7F, rng.randrange(256)))
    length = _length(kind, size)
    if length > room:
        size, length = 0, _length(kind, 0)
    return bytes((following, size)) + filler(rng, length - 2)


def _length(kind: int, size: int) -> int:
    """Bytes of a header whose length field is ``size`` (RFC 8200 section 4, RFC 4302 section 2.2)."""
    return (size + 2) * 4 if kind == AUTHENTICATION else (size + 1) * 8


def _add_transport(rng: random.Random, wire: Wire, flow: Flow) -> None:
    """What the protocol number promises, or once in a while what another would have."""
    if flow.protocol in ECHO or happens(rng, 12):
        kind = often(rng, [kind for kinds in ECHO.values() for kind in kinds], range(256))
        identifier = rng.choice((0, 1, 0x8000, 0xFFFF, rng.getrandbits(16)))
        wire.add(struct.pack("!BBHHH", kind, rng.choice((0, 0, 1)), 0, identifier, rng.getrandbits(16)))
        return
    wire.add(struct.pack("!HH", flow.source_port, flow.destination_port))
    if flow.protocol == TCP:
        flags = rng.getrandbits(16)  # data offset, reserved bits and flags as they come
        wire.add(struct.pack("!IIHHHH", rng.getrandbits(32), rng.getrandbits(32), flags, 0xFFFF, 0, 0))
    elif flow.protocol == UDP:
        wire.add(struct.pack("!HH", rng.choice((0, 8, 0xFFFF)), rng.choice((0, 0xFFFF, rng.getrandbits(16)))))
