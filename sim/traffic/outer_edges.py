"""Outer headers whose checksum is at an edge: 0, its neighbours, and sums that carry once more when they are folded.

The sums are made here to find such frames, not to judge them: golden model and gateware each have their own.
"""

from __future__ import annotations

import random
from ipaddress import IPv4Address

__all__ = ["EDGES", "UDP_CHECKSUM", "even_out", "ipv4_outer_with_checksum"]

EDGES = (0, 0, 1, 0xFFFE, 0x0100, 0x00FF, 0xFF00)
"""Checksums to aim at; 0xffff cannot be the checksum of a header, as no sum of these words is 0."""

UDP_CHECKSUM = slice(14 + 40 + 6, 14 + 40 + 8)
"""Of an outer packet over IPv6: behind Ethernet, IPv6, and three fields of UDP."""

_HEADERS = 20 + 8 + 8
"""IPv4, UDP and VXLAN in front of the copied bytes."""

_FIRST_WORD, _TTL_PROTOCOL = 0x4500, 0xFF11
"""Version, header length and TOS; TTL 255 and UDP (``docs/mirroring.md`` section 7)."""


def ipv4_outer_with_checksum(rng: random.Random, copied: int) -> tuple[IPv4Address, IPv4Address]:
    """Source and destination for which the outer header of a copy of so many bytes has a checksum at an edge."""
    source, high = rng.getrandbits(32), rng.getrandbits(16)
    others = _FIRST_WORD + _TTL_PROTOCOL + copied + _HEADERS + (source >> 16) + (source & 0xFFFF) + high
    folded = _minus(~rng.choice(EDGES) & 0xFFFF, others)
    carries_again = (0x10000 - rng.randint(1, 3) - others) & 0xFFFF
    low = rng.choice((folded, carries_again))
    return IPv4Address(source), IPv4Address(high << 16 | low)


def even_out(data: bytes, place: int, checksum: int, wanted: int) -> bytes:
    """The frame with two bytes at ``place`` changed so that what had this checksum over it has the wanted one.

    ``place`` must be even: copies begin at an even offset of the outer packet.
    """
    word = int.from_bytes(data[place : place + 2], "big")
    # The checksum is the complement of the sum, so the word has to grow by as much as the checksum shrinks.
    changed = _minus(word + checksum, wanted)
    return data[:place] + changed.to_bytes(2, "big") + data[place + 2 :]


def _minus(left: int, right: int) -> int:
    """Difference of ones' complement sums, as 16 bits."""
    return (left - right) % 0xFFFF
