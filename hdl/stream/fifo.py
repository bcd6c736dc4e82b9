"""FIFO with a register behind its memory.

A block RAM's output comes late in the clock (5.8 ns on ECP5 speed 6), so nothing may be computed from it: what
this FIFO shows comes from flip-flops.
"""

from amaranth.hdl import Module, Shape
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Fifo"]


class Fifo(wiring.Component):
    """First in, first out, of any shape.

    Parameters: ``shape`` of the entries, ``depth`` (at least 2). One more entry fits into the output register.

    Ports: streams ``i`` and ``o``. Throughput one entry per clock from depth 3 on, one in two clocks at depth 2.
    Latency LATENCY clocks.
    """

    LATENCY = 3

    def __init__(self, shape, depth):
        if depth < 2:
            raise ValueError(f"depth must be at least 2, not {depth!r}")
        self._shape, self._depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.store = store = fifo.SyncFIFOBuffered(width=Shape.cast(self._shape).width, depth=self._depth)
        load = ~self.o.valid | self.o.ready
        m.d.comb += [
            store.w_data.eq(self.i.payload),
            store.w_en.eq(self.i.valid),
            self.i.ready.eq(store.w_rdy),
            store.r_en.eq(load),
        ]
        with m.If(load):
            m.d.sync += [self.o.valid.eq(store.r_rdy), self.o.payload.eq(store.r_data)]
        return m
