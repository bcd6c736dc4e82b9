"""A frame while it is built: its bytes, and the places where one header ends and the next begins."""

from __future__ import annotations

import random

from halfsilver.sim.traffic.chance import happens

__all__ = ["Wire"]


class Wire:
    """``data`` grows by ``add``; ``marks`` are the offsets at which something was added."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.marks: list[int] = []

    def add(self, octets: bytes) -> None:
        """Append a header, a part of one, or a payload."""
        self.marks.append(len(self.data))
        self.data += octets

    def cut(self, rng: random.Random) -> bytes:
        """The frame up to some byte of one of its headers: around the first byte that is looked at, or anywhere."""
        if happens(rng, 3):
            end = rng.randint(1, len(self.data))
        else:
            end = rng.choice([*self.marks, len(self.data)]) + rng.randint(-3, 9)
        return bytes(self.data[: max(1, end)])
