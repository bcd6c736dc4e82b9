"""Assembler: packet stream of a word or less -> the words that a word parser takes."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.packet import packet_signature
from halfsilver.hdl.parser.view import WORD_BITS, word_signature

__all__ = ["Assembler"]


class Assembler(wiring.Component):
    """Beats of a word or less -> words. One beat per clock; latency one clock behind the word's last byte.

    ``room`` says that words are taken.
    """

    def __init__(self, width):
        self._width = width
        super().__init__({"i": In(packet_signature(width)), "o": Out(word_signature()), "room": In(1)})

    def elaborate(self, platform):
        m = Module()
        beats = WORD_BITS // self._width
        position = Signal(range(beats))
        gathered = Signal(WORD_BITS)
        complete = self.i.p.last | (position == beats - 1)
        m.d.comb += self.i.ready.eq(self.room)
        m.d.sync += self.o.valid.eq(self.i.valid & self.room & complete)
        with m.If(self.i.valid & self.room):
            merged = Signal(WORD_BITS)
            m.d.comb += merged.eq(gathered)
            m.d.comb += merged.word_select(position, self._width).eq(self.i.p.data)
            m.d.sync += [
                gathered.eq(merged),
                position.eq(Mux(complete, 0, position + 1)),
                self.o.p.data.eq(merged),
                self.o.p.count.eq(position * (self._width // 8) + self.i.p.count),
                self.o.p.last.eq(self.i.p.last),
            ]
        return m
