"""The spread words of a session: which of its receivers has which slot of its flows (``docs/mirroring.md`` 17.7)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from halfsilver.harness.policy.policy import Outer
from halfsilver.hdl.layout.tables import SLOTS, SLOTS_PER_WORD, SPREAD_WORD

__all__ = ["spread_words"]


def spread_words(receivers: Sequence[Outer]) -> list[int]:
    """All of them; without receivers to choose from, copies go to the first."""
    owners = [_owner(receivers, slot) if receivers else 0 for slot in range(SLOTS)]
    return [
        SPREAD_WORD.pack(**{f"slot_{place}": owners[first + place] for place in range(SLOTS_PER_WORD)})
        for first in range(0, SLOTS, SLOTS_PER_WORD)
    ]


def _owner(receivers: Sequence[Outer], slot: int) -> int:
    """Rendezvous hashing: the receiver's number with the greatest digest."""
    bids = [hashlib.sha256(each.destination.packed + slot.to_bytes(1)).digest() for each in receivers]
    return bids.index(max(bids))
