"""Counters of frames that stay at their highest value."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.ports import COUNT_BITS
from halfsilver.hdl.mac.words import counts_of

__all__ = ["FrameCounts"]


class FrameCounts(wiring.Component):
    """Frames by outcome (`Received` or `Sent`), each saturating at 2**32 - 1.

    Ports: ``ended`` and ``outcome``: count one, each clock; ``counts``. Latency: 1 clock. ``init``: where the counters
    start, for tests.
    """

    def __init__(self, outcome, init=0):
        self._outcome, self._init = outcome, init
        super().__init__({"ended": In(1), "outcome": In(outcome), "counts": Out(counts_of(outcome))})

    def elaborate(self, platform):
        m = Module()
        for member in self._outcome:
            # One bit more says that the counter is full.
            count = Signal(COUNT_BITS + 1, name=f"count_{member.name.lower()}", init=self._init)
            full = count[-1]
            m.d.sync += count.eq(count + (self.ended & (self.outcome == member) & ~full))
            m.d.comb += self.counts[member.name.lower()].eq(Mux(full, ~0, count[:-1]))
        return m
