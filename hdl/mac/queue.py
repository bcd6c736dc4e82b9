"""Transmit queue: packets from the core's clock into the wire's, held until they may start."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.fifo import AsyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.frames import check_width
from halfsilver.hdl.mac.words import sent_word
from halfsilver.hdl.packet import packet_signature

__all__ = ["TransmitQueue"]


class TransmitQueue(wiring.Component):
    """Packets of domain ``sync`` -> words of domain ``tx``.

    Parameters: ``width``; ``start``, words that must be there before a frame may start; ``depth`` in words, a power of
    two of at least ``start``; one more fits into the output register.

    Ports: ``i`` packets (``drop`` is not looked at); in domain ``tx``: ``o`` words, and ``may_start``: of the frame
    that is next, ``start`` words or all that it has are there.

    Latency: 2 to 3 clocks of ``tx`` after the clock of the write. Throughput: a word per clock of the slower side.
    Bad input: none. Clock crossings: AsyncFIFOBuffered for the words; a Gray-coded count of the frames that were
    written, through FFSynchronizer.
    """

    def __init__(self, width, depth, start):
        check_width(width)
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least 2, not {depth!r}")
        if not 1 <= start <= depth:
            raise ValueError(f"start must be 1 to {depth} words, not {start!r}")
        self._width, self._depth, self._start = width, depth, start
        super().__init__(
            {"i": In(packet_signature(width)), "o": Out(stream.Signature(sent_word(width))), "may_start": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        word = sent_word(self._width)
        m.submodules.crossing = crossing = AsyncFIFOBuffered(
            width=word.size, depth=self._depth + 1, r_domain="tx", w_domain="sync", exact_depth=True
        )
        beat, written = self.i.payload, Signal(word)
        m.d.comb += [
            written.data.eq(beat.data),
            written.tail.eq(beat.count - 1),
            written.last.eq(beat.last),
            written.bad.eq(beat.bad),
            crossing.w_data.eq(written),
            crossing.w_en.eq(self.i.valid),
            self.i.ready.eq(crossing.w_rdy),
            self.o.payload.eq(crossing.r_data),
            self.o.valid.eq(crossing.r_rdy),
            crossing.r_en.eq(self.o.ready),
        ]

        # As many frames as words may be in between, one of them in the output register.
        bits = (self._depth + 1).bit_length()
        ends, ends_gray, arrived_gray = Signal(bits), Signal(bits), Signal(bits)
        arrived, taken = Signal(bits), Signal(bits)
        with m.If(self.i.valid & self.i.ready & beat.last):
            m.d.sync += [ends.eq(ends + 1), ends_gray.eq((ends + 1) ^ (ends + 1)[:bits][1:])]
        m.submodules.ends = FFSynchronizer(ends_gray, arrived_gray, o_domain="tx", reset_less=False)
        m.d.tx += arrived.eq(Cat(arrived_gray[bit:].xor() for bit in range(bits)))
        with m.If(self.o.valid & self.o.ready & self.o.payload.last):
            m.d.tx += taken.eq(taken + 1)
        m.d.tx += self.may_start.eq(crossing.r_rdy & ((crossing.r_level >= self._start) | (arrived != taken)))
        return m
