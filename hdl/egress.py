"""Egress: what leaves by the network port. Production first; copies take the gaps that it leaves.

    i       --> FIFO --------\\
                               > o
    i_copy  --> skid buffer --/

While a copy is on its way, production waits in the FIFO, which has room for as much as can come meanwhile. What a copy
has held up drains in the gaps that follow, and only then may the next one start.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.frames import WIRE_OVERHEAD, check_width
from halfsilver.hdl.packet import beat_layout, packet_signature
from halfsilver.hdl.stream.fifo import Fifo
from halfsilver.hdl.stream.skid_buffer import SkidBuffer

__all__ = ["Egress"]


class Egress(wiring.Component):
    """Two packet streams into one: frames are never interleaved, those of ``i`` never reordered or dropped.

    Parameters
    ----------
    width
        Data width in bits.
    longest_copy
        Bytes of the longest frame on ``i_copy``.

    Ports
    -----
    i       production
    i_copy  copies
    o       both
    o_copy  the frame on ``o`` is a copy; valid and stable as ``o.payload`` is

    A copy starts in a clock in which production has nothing to send: no frame is begun, and none is at the FIFO's
    output. So it delays production by at most itself. What the copies do never makes ``i.ready`` fall; a receiver does
    that needs longer than WIRE_OVERHEAD behind a frame, or production without such gaps. ``i_copy`` gets whatever ``i``
    leaves free.
    Throughput: one beat per clock, also from one frame to the next. A copy that comes without gaps leaves without any
    but those of ``o.ready``.
    Latency: LATENCY clocks from ``i`` to ``o`` where no copy is in between, SkidBuffer.LATENCY from ``i_copy``.
    Bad input: frames of any length from one byte, marks as they come. A copy longer than ``longest_copy`` is sent
    whole, and may hold ``i``.
    Source: ``docs/mirroring.md`` section 10.
    """

    LATENCY = Fifo.LATENCY

    def __init__(self, width, longest_copy):
        self._width = check_width(width)
        if longest_copy < 1:
            raise ValueError(f"longest_copy must be at least 1 byte, not {longest_copy!r}")
        # Beats that come while the MAC is busy with the frame before, the longest copy leaves, and the MAC is busy
        # with that; and those that were on their way to the FIFO's output when it was offered.
        self._depth = -(-(longest_copy + 2 * WIRE_OVERHEAD) * 8 // width) + Fifo.LATENCY
        packets = packet_signature(width)
        super().__init__({"i": In(packets), "i_copy": In(packets), "o": Out(packets), "o_copy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.production = production = Fifo(beat_layout(self._width), self._depth)
        m.submodules.copies = copies = SkidBuffer(beat_layout(self._width))
        wiring.connect(m, wiring.flipped(self.i), production.i)
        wiring.connect(m, wiring.flipped(self.i_copy), copies.i)

        # A frame is begun when its first beat is offered: from then on the choice stays, whether it is taken or not.
        begun, begun_copy = Signal(), Signal()
        m.d.comb += self.o_copy.eq(Mux(begun, begun_copy, ~production.o.valid))
        with m.If(self.o.valid):
            m.d.sync += [begun.eq(~(self.o.ready & self.o.p.last)), begun_copy.eq(self.o_copy)]

        m.d.comb += [
            self.o.valid.eq(Mux(self.o_copy, copies.o.valid, production.o.valid)),
            self.o.payload.eq(Mux(self.o_copy, copies.o.payload.as_value(), production.o.payload.as_value())),
            copies.o.ready.eq(self.o_copy & self.o.ready),
            production.o.ready.eq(~self.o_copy & self.o.ready),
        ]
        return m
