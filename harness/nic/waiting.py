"""Waiting for a card: until a register says that something is over."""

from __future__ import annotations

import time
from collections.abc import Callable

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.nic.transport import Transport
from halfsilver.hdl.layout.registers import REGISTERS

__all__ = ["wait_while"]

_POLLS = 10_000
"""Reads of a register before what it waits for is given up: enough for a simulation, whose clock they move."""

_SECONDS, _LEAST_POLLS = 30.0, 100
"""The same where a read takes milliseconds, as on a serial line: so long, and so many reads."""


def wait_while(
    transport: Transport, register: str, busy: str, problem: str, now: Callable[[], float] = time.monotonic
) -> dict[str, int]:
    """Read the register until its field ``busy`` is 0; returns its fields. HalfsilverError(problem) if it stays."""
    address = REGISTERS.address(register)
    until = now() + _SECONDS
    for poll in range(_POLLS):
        fields = REGISTERS.unpack(register, transport.read([address])[0])
        if not fields[busy]:
            return fields
        if poll >= _LEAST_POLLS and now() > until:
            break
    raise HalfsilverError(problem)
