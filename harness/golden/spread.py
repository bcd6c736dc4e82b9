"""Step 6a: which of several registered targets gets the copy (``docs/mirroring.md`` section 17)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from halfsilver.harness.policy.policy import Outer

__all__ = ["SLOTS", "Spread", "receiver_of", "slot_of"]

SLOTS = 256
_SLOT_AT = 8
"""The lowest bit of the flow hash that says which slot; those below it spread UDP source ports."""


class Spread:
    """A session's receivers, ready to be chosen from."""

    def __init__(self, receivers: Sequence[Outer]) -> None:
        self._owners = [receiver_of(receivers, slot) for slot in range(SLOTS)]

    def receiver(self, number: int) -> Outer:
        """Where copies of the flow with this hash go."""
        return self._owners[slot_of(number)]


def slot_of(number: int) -> int:
    """The slot of a flow with this hash."""
    return number >> _SLOT_AT & SLOTS - 1


def receiver_of(receivers: Sequence[Outer], slot: int) -> Outer:
    """The receiver whose hash with the slot is greatest: one that goes, or comes, moves no flow between others."""
    return max(receivers, key=lambda outer: hashlib.sha256(outer.destination.packed + bytes([slot])).digest())
