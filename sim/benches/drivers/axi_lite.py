"""AXI4-Lite: the registers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from halfsilver.sim.benches.drivers.pace import Pace, always
from halfsilver.sim.benches.drivers.testbench import Signals

__all__ = ["Access", "AxiLiteMaster", "OKAY", "SLVERR"]

OKAY, SLVERR = 0b00, 0b10
"""Responses of AXI."""


_WRITES_UNDER_WAY = 4


@dataclass(slots=True, eq=False)
class Access:
    """One register access. ``value``: what to write, or what was read; ``response`` is None until it is done."""

    address: int
    value: int | None = None
    strobes: int = 0b1111
    response: int | None = None


class AxiLiteMaster:
    """AXI4-Lite manager: accesses in order, writes one behind the other without waiting for their responses.

    ``pace`` is asked for each channel in each clock; so address and data of a write come in any order.
    """

    def __init__(self, dut: Any, prefix: str = "s_axil") -> None:
        channels = {
            "aw": ("addr", "valid", "ready"),
            "w": ("data", "strb", "valid", "ready"),
            "b": ("resp", "valid", "ready"),
            "ar": ("addr", "valid", "ready"),
            "r": ("data", "resp", "valid", "ready"),
        }
        names = {c + name: f"{prefix}_{c}{name}" for c, signals in channels.items() for name in signals}
        self._signals = Signals(dut, awprot=f"{prefix}_awprot", arprot=f"{prefix}_arprot", **names)
        self._queue: deque[Access] = deque()
        self._addresses: deque[Access] = deque()
        self._data: deque[Access] = deque()
        self._unanswered: deque[Access] = deque()
        self._reading: Access | None = None
        self._offers = dict.fromkeys(("aw", "w", "ar"), False)
        self._ready = dict.fromkeys(("b", "r"), False)
        self._held = dict.fromkeys(("b", "r"), False)
        self.pace: Pace = always

    def write(self, address: int, value: int, strobes: int = 0b1111) -> Access:
        """Queue a write."""
        return self._append(Access(address, value, strobes))

    def read(self, address: int) -> Access:
        """Queue a read; it waits for the writes before it."""
        return self._append(Access(address))

    @property
    def idle(self) -> bool:
        """Every access has its response."""
        return not self._queue and not self._unanswered and self._reading is None

    def _append(self, access: Access) -> Access:
        self._queue.append(access)
        return access

    def drive(self) -> None:
        put = self._signals.put
        if self._queue and self._reading is None:
            if self._queue[0].value is not None and len(self._unanswered) < _WRITES_UNDER_WAY:
                access = self._queue.popleft()
                for pending in (self._addresses, self._data, self._unanswered):
                    pending.append(access)
            elif self._queue[0].value is None and not self._unanswered:
                self._reading = self._queue.popleft()
                self._offers["ar"] = True
                put("araddr", self._reading.address)
        if self._addresses and not self._offers["aw"] and self.pace():
            self._offers["aw"] = True
            put("awaddr", self._addresses[0].address)
        if self._data and not self._offers["w"] and self.pace():
            self._offers["w"] = True
            put("wdata", self._data[0].value or 0)
            put("wstrb", self._data[0].strobes)
        for channel, offered in self._offers.items():
            put(f"{channel}valid", offered)
        for channel in self._ready:
            self._ready[channel] = self.pace()
            put(f"{channel}ready", self._ready[channel])

    def sample(self) -> None:
        get = self._signals.get
        for channel, offered in self._offers.items():
            if offered and get(f"{channel}ready"):
                self._offers[channel] = False
                if channel != "ar":
                    (self._addresses if channel == "aw" else self._data).popleft()
        if self._answered("b"):
            assert self._unanswered, "a write response without a write"
            self._unanswered.popleft().response = get("bresp")
        if self._answered("r"):
            assert self._reading is not None, "read data without a read"
            self._reading.value, self._reading.response = get("rdata"), get("rresp")
            self._reading = None

    def _answered(self, channel: str) -> bool:
        """A response is taken in this clock; one that was offered must not vanish."""
        valid = bool(self._signals.get(f"{channel}valid"))
        assert valid or not self._held[channel], f"{channel}valid fell before {channel}ready"
        self._held[channel] = valid and not self._ready[channel]
        return valid and self._ready[channel]

    def reset(self) -> None:
        for queue in (self._queue, self._addresses, self._data, self._unanswered):
            queue.clear()
        self._reading = None
        for states in (self._offers, self._ready, self._held):
            for channel in states:
                states[channel] = False
        for name in ("awprot", "arprot", "awvalid", "wvalid", "bready", "arvalid", "rready"):
            self._signals.put(name, 0)
