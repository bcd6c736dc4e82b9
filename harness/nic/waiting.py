"""Waiting for a card: until a register says that something is over."""

from __future__ import annotations

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.nic.transport import Transport
from halfsilver.hdl.layout.registers import REGISTERS

__all__ = ["wait_while"]

_POLLS = 10_000
"""Reads of a register before what it waits for is given up."""


def wait_while(transport: Transport, register: str, busy: str, problem: str) -> dict[str, int]:
    """Read the register until its field ``busy`` is 0; returns its fields. HalfsilverError(problem) if it stays."""
    address = REGISTERS.address(register)
    for _ in range(_POLLS):
        fields = REGISTERS.unpack(register, transport.read([address])[0])
        if not fields[busy]:
            return fields
    raise HalfsilverError(problem)
