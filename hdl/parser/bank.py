"""Parser bank: one word parser where it reads as fast as beats come, else several that take turns (`turns`)."""

from amaranth.hdl import Module, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.packet import packet_signature
from halfsilver.hdl.parser.assembler import Assembler
from halfsilver.hdl.parser.headers import Headers
from halfsilver.hdl.parser.turns import TurnParser, frames_behind
from halfsilver.hdl.parser.view import WORD_BITS
from halfsilver.hdl.parser.word_parser import WordParser

__all__ = ["ParserBank", "frames_behind"]

_STORE = 16
"""Headers that are kept until they are taken: as many as a distributed RAM holds."""

_UNSEEN_CLOCKS = WordParser.LATENCY + 3
"""From a beat to a ``room`` that knows of its headers; where every beat is a frame, so many may be on their way."""


class ParserBank(wiring.Component):
    """Headers of every frame, in frame order.

    Parameters: ``parameters`` (NicParameters), ``egress`` as in WordParser.

    Ports
    -----
    i  packet stream; frames of any length from 1 byte
    o  stream of Headers, one per frame, in order

    Throughput: one beat per clock at every width, whatever the headers are: ``i.ready`` falls only while nobody takes
    Headers.
    Latency: up to 64 bits at most (words of the header) + 6 clocks after the frame's last beat; else see `TurnParser`.
    """

    def __init__(self, parameters, *, egress):
        self._parameters = parameters
        self._egress = egress
        super().__init__({"i": In(packet_signature(parameters.width)), "o": Out(stream.Signature(Headers))})

    def elaborate(self, platform):
        m = Module()
        parameters = self._parameters
        if parameters.width > WORD_BITS:
            m.submodules.parser = parser = TurnParser(
                parameters.width, egress=self._egress, extension_headers=parameters.extension_headers
            )
            wiring.connect(m, wiring.flipped(self.i), parser.i)
            wiring.connect(m, parser.o, wiring.flipped(self.o))
            return m
        parser = WordParser(egress=self._egress, extension_headers=parameters.extension_headers)
        feeder = Assembler(parameters.width)
        store = fifo.SyncFIFOBuffered(width=Headers.as_shape().size, depth=_STORE)
        m.submodules.parser_0 = parser
        m.submodules.feeder_0 = feeder
        m.submodules.store_0 = store
        wiring.connect(m, feeder.o, parser.i)
        room = Signal(init=1, name="room_0")
        m.d.sync += room.eq(store.level < _STORE - _UNSEEN_CLOCKS)
        m.d.comb += [
            store.w_en.eq(parser.o.valid),
            store.w_data.eq(parser.o.payload),
            feeder.room.eq(room),
            self.i.ready.eq(feeder.i.ready),
            self.o.valid.eq(store.r_rdy),
            self.o.payload.eq(store.r_data),
            feeder.i.payload.eq(self.i.payload),
            feeder.i.valid.eq(self.i.valid),
            store.r_en.eq(self.o.ready),
        ]
        return m
