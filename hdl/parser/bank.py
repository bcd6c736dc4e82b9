"""Parser bank: as many word parsers as the data width needs."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.packet import packet_signature
from halfsilver.hdl.parser.feeders import Assembler, Serializer
from halfsilver.hdl.parser.headers import Headers
from halfsilver.hdl.parser.view import WORD_BITS
from halfsilver.hdl.parser.word_parser import WordParser

__all__ = ["ParserBank"]

_STORE = 16
"""Headers that a lane keeps until they are taken: as many as a distributed RAM holds."""

_UNSEEN_CLOCKS = WordParser.LATENCY + 3
"""From a beat to a ``room`` that knows of its headers; where every beat is a frame, so many may be on their way."""

_BUFFER_BEATS = 16
"""Beats that a lane's distributed RAM holds; fewer cost as much."""

_SPARE_LANES = 2
"""Beside those that the width needs: for the words that a lane hands over before it knows that it need not."""


class ParserBank(wiring.Component):
    """As many word parsers as the width needs, dealt frames in turn, answers in frame order.

    Parameters: ``parameters`` (NicParameters), ``egress`` as in WordParser.

    Ports
    -----
    i  packet stream; frames of any length from 1 byte
    o  stream of Headers, one per frame, in order

    Throughput: one beat per clock, up to 64 bits whatever the headers are: ``i.ready`` falls only while nobody takes
    Headers. At 128 bits and more a lane reads words slower than beats come, and it may also fall otherwise; not while
    frames have 60 bytes or more, and the headers of each, to the ports, end within its first 60 bytes, as IPv6 and TCP
    without a tag do (58); and where frames come as from a wire, 20 bytes apart, not while they end within 76 (two tags,
    IPv6, an extension header of 8 bytes, ports: 74).
    Latency: Headers at most (words of the header) + 6 clocks after the frame's last beat.
    """

    def __init__(self, parameters, *, egress):
        self._parameters = parameters
        self._egress = egress
        self.lanes = 1 if parameters.width <= WORD_BITS else parameters.width // WORD_BITS + _SPARE_LANES
        super().__init__({"i": In(packet_signature(parameters.width)), "o": Out(stream.Signature(Headers))})

    def elaborate(self, platform):
        m = Module()
        width = self._parameters.width
        feeders, stores = [], []
        for lane in range(self.lanes):
            parser = WordParser(egress=self._egress, extension_headers=self._parameters.extension_headers)
            feeder = Assembler(width) if width <= WORD_BITS else Serializer(width, _BUFFER_BEATS)
            store = fifo.SyncFIFOBuffered(width=Headers.as_shape().size, depth=_STORE)
            m.submodules[f"parser_{lane}"] = parser
            m.submodules[f"feeder_{lane}"] = feeder
            m.submodules[f"store_{lane}"] = store
            wiring.connect(m, feeder.o, parser.i)
            if width > WORD_BITS:
                m.d.comb += feeder.skip.eq(parser.done)
            room = Signal(init=1, name=f"room_{lane}")
            m.d.sync += room.eq(store.level < _STORE - _UNSEEN_CLOCKS)
            m.d.comb += [store.w_en.eq(parser.o.valid), store.w_data.eq(parser.o.payload), feeder.room.eq(room)]
            feeders.append(feeder)
            stores.append(store)

        dealt = Signal(range(self.lanes))  # the lane that takes the current frame
        due = Signal(range(self.lanes))  # the lane whose answer comes next
        m.d.comb += self.i.ready.eq(Array(feeder.i.ready for feeder in feeders)[dealt])
        m.d.comb += self.o.valid.eq(Array(store.r_rdy for store in stores)[due])
        m.d.comb += self.o.payload.eq(Array(store.r_data for store in stores)[due])
        for lane, (feeder, store) in enumerate(zip(feeders, stores, strict=True)):
            m.d.comb += [
                feeder.i.payload.eq(self.i.payload),
                feeder.i.valid.eq(self.i.valid & (dealt == lane)),
                store.r_en.eq(self.o.ready & (due == lane)),
            ]
        if self.lanes > 1:
            with m.If(self.i.valid & self.i.ready & self.i.p.last):
                m.d.sync += dealt.eq(Mux(dealt == self.lanes - 1, 0, dealt + 1))
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += due.eq(Mux(due == self.lanes - 1, 0, due + 1))
        return m
