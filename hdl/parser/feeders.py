"""Feeders: packet stream of any width -> the words that a word parser takes."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, fifo, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.packet import packet_signature
from halfsilver.hdl.parser.view import WORD_BITS, WORD_BYTES, word_signature

__all__ = ["Assembler", "Serializer"]


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


class Serializer(wiring.Component):
    """Buffered beats of more than a word -> words; drops whole beats while ``skip`` is set.

    The buffer, ``depth`` beats, lets a frame arrive while its words, or those of the one before, are still being read.
    ``room`` says that words are taken.
    """

    def __init__(self, width, depth):
        self._width, self._depth = width, depth
        super().__init__({"i": In(packet_signature(width)), "o": Out(word_signature()), "skip": In(1), "room": In(1)})

    def elaborate(self, platform):
        m = Module()
        layout = self.i.p.shape()
        buffer = fifo.SyncFIFOBuffered(width=layout.size, depth=self._depth)
        m.submodules.buffer = buffer
        m.d.comb += [buffer.w_data.eq(self.i.payload), buffer.w_en.eq(self.i.valid), self.i.ready.eq(buffer.w_rdy)]
        beat = data.View(layout, buffer.r_data)
        words = self._width // WORD_BITS
        index = Signal(range(words))
        count = beat.count
        final_word = Signal(range(words))
        m.d.comb += final_word.eq((count - 1) // WORD_BYTES)
        at_end = (index == final_word) | self.skip
        left = Signal(range(WORD_BYTES + 1))
        m.d.comb += left.eq(Mux(index == final_word, (count - 1) % WORD_BYTES + 1, WORD_BYTES))
        m.d.comb += [
            self.o.valid.eq(buffer.r_rdy & self.room),
            self.o.p.data.eq(Array(beat.data.word_select(place, WORD_BITS) for place in range(words))[index]),
            self.o.p.count.eq(left),
            self.o.p.last.eq(beat.last & at_end),
            buffer.r_en.eq(self.room & at_end),
        ]
        with m.If(self.o.valid):
            m.d.sync += index.eq(Mux(at_end, 0, index + 1))
        return m
