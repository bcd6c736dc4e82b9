"""FIFO with a register behind its memory.

A block RAM's output comes late in the clock (5.8 ns on ECP5 speed 6), so nothing may be computed from it: what
this FIFO shows comes from flip-flops. A large one is many RAMs far from one another, so little may be computed on the
way to their enables: whether there is room, and whether there is anything, are flip-flops too.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
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
        places = self._depth - 1  # the memory's own output holds one entry
        m.submodules.entries = entries = Memory(shape=self._shape, depth=places, init=[])
        write, read = entries.write_port(), entries.read_port()

        count, room, some = Signal(range(places + 1)), Signal(init=1), Signal()  # of the places
        shown = Signal()  # the memory's output is an entry
        load = ~self.o.valid | self.o.ready
        writes, reads = self.i.valid & room, some & (~shown | load)
        m.d.sync += [
            room.eq(reads | ~((count == places) | ((count == places - 1) & writes))),
            some.eq(writes | ~((count == 0) | ((count == 1) & reads))),
        ]
        with m.If(writes != reads):
            m.d.sync += count.eq(count + Mux(writes, 1, (1 << len(count)) - 1))  # or one less
        m.d.comb += [
            self.i.ready.eq(room),
            write.en.eq(room),  # what is written to a free place before an entry is, nobody reads
            write.data.eq(self.i.payload),
            read.en.eq(reads),
        ]
        for port, moves in ((write, writes), (read, reads)):
            with m.If(moves):
                m.d.sync += port.addr.eq(Mux(port.addr == places - 1, 0, port.addr + 1))
        with m.If(reads):
            m.d.sync += shown.eq(1)
        with m.Elif(load):
            m.d.sync += shown.eq(0)
        with m.If(load):
            m.d.sync += [self.o.valid.eq(shown), self.o.payload.eq(read.data)]
        return m
