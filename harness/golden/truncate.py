"""Step 5: how many bytes are copied (``docs/mirroring.md`` section 6)."""

from __future__ import annotations

import enum
from typing import NamedTuple

from halfsilver.harness.golden.parse import Kind
from halfsilver.harness.law import FLOOR_IPV4, FLOOR_IPV6

__all__ = ["FLOOR", "Cut", "Limit", "copy_length"]

FLOOR = {Kind.IPV4: FLOOR_IPV4, Kind.IPV6: FLOOR_IPV6}
"""The data plane never cuts a frame below this many bytes: Ethernet, the fixed IP header and one byte."""


class Limit(enum.Enum):
    """Which limit decided the length of a copy."""

    FRAME = "whole frame"
    PACKET_LENGTH = "packet length of the session"
    FLOOR = "floor of the data plane"
    MTU = "MTU of the target"
    BUILD = "longest copy of the build"


class Cut(NamedTuple):
    """Bytes of the frame in the copy, and the limit that decided."""

    copied: int
    limit: Limit


def copy_length(
    length: int, kind: Kind, packet_length: int | None, mtu_limit: int | None, longest: int | None = None
) -> Cut:
    """Length of the copy of a ``length``-byte frame of ``kind`` IPv4 or IPv6; None: no such limit.

    ``longest`` is the build's: no copy has more bytes of its frame.
    """
    cut = Cut(length, Limit.FRAME)
    if packet_length is not None:
        floor = FLOOR[kind]
        limit = Cut(packet_length, Limit.PACKET_LENGTH) if packet_length >= floor else Cut(floor, Limit.FLOOR)
        if limit.copied < cut.copied:
            cut = limit
    if mtu_limit is not None and mtu_limit < cut.copied:
        cut = Cut(mtu_limit, Limit.MTU)
    if longest is not None and longest < cut.copied:
        cut = Cut(longest, Limit.BUILD)
    return cut
