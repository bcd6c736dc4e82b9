"""Skid buffer: a stream with flip-flops in both directions, so that no path leads through it."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SkidBuffer"]


class SkidBuffer(wiring.Component):
    """A register for the payload, and a second one for what comes while ``i`` does not know yet that ``o`` waits.

    Parameters: ``shape`` of the payload. Ports: streams ``i`` and ``o``; ``i.ready`` is the output of a flip-flop.
    Throughput: one payload per clock. Latency: LATENCY clocks.
    """

    LATENCY = 1

    def __init__(self, shape):
        self._shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        spare, spare_used = Signal(self._shape), Signal()
        m.d.comb += self.i.ready.eq(~spare_used)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid | spare_used), spare_used.eq(0)]
            with m.If(spare_used):
                m.d.sync += self.o.payload.eq(spare)
            with m.Else():
                m.d.sync += self.o.payload.eq(self.i.payload)
        with m.Elif(self.i.valid & ~spare_used):
            m.d.sync += [spare.eq(self.i.payload), spare_used.eq(1)]
        return m
