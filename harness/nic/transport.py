"""How the driver reaches a card's registers: all that a simulation, a virtual board or a serial line must offer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from halfsilver.harness.errors import TransferDamaged
from halfsilver.hdl.layout.registers import REGISTERS

__all__ = ["READ_ONCE", "AnswerLost", "Transport"]

READ_ONCE = frozenset(register.address for register in REGISTERS if register.read_strobe)
"""To read one of these takes what it shows from the card: a transport that lost the answer must not ask again."""


class Transport(Protocol):
    """Registers by byte address, 32 bits each. Accesses take place in order; a write is done when ``write`` returns."""

    def read(self, addresses: Sequence[int]) -> list[int]:
        """The values of these registers, in the same order."""

    def write(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Write (address, value) pairs."""


class AnswerLost(TransferDamaged):
    """The answer of a register in READ_ONCE did not come."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where}: an answer was lost, and with it perhaps a verdict that is in the ring no more: select verdicts "
            "again, and read them anew"
        )
