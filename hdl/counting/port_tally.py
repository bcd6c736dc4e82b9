"""Frames at a port, counted until the totals have seen them."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.counting.lane import OCTET_BITS, increment_layout

__all__ = ["PortTally"]


class PortTally(wiring.Component):
    """Frames and bytes since reset, the lowest bits of them; by ``cut``, the numbers of that moment are kept apart.

    Ports
    -----
    valid, octets   a frame
    cut             keep what the frames before this clock come to; not while ``kept``
    kept            ``o`` is what was kept
    release         it was seen: ``o`` is of this moment again
    o               frames and bytes, modulo what their bits hold

    Throughput: a frame per clock. Bad input: between two looks at ``o``, more than ``2**frame_bits - 1`` frames would
    seem to be fewer.
    """

    def __init__(self, frame_bits):
        self._sum = increment_layout(frame_bits)
        super().__init__(
            {
                "valid": In(1),
                "octets": In(OCTET_BITS),
                "cut": In(1),
                "kept": Out(1),
                "release": In(1),
                "o": Out(self._sum),
            }
        )

    def elaborate(self, platform):
        m = Module()
        running, apart = Signal(self._sum), Signal(self._sum)
        m.d.comb += self.o.eq(Mux(self.kept, apart.as_value(), running.as_value()))
        with m.If(self.valid):
            m.d.sync += [running.frames.eq(running.frames + 1), running.octets.eq(running.octets + self.octets)]
        with m.If(self.cut):
            m.d.sync += [apart.eq(running), self.kept.eq(1)]
        with m.Elif(self.release):
            m.d.sync += self.kept.eq(0)
        return m
