"""How long mirrored frames were, and which limit cut their copies."""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections import Counter

from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.policy.types import Session
from halfsilver.harness.verdict import Verdict, VerdictRecord

__all__ = ["BOUNDS", "Cut", "Cuts", "cut_of"]

BOUNDS = (64, 127, 255, 511, 1023, 1518, 4095, 9216)
"""Longest frame of each class: those of RMON (RFC 2819, etherStatsPkts), and two for jumbo frames."""


class Cut(enum.Enum):
    """Which limit decided a copy's length (``docs/mirroring.md`` section 6); the value is what the page calls it."""

    WHOLE = "whole frame"
    PACKET_LENGTH = "cut to the packet length"
    MTU = "cut to the target's MTU"
    OTHER = "cut at the floor, or by the build"


def cut_of(record: VerdictRecord, session: Session) -> Cut:
    """The limit that decided, by the length of the copy; where two are the same, the packet length."""
    if record.copied >= record.length:
        return Cut.WHOLE
    if record.copied == session.packet_length:
        return Cut.PACKET_LENGTH
    if session.outer is not None and record.copied == session.outer.mtu_limit:
        return Cut.MTU
    return Cut.OTHER


class Cuts:
    """Mirrored frames by class of length and by session, each by what cut them; ``longest`` copy of each session."""

    def __init__(self) -> None:
        self.classes: list[Counter[Cut]] = [Counter() for _ in BOUNDS]
        self.sessions: dict[tuple[int, int], Counter[Cut]] = {}
        self.longest: dict[tuple[int, int], int] = {}

    def take_in(self, other: Cuts) -> None:
        """Those of other frames of the run."""
        for mine, theirs in zip(self.classes, other.classes, strict=True):
            mine.update(theirs)
        for place, cuts in other.sessions.items():
            self.sessions.setdefault(place, Counter()).update(cuts)
            self.longest[place] = max(self.longest.get(place, 0), other.longest[place])

    def add(self, record: VerdictRecord, policy: Policy) -> None:
        """Records of other verdicts, and of sessions that the policy does not have, are left out."""
        if record.verdict is not Verdict.MIRRORED or record.eni is None or record.session is None:
            return
        place = record.eni, record.session
        interfaces = policy.interfaces
        if record.eni >= len(interfaces) or record.session >= len(interfaces[record.eni].sessions):
            return
        cut = cut_of(record, interfaces[record.eni].sessions[record.session])
        self.classes[min(bisect_left(BOUNDS, record.length), len(BOUNDS) - 1)][cut] += 1
        self.sessions.setdefault(place, Counter())[cut] += 1
        self.longest[place] = max(self.longest.get(place, 0), record.copied)
