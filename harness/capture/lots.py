"""Captures cut into lots: places in files, or bytes, that another process reads frames from.

Where a lot ends depends on the captures alone, and not on who reads it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import NamedTuple

from halfsilver.harness.capture.formats import Damage
from halfsilver.harness.capture.heads import Place

__all__ = ["Found", "Lot", "Portion"]


@dataclass(frozen=True, slots=True)
class Portion:
    """Some records of one capture: ``length`` bytes from ``place`` on.

    ``capture`` is its number among those that are read, ``order`` where it was named, which decides between frames of
    one time. ``path``: the file they are in as they are; else ``data`` has them. ``fault``: behind them the capture
    cannot be unpacked, and why.
    """

    capture: int
    order: int
    name: str
    place: Place
    length: int
    path: str | None
    data: bytes = b""
    fault: str | None = None

    def octets(self) -> bytes:
        """The bytes themselves."""
        if self.path is None:
            return self.data
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self.place.offset)
            return file.read(self.length) or b""

    def loaded(self) -> Portion:
        """With its bytes, for who has not the file."""
        return replace(self, path=None, data=self.octets())


class Lot(NamedTuple):
    """Portions of captures whose frames are merged by time. ``waits``: nothing comes behind it for now."""

    portions: tuple[Portion, ...]
    waits: bool = False

    def loaded(self) -> Lot:
        """With its bytes, for who has not the files."""
        return self._replace(portions=tuple(portion.loaded() for portion in self.portions))


class Found(NamedTuple):
    """What was to be said of some frames of a capture, as of a `CaptureReader`."""

    capture: int
    damage: list[Damage]
    short: int
    lifted: Counter[int]
