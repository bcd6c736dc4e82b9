"""Packet stream <-> AXI4-Stream signals (AMBA AXI-Stream protocol specification, IHI 0051).

Only names and codes change, without latency: ``tkeep`` and ``count`` say the same in two ways.
"""

from amaranth.hdl import Cat, Const, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.packet import packet_signature

__all__ = ["AxiStreamSignature", "FromAxiStream", "ToAxiStream"]


class AxiStreamSignature(wiring.Signature):
    """AXI4-Stream of packets, seen from the transmitter. ``tuser`` bit 0, with ``tlast``: 1 is a bad frame.

    ``marked``: ``tuser`` has a bit 1, the same in all beats of a frame.
    """

    def __init__(self, width, *, marked=False):
        super().__init__(
            {
                "tdata": Out(width),
                "tkeep": Out(width // 8),
                "tvalid": Out(1),
                "tready": In(1),
                "tlast": Out(1),
                "tuser": Out(2 if marked else 1),
            }
        )


class FromAxiStream(wiring.Component):
    """AXI4-Stream -> packet stream.

    Ports: ``axi``, ``drop`` (sideband, counts with ``tlast``), ``o``. ``tkeep`` counts with ``tlast``
    only, and should be contiguous from bit 0: bytes behind the first gap are lost. Byte 0 is always there.
    Latency: none. Throughput: one beat per clock. Source: IHI 0051.
    """

    def __init__(self, width):
        self.width = width
        super().__init__({"axi": In(AxiStreamSignature(width)), "drop": In(1), "o": Out(packet_signature(width))})

    def elaborate(self, platform):
        m = Module()
        axi, beat = self.axi, self.o.payload
        octets = self.width // 8
        # Of no bits there is no operator in Verilog: the first byte is always there.
        present = [Const(1), *(axi.tkeep[1 : place + 1].all() for place in range(1, octets))]
        ends = [present[place] & ~following for place, following in enumerate([*present[1:], 0])]
        count = [
            Cat(ends[place] for place in range(octets) if (place + 1) >> bit & 1).any()
            for bit in range(octets.bit_length())
        ]
        m.d.comb += [
            beat.data.eq(axi.tdata),
            beat.count.eq(Mux(axi.tlast, Cat(count), octets)),
            beat.last.eq(axi.tlast),
            beat.bad.eq(axi.tlast & axi.tuser),
            beat.drop.eq(axi.tlast & self.drop),
            self.o.valid.eq(axi.tvalid),
            axi.tready.eq(self.o.ready),
        ]
        return m


class ToAxiStream(wiring.Component):
    """Packet stream -> AXI4-Stream.

    Parameters: ``width``; ``marked``: there is a port ``mark``, which becomes ``tuser`` bit 1.

    Ports: ``i``, ``mark``, ``axi``, ``drop`` (sideband, counts with ``tlast``). ``tuser`` bit 0, with ``tlast``, is the
    frame's bad mark; ``tkeep`` has a bit for each byte of ``count``. Latency: none. Throughput: one beat per clock.
    Source: IHI 0051.
    """

    def __init__(self, width, *, marked=False):
        self.width = width
        self._marked = marked
        super().__init__(
            {
                "i": In(packet_signature(width)),
                **({"mark": In(1)} if marked else {}),
                "axi": Out(AxiStreamSignature(width, marked=marked)),
                "drop": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        axi, beat = self.axi, self.i.payload
        bad = beat.last & beat.bad
        m.d.comb += [
            axi.tdata.eq(beat.data),
            axi.tkeep.eq(Cat(beat.count > place for place in range(self.width // 8))),
            axi.tlast.eq(beat.last),
            axi.tuser.eq(Cat(bad, self.mark) if self._marked else bad),
            axi.tvalid.eq(self.i.valid),
            self.i.ready.eq(axi.tready),
            self.drop.eq(beat.last & beat.drop),
        ]
        return m
