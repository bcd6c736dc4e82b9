"""The exported top as the native pump runs it: from power-up, without reset logic, the matcher asleep when idle.

An FPGA starts with every register at its initial value, and so does the model; the reset itself is tested by the
cocotb benches, which drive the whole top. Both are for speed: the reset would be an input of every register's next
state, and the matcher is a third of the model but works only once per frame. Together they double it. Cycle for
cycle, what leaves the NIC is the same (``tests/sim/test_powered_up.py``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from amaranth.hdl import ClockDomain, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.export import AxiNic
from halfsilver.hdl.layout.parameters import NicParameters

__all__ = ["PoweredUpNic"]


class PoweredUpNic(wiring.Component):  # type: ignore[misc]  # Amaranth 0.5 has no complete types
    """``halfsilver.hdl.export.AxiNic`` with the same ports, less ``rst``."""

    def __init__(self, parameters: NicParameters) -> None:
        self._nic = AxiNic(replace(parameters, sleep=True))
        super().__init__({"clk": In(1), **dict(self._nic.signature.members.items())})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = domain = ClockDomain(reset_less=True)
        m.d.comb += domain.clk.eq(self.clk)
        m.submodules.nic = nic = self._nic
        for name, member in nic.signature.members.items():
            port, inner = getattr(self, name), getattr(nic, name)
            m.d.comb += port.eq(inner) if member.flow is Out else inner.eq(port)
        return m
