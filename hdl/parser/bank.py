"""Parser bank: as many word parsers as the data width needs."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.packet import packet_signature
from halfsilver.hdl.parser.feeders import WORD_BITS, Assembler, Serializer
from halfsilver.hdl.parser.headers import Headers
from halfsilver.hdl.parser.view import WORD_BYTES
from halfsilver.hdl.parser.word_parser import WordParser

__all__ = ["ParserBank"]

_HEADER_BYTES = 76
"""A header of this length, at the start of a frame of any length, is read while its beats wait in the buffer."""

_DONE_CLOCKS = 5
"""At most, from a word in the buffer to ``done``, behind the last word of the headers."""

_BUFFER_STEP = 16
"""Beats that a distributed RAM holds; fewer cost as much."""


def _buffer_beats(width):
    """Beats of a lane's buffer: as many as come, one a clock, while a header is read, less those that are gone."""
    clocks = _HEADER_BYTES // WORD_BYTES + _DONE_CLOCKS
    waiting = clocks - clocks * WORD_BITS // width
    return max(1, -(-waiting // _BUFFER_STEP)) * _BUFFER_STEP


class ParserBank(wiring.Component):
    """As many word parsers as the width needs, dealt frames in turn, answers in frame order.

    Parameters: ``parameters`` (NicParameters), ``egress`` as in WordParser.

    Ports
    -----
    i  packet stream; frames of any length from 1 byte
    o  stream of Headers, one per frame, in order

    Throughput: one beat per clock, at 8 to 32 bits whatever the headers are. At 64 bits and more words are read slower
    than beats come, and ``i.ready`` may fall; not while frames have 60 bytes or more, and the headers of each, to
    the ports, end within its first 60 bytes, as IPv6 and TCP without a tag do (58); and where frames come as from a
    wire, 20 bytes apart, not while they end within 76 (two tags, IPv6, an extension header of 8 bytes, ports: 74).
    Longer chains of IPv6 extension headers are read at four bytes a clock and may hold ``i.ready`` low meanwhile.
    Latency: Headers at most (words of the header) + 6 clocks after the frame's last beat.
    """

    def __init__(self, parameters, *, egress):
        self._parameters = parameters
        self._egress = egress
        self.lanes = max(1, parameters.width // WORD_BITS)
        super().__init__({"i": In(packet_signature(parameters.width)), "o": Out(stream.Signature(Headers))})

    def elaborate(self, platform):
        m = Module()
        width = self._parameters.width
        feeders, parsers = [], []
        for lane in range(self.lanes):
            parser = WordParser(egress=self._egress, extension_headers=self._parameters.extension_headers)
            feeder = Assembler(width) if width < WORD_BITS else Serializer(width, _buffer_beats(width))
            m.submodules[f"parser_{lane}"] = parser
            m.submodules[f"feeder_{lane}"] = feeder
            wiring.connect(m, feeder.o, parser.i)
            if width >= WORD_BITS:
                m.d.comb += feeder.skip.eq(parser.done)
            feeders.append(feeder)
            parsers.append(parser)

        dealt = Signal(range(self.lanes))  # the lane that takes the current frame
        due = Signal(range(self.lanes))  # the lane whose answer comes next
        m.d.comb += self.i.ready.eq(Array(feeder.i.ready for feeder in feeders)[dealt])
        m.d.comb += self.o.valid.eq(Array(parser.o.valid for parser in parsers)[due])
        m.d.comb += self.o.payload.eq(Array(parser.o.payload.as_value() for parser in parsers)[due])
        for lane, (feeder, parser) in enumerate(zip(feeders, parsers, strict=True)):
            m.d.comb += [
                feeder.i.payload.eq(self.i.payload),
                feeder.i.valid.eq(self.i.valid & (dealt == lane)),
                parser.o.ready.eq(self.o.ready & (due == lane)),
            ]
        if self.lanes > 1:
            with m.If(self.i.valid & self.i.ready & self.i.p.last):
                m.d.sync += dealt.eq(dealt + 1)
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += due.eq(due + 1)
        return m
