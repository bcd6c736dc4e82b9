"""A serial line to a Verilated NIC (`halfsilver.hdl.bus.serial_top`): bits at their times, and what happens to them."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from halfsilver.harness.errors import EXIT_BOARD, HalfsilverError
from halfsilver.harness.nic.uartbone import MAX_WORDS, read_command, write_commands
from halfsilver.sim.build import NIC_NAME, build_library
from halfsilver.sim.model.verilog import block_verilog
from halfsilver.sim.pump import Pump

__all__ = ["LineDown", "SerialLine", "SerialTransport", "Toggles", "build_serial_nic", "toggles_of"]

_BITS = 10
_TRIES = 3
_PATIENCE_BYTES = 8
"""How long an answer may be under way beside its own bytes, in bytes of the line."""

Toggles = list[float]
"""When the line changes its level, in bit times from the beginning; before that it is high."""


class LineDown(HalfsilverError):
    """Nothing, or not enough, comes back over the line."""

    exit_code = EXIT_BOARD


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
    """The far end of the line. ``cycles`` of the simulation so far; ``noise`` may change what is sent on its way."""

    def __init__(self, pump: Pump, clock: int, baud: int) -> None:
        self._pump, self._bit = pump, clock / baud
        self.clock, self.cycles = clock, 0
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

    def received(self) -> bytes:
        """The whole bytes that have come, once; LineDown for something that is no byte."""
        octets = bytearray()
        while self._toggles and self._toggles[0] + _BITS * self._bit <= self.cycles:
            start = self._toggles[0]
            ours = [toggle for toggle in self._toggles[: _BITS + 1] if toggle < start + (_BITS - 0.5) * self._bit]
            levels = [
                1 - sum(toggle <= start + (place + 0.5) * self._bit for toggle in ours) % 2 for place in range(_BITS)
            ]
            if levels[0] != 0 or levels[-1] != 1:
                raise LineDown("what came from the card is no byte")
            octets.append(sum(level << place for place, level in enumerate(levels[1:9])))
            del self._toggles[: len(ours)]
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


class SerialTransport:
    """The driver's transport over a line. After an answer that does not come it is silent for ``silence`` bits."""

    def __init__(self, line: SerialLine, silence: float) -> None:
        self._line, self._silence = line, silence

    def write(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Nobody knows whether it arrives."""
        self._line.send(write_commands(pairs))

    def read(self, addresses: Sequence[int]) -> list[int]:
        """LineDown if there is no answer, several times over."""
        words: list[int] = []
        while len(words) < len(addresses):
            rest = addresses[len(words) : len(words) + MAX_WORDS]
            run = next((at for at, address in enumerate(rest) if address != rest[0] + 4 * at), len(rest))
            words += self._read(rest[0], run)
        return words

    def _read(self, address: int, count: int) -> list[int]:
        for _ in range(_TRIES):
            answer = self._line.ask(read_command(address, count), 4 * count)
            if len(answer) == 4 * count:
                return [int.from_bytes(answer[at : at + 4], "big") for at in range(0, len(answer), 4)]
            self._line.wait(self._silence)
        raise LineDown(f"the card does not answer on its serial line, {_TRIES} times")
