"""A serial line to a Verilated NIC (`halfsilver.hdl.bus.serial_top`): bits at their times, and what happens to them."""

from __future__ import annotations

import ctypes
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from halfsilver.sim.build import NIC_NAME, build_library
from halfsilver.sim.model.verilog import block_verilog
from halfsilver.sim.pump import Pump, PumpError

__all__ = ["SerialLine", "Toggles", "build_serial_nic", "toggles_of"]

_BITS = 10
_PATIENCE_BYTES = 8
"""How long an answer may be under way beside its own bytes, in bytes of the line."""

Toggles = list[float]
"""When the line changes its level, in bit times from the beginning; before that it is high."""


@cache
def build_serial_nic(parameters: Any, clock: int, baud: int, resync_seconds: float) -> Path:
    """Shared library of SerialNic, with the pump."""
    options = {"clock": clock, "baud": baud, "resync_seconds": resync_seconds}
    verilog, ports = block_verilog("bus.serial_top.SerialNic", asdict(parameters), options, NIC_NAME)
    return build_library(verilog, NIC_NAME, ports, what=f"{parameters.width} bit, with a serial line")


def toggles_of(octets: bytes, bit: float = 1.0, start: float = 0.0) -> Toggles:
    """Bytes, 8N1 and back to back."""
    toggles: Toggles = []
    level, now = 1, start
    for octet in octets:
        for value in (0, *(octet >> place & 1 for place in range(8)), 1):
            if value != level:
                toggles.append(now)
                level = value
            now += bit
    return toggles


class SerialLine:
    """The far end of the line; of uartbone's it is a `ByteLine`, in simulated time.

    ``silence`` is the pause, in bits, after which the card begins a command anew. ``cycles`` of the simulation so far;
    ``noise`` may change what is sent on its way.
    """

    def __init__(self, pump: Pump, clock: int, baud: int, silence: float) -> None:
        self._pump, self._bit = pump, clock / baud
        self.silence = silence
        self.name = f"the simulated line at {baud:,} baud"
        self.clock, self.baud, self.cycles = clock, baud, 0
        self.noise: Callable[[Toggles], Toggles] | None = None
        self._toggles: Toggles = []  # of tx, in cycles
        pump.simulation.io.rx = 1
        self.wait(2 * _BITS)

    def send(self, octets: bytes, bit: float = 1.0) -> None:
        """Bytes, and nothing is waited for; ``bit`` is the sender's bit time in those of the card."""
        toggles = toggles_of(octets, bit)
        self.drive(self.noise(toggles) if self.noise else toggles, len(octets) * _BITS * bit)

    def wait(self, bits: float) -> None:
        """An idle line."""
        self.drive([], bits)

    def drive(self, toggles: Iterable[float], bits: float) -> None:
        """The line changes at these times, and all of it lasts so long; afterwards the line is idle."""
        times = array("Q", (round(toggle * self._bit) for toggle in toggles))
        cycles = round(bits * self._bit)
        if len(times) % 2:
            times.append(cycles)
        room = (ctypes.c_uint64 * (int(cycles / self._bit) + _BITS))()
        found = ctypes.c_uint64()
        self._pump.serial(times, cycles + 1, room, found)
        self._toggles += [self.cycles + room[place] for place in range(found.value)]
        self.cycles += cycles + 1

    def received(self, bit: float = 1.0) -> bytes:
        """The whole bytes that have come, once, to a receiver with this bit time in those of the card.

        PumpError for something that is no byte, unless the receiver's rate is wrong.
        """
        octets = bytearray()
        period = bit * self._bit
        while self._toggles and self._toggles[0] + _BITS * period <= self.cycles:
            start = self._toggles[0]
            ours = self._toggles[: bisect_left(self._toggles, start + (_BITS - 0.5) * period)]
            levels = [
                1 - sum(toggle <= start + (place + 0.5) * period for toggle in ours) % 2 for place in range(_BITS)
            ]
            if bit == 1.0 and (levels[0] != 0 or levels[-1] != 1):
                raise PumpError("what came from the card over its serial line is no byte")
            octets.append(sum(level << place for place, level in enumerate(levels[1:9])))
            del self._toggles[: len(ours) + len(ours) % 2]  # a low line is no start until it has been high
        return bytes(octets)

    def ask(self, octets: bytes, count: int) -> bytes:
        """Send a command, and wait for its answer of ``count`` bytes: all of it, or as much as came in time."""
        self.received()
        self.send(octets)
        answer = b""
        for _ in range(count + _PATIENCE_BYTES):
            answer += self.received()
            if len(answer) >= count:
                break
            self.wait(_BITS)
        return answer

    def settle(self) -> None:
        """Be silent until the card begins a command anew, and forget what came."""
        self.wait(self.silence)
        self.received()

    def close(self) -> None:
        """Nothing: the simulation is somebody else's."""
