"""What carries frames between this host and a port of a card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from halfsilver.harness.errors import RigError

__all__ = ["PATIENCE", "FramesLost", "Received", "Wire"]

PATIENCE = 2.0
"""Seconds in which the other end must take a frame."""


@dataclass(frozen=True, slots=True)
class Received:
    """A frame that came: without FCS, with its VLAN tags. ``time_ns`` since the epoch is the kernel's where it has one,
    else when it was read: of the first frames on an interface too, as Linux takes a moment to begin with stamps."""

    time_ns: int
    data: bytes


class Wire(Protocol):
    """One port of a card. Errors: CardUnreachable if the other end is gone, FramesLost if this host has lost some."""

    @property
    def name(self) -> str:
        """As a user wrote it."""

    @property
    def shortest(self) -> int:
        """Bytes of the shortest frame that there is on it: shorter ones are padded with zeros somewhere on the way."""

    def send(self, frames: Sequence[bytes]) -> None:
        """Frames without FCS, in this order. UsageError for one that is too long for the wire."""

    def receive(self, seconds: float) -> list[Received]:
        """All frames that have come, oldest first; if there is none, those that come within so many seconds."""

    def close(self) -> None:
        """Give it back."""


class FramesLost(RigError):
    """Frames did not get through between host and card: what a run says of the card would be wrong."""
