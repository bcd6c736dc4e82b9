"""The register bus by hand, clock by clock: AXI4-Lite with its channels in any order, and answers that have to wait."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from halfsilver.harness.errors import HalfsilverError
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.register_map import ADDRESS_BITS, WORD_BITS, WORD_BYTES
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.sim.build import build_nic
from halfsilver.sim.pump import Pump
from halfsilver.sim.traffic.chance import happens

__all__ = ["check_bus"]

CLOCKS, DRAIN = 350, 20
"""Clock cycles at each pace, and those after which every answer is there."""

PACES = ((1.0, 1.0), (0.4, 1.0), (1.0, 0.3), (0.5, 0.5), (0.1, 0.1))
"""How likely something is offered in a clock, and how likely an answer is taken."""

WRITE_CLOCKS = 2
"""From the later of address and data to the response, and from one write to the next at best."""

READ_CLOCKS = range(4, 7)
"""From the address to the answer; a write that comes at once goes first."""

OKAY, SLVERR = 0, 2
_ALL_BYTES = (1 << WORD_BYTES) - 1
_PLAIN = ("EXPECTED_CRC", "RING_SELECT", "TABLE_ADDRESS")
"""Registers that can be written and read, and nothing happens but that."""

_WRITABLE = {REGISTERS.address(name): REGISTERS[name] for name in _PLAIN}
_FIXED = {"ID": REGISTERS.pack("ID"), "VERSION": REGISTERS.pack("VERSION"), "REFUSED_WRITES": 0, "RING_LOST": 0}
"""Registers that stay as they are."""

_NOWHERE = sorted(
    set(range(1 << ADDRESS_BITS)) - {each.address + low for each in REGISTERS for low in range(WORD_BYTES)}
)
"""Addresses of no register."""


def check_bus(parameters: NicParameters, seed: int, library: Path | None = None) -> None:
    """Writes and reads at every pace; HalfsilverError says what breaks the contract of the bus."""
    rng = random.Random(f"bus {seed}")
    pump = Pump(library or build_nic(parameters), seed=seed)
    try:
        for offers, takes in PACES:
            bus = _Bus(rng, pump.simulation.io)
            for _ in range(CLOCKS):
                bus.clock(offers, takes)
            if offers == takes == 1.0 and bus.writes < CLOCKS // WRITE_CLOCKS - 2:
                raise HalfsilverError(f"{bus.writes} writes in {CLOCKS} clocks, one after the other")
            for _ in range(rng.choice((0, 0, DRAIN))):
                bus.clock(0.0, 1.0)
            bus.reset()
    finally:
        pump.close()


@dataclass(slots=True)
class _Write:
    """A write whose halves have both been taken, the later one in clock ``taken``."""

    address: int
    word: int
    strobes: int
    taken: int


class _Bus:
    """The manager's side, and what the registers must hold."""

    def __init__(self, rng: random.Random, io: Any) -> None:
        self._rng, self._io = rng, io
        self._now = 0
        self._offered: dict[str, tuple[int, int]] = {}
        self._addresses: deque[tuple[int, int]] = deque()
        self._data: deque[tuple[int, int, int]] = deque()
        self._written: deque[_Write] = deque()
        self._reads: deque[tuple[int, int]] = deque()
        self._answered = -1
        self._response: int | None = None
        self._shown: int | None = None
        self._values = {REGISTERS.address(name): [(-1, 0)] for name in _PLAIN}
        self._values |= {REGISTERS.address(name): [(-1, value)] for name, value in _FIXED.items()}
        self.writes = 0

    def reset(self) -> None:
        """Whatever is under way ends, and no answer is left over."""
        io = self._io
        io.s_axil_awvalid = io.s_axil_wvalid = io.s_axil_arvalid = 0
        for reset in (1, 1, 0):
            io.rst = reset
            io.clk = 0
            io.clk = 1
        if io.s_axil_bvalid or io.s_axil_rvalid:
            raise HalfsilverError("an answer outlives a reset")

    def clock(self, offers: float, takes: float) -> None:
        """One clock: offer, look at the answers, and see what was taken."""
        io = self._io
        for channel in ("aw", "w", "ar"):
            self._offer(channel, offers)
        io.s_axil_bready, io.s_axil_rready = (int(self._rng.random() < takes) for _ in range(2))
        io.clk = 0
        self._look_at_response()
        self._look_at_answer()
        if self._taken("aw"):
            self._addresses.append((self._offered.pop("aw")[0], self._now))
        if self._taken("w"):
            self._data.append((*self._offered.pop("w"), self._now))
        if self._taken("ar"):
            self._reads.append((self._offered.pop("ar")[0], self._now))
        while self._addresses and self._data:
            (address, first), (word, strobes, second) = self._addresses.popleft(), self._data.popleft()
            self._written.append(_Write(address, word, strobes, max(first, second)))
        io.clk = 1
        self._now += 1

    def _offer(self, channel: str, offers: float) -> None:
        """What is offered stays; nothing offered is anything on the wires."""
        io, rng = self._io, self._rng
        if channel not in self._offered and rng.random() < offers:
            strobes = rng.choice((_ALL_BYTES, _ALL_BYTES, _ALL_BYTES, rng.getrandbits(WORD_BYTES)))
            self._offered[channel] = (rng.getrandbits(WORD_BITS), strobes) if channel == "w" else (self._place(), 0)
        value, strobes = self._offered.get(channel, (rng.getrandbits(WORD_BITS), rng.getrandbits(WORD_BYTES)))
        io[f"s_axil_{channel}valid"] = int(channel in self._offered)
        if channel == "w":
            io.s_axil_wdata, io.s_axil_wstrb = value, strobes
        else:
            io[f"s_axil_{channel}addr"] = value & (1 << ADDRESS_BITS) - 1
            io[f"s_axil_{channel}prot"] = rng.getrandbits(3)

    def _place(self) -> int:
        """An address: often of a register, sometimes of none; the two lowest bits do not count."""
        rng = self._rng
        if happens(rng, 4):
            return rng.choice(_NOWHERE)
        return rng.choice(tuple(self._values)) | rng.randrange(WORD_BYTES)

    def _taken(self, channel: str) -> bool:
        return channel in self._offered and bool(self._io[f"s_axil_{channel}ready"])

    def _look_at_response(self) -> None:
        """In its clock, as the strobes have it, and held until it is taken."""
        io = self._io
        response = int(io.s_axil_bresp) if io.s_axil_bvalid else None
        if self._response is None:
            due = self._written and self._now == max(self._written[0].taken, self._answered) + WRITE_CLOCKS
            if (response is not None) != bool(due):
                raise HalfsilverError(
                    f"clock {self._now}: a write response {'is missing' if due else 'nobody waits for'}"
                )
            if response is not None:
                self._write(self._written[0], response)
        elif response != self._response:
            raise HalfsilverError(f"clock {self._now}: a write response changed while it waited")
        self._response = response
        if response is not None and io.s_axil_bready:
            self._written.popleft()
            self._response, self._answered = None, self._now
            self.writes += 1

    def _write(self, write: _Write, response: int) -> None:
        """A write has been made, in the clock before its response."""
        whole = write.strobes == _ALL_BYTES
        if response != (OKAY if whole else SLVERR):
            raise HalfsilverError(f"strobes {write.strobes:#x} are answered with {response}")
        address = write.address & -WORD_BYTES
        register = _WRITABLE.get(address)
        if whole and register is not None:
            self._values[address].append((self._now - 1, write.word & register.mask))

    def _look_at_answer(self) -> None:
        """In its time, one of the values that the register had meanwhile, and held until it is taken."""
        io = self._io
        answer = int(io.s_axil_rdata) if io.s_axil_rvalid else None
        if self._shown is not None:
            if answer != self._shown:
                raise HalfsilverError(f"clock {self._now}: the answer to a read changed while it waited")
        elif answer is not None:
            if not self._reads:
                raise HalfsilverError(f"clock {self._now}: an answer to no read")
            address, taken = self._reads[0]
            if self._now - taken not in READ_CLOCKS or io.s_axil_rresp != OKAY:
                raise HalfsilverError(f"a read answered after {self._now - taken} clocks, with {io.s_axil_rresp}")
            if answer not in self._possible(address & -WORD_BYTES, taken + 1):
                raise HalfsilverError(f"0x{address:03x} reads 0x{answer:08x}")
        elif self._reads and self._now - self._reads[0][1] >= READ_CLOCKS[-1]:
            raise HalfsilverError(f"clock {self._now}: a read has no answer")
        self._shown = answer
        if answer is not None and io.s_axil_rready:
            self._reads.popleft()
            self._shown = None

    def _possible(self, address: int, reached: int) -> set[int]:
        """What a read may show that reached the registers in this clock, or later: writes of that clock go first."""
        values = self._values.get(address, [(-1, 0)])
        earlier = [value for clock, value in values if clock <= reached]
        later = {value for clock, value in values if reached < clock <= self._now - WRITE_CLOCKS}
        return {earlier[-1], *later}
