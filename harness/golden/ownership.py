"""Step 3: whose frame it is (``docs/mirroring.md`` section 2)."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from halfsilver.harness.verdict import Direction

__all__ = ["Ownership", "owner_of"]


class Ownership(enum.Enum):
    """Why a frame belongs to an interface, or to none."""

    DESTINATION = "its MAC is the frame's destination"
    SOURCE = "its MAC is the frame's source"
    GROUP = "multicast and broadcast ingress belongs to interface 0"
    TAP = "tap mode gives it every frame of no other interface"
    NONE = "no interface has the frame's MAC"


def owner_of(frame: bytes, direction: Direction, macs: Mapping[bytes, int], tap: bool) -> tuple[int | None, Ownership]:
    """Index of the interface (``macs`` gives it by MAC) and the reason.

    Where there is no interface 0, its part falls to none. ``frame`` has at least both addresses.
    """
    destination, source = frame[0:6], frame[6:12]
    zero_exists = len(macs) > 0
    if direction is Direction.INGRESS:
        if destination[0] & 1 and zero_exists:
            return 0, Ownership.GROUP
        if destination in macs:
            return macs[destination], Ownership.DESTINATION
    elif source in macs:
        return macs[source], Ownership.SOURCE
    if tap and zero_exists:
        return 0, Ownership.TAP
    return None, Ownership.NONE
