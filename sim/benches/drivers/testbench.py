"""Clock, reset and the drivers of a design, called in the order that the rule of time says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

__all__ = ["Port", "Signals", "Testbench"]

PERIOD_NS = 10


class Signals:
    """Signals of the design by name; a value is written only when it changes."""

    def __init__(self, dut: Any, **names: str) -> None:
        self._handles = {key: getattr(dut, name) for key, name in names.items()}
        self._written: dict[str, int] = {}

    def put(self, key: str, value: int) -> None:
        """Drive an input."""
        if self._written.get(key) != value:
            self._written[key] = value
            self._handles[key].value = value

    def get(self, key: str) -> int:
        """Value of a signal as an unsigned number."""
        return int(self._handles[key].value)

    def width(self, key: str) -> int:
        """Bits of a signal."""
        return len(self._handles[key])


class Port(Protocol):
    """What `Testbench` needs of a driver. ``reset``: forget what is under way and drive idle values."""

    def drive(self) -> None: ...

    def sample(self) -> None: ...

    def reset(self) -> None: ...


class Testbench:
    """Clock, reset and the ports of a design; ``clock`` counts clocks since the start."""

    __test__ = False  # not a pytest class

    def __init__(self, dut: Any, *ports: Port) -> None:
        self._signals = Signals(dut, clk="clk", rst="rst")
        self._edge = FallingEdge(dut.clk)
        self._settled = ReadOnly()
        self._resetting = False
        self._ports = list(ports)
        self.clock = 0
        dut.clk.value = 0
        Clock(dut.clk, PERIOD_NS, unit="ns").start(start_high=False)

    async def reset(self, clocks: int = 3) -> None:
        """Hold reset; what the ports had under way is gone."""
        self._resetting = True
        for _ in range(clocks):
            await self.step()
        self._resetting = False

    async def step(self, clocks: int = 1) -> None:
        """Run for some clocks."""
        for _ in range(clocks):
            await self._edge
            self._signals.put("rst", int(self._resetting))
            for port in self._ports:
                if self._resetting:
                    port.reset()
                else:
                    port.drive()
            await self._settled
            if not self._resetting:
                for port in self._ports:
                    port.sample()
            self.clock += 1

    async def until(self, condition: Callable[[], bool], what: str, limit: int = 20_000) -> None:
        """Run until the condition holds; AssertionError naming ``what`` after ``limit`` clocks."""
        for _ in range(limit):
            if condition():
                return
            await self.step()
        assert condition(), f"after {limit} clocks still waiting for {what}"
