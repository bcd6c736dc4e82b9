"""How the driver reaches a card's registers: all that a simulation, a virtual board or a serial line must offer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Transport"]


class Transport(Protocol):
    """Registers by byte address, 32 bits each. Accesses take place in order; a write is done when ``write`` returns."""

    def read(self, addresses: Sequence[int]) -> list[int]:
        """The values of these registers, in the same order."""

    def write(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Write (address, value) pairs."""
