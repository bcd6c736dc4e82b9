"""Transmit side, in the wire's clock: from words of frames to GMII octets, with preamble, padding, FCS and gaps."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc import Processor
from amaranth.lib.crc.catalog import CRC32_ETHERNET
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.frames import check_width
from halfsilver.hdl.mac.limits import FCS, GAP, GAP_CREDIT, PREAMBLE, SHORTEST, SHORTEST_GAP
from halfsilver.hdl.mac.words import GmiiSignature, Sent, sent_word

__all__ = ["GmiiTransmitter"]

_PREAMBLE, _SFD = 0x55, 0xD5

_STEP = data.StructLayout({"data": 8, "valid": 1, "error": 1, "covered": 1, "fcs": 1, "place": 2, "spoilt": 1})
"""An octet: ``data``, or, with ``fcs``, the octet ``place`` of the FCS, inverted if ``spoilt``; ``covered`` by it."""


class GmiiTransmitter(wiring.Component):
    """Words of ``width`` bits -> GMII.

    Ports
    -----
    i          words of frames (`sent_word`)
    may_start  the next frame may start: its words will not come too late
    link       without it the next frame is dropped
    take       high in the clock in which the octet at ``gmii`` is replaced: always at 1 Gb/s
    gmii       octets; ``en`` is the ``take`` of the clock before
    idle       nothing is at ``gmii``, and nothing will be for one octet more
    ended      what became of a frame, ``outcome``: one clock for each

    Frames shorter than 60 octets are padded with zeros. The gap is 12 octets; each 4,096 octet times it may be
    one shorter once, as far as 8, if a frame waits: so a sender that is 200 ppm faster loses nothing. A frame that is
    marked bad gets an inverted FCS. If a word does not come in time, the frame ends there with an inverted FCS and
    TX_ER over it, and the rest of it is dropped.

    Latency: from ``may_start`` to the first preamble octet 2 clocks, to the frame's first octet 10. Throughput: an
    octet per ``take``. Bad input: marked frames, and words that come too late (see `Sent`).
    Source: IEEE 802.3 clauses 3, 4.2 and 35.2.3.
    """

    def __init__(self, width):
        self._octets = check_width(width) // 8
        super().__init__(
            {
                "i": In(stream.Signature(sent_word(width))),
                "may_start": In(1),
                "link": In(1),
                "take": In(1),
                "gmii": Out(GmiiSignature()),
                "idle": Out(1),
                "ended": Out(1),
                "outcome": Out(Sent),
            }
        )

    def elaborate(self, platform):
        m = Module()
        step = Signal(_STEP)
        start, begin, consume, drop = Signal(), Signal(), Signal(), Signal()
        octet, left, final, marked, taken = self._unpack(m, start, consume, drop)
        gap_done = self._gap(m, begin, step.valid)
        self._send(m, step)

        place = Signal(range(PREAMBLE + 1))
        length = Signal(range(SHORTEST + 1))
        spoilt, cut, late = Signal(), Signal(), Signal()
        m.d.comb += late.eq(left == 0)
        m.d.sync += [self.ended.eq(0), self.outcome.eq(Mux(cut, Sent.UNDERRUN, Mux(spoilt, Sent.MARKED, Sent.GOOD)))]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(~self.gmii.valid)
                m.d.sync += [place.eq(1), length.eq(0), cut.eq(0)]
                with m.If(self.take & self.may_start & self.i.valid):
                    with m.If(~self.link):
                        m.d.comb += start.eq(1)
                        m.next = "DISCARD"
                    with m.Elif(gap_done):
                        m.d.comb += [start.eq(1), begin.eq(1), step.valid.eq(1), step.data.eq(_PREAMBLE)]
                        m.next = "PREAMBLE"
            with m.State("PREAMBLE"):
                m.d.comb += [step.valid.eq(1), step.data.eq(Mux(place == PREAMBLE, _SFD, _PREAMBLE))]
                with m.If(self.take):
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == PREAMBLE):
                        m.next = "DATA"
            with m.State("DATA"):
                m.d.comb += [step.valid.eq(1), step.covered.eq(1), step.data.eq(octet)]
                with m.If(late):
                    m.d.comb += [step.covered.eq(0), step.fcs.eq(1), step.spoilt.eq(1), step.error.eq(1)]
                with m.If(self.take):
                    m.d.sync += [place.eq(late), cut.eq(late), spoilt.eq(late | marked)]
                    m.d.comb += consume.eq(~late)
                    with m.If(length != SHORTEST):
                        m.d.sync += length.eq(length + 1)
                    with m.If(late):
                        m.next = "FCS"
                    with m.Elif(final & (left == 1)):
                        with m.If(length < SHORTEST - 1):
                            m.next = "PAD"
                        with m.Else():
                            m.next = "FCS"
            with m.State("PAD"):
                m.d.comb += [step.valid.eq(1), step.covered.eq(1)]
                with m.If(self.take):
                    m.d.sync += length.eq(length + 1)
                    with m.If(length == SHORTEST - 1):
                        m.next = "FCS"
            with m.State("FCS"):
                m.d.comb += [step.valid.eq(1), step.fcs.eq(1), step.spoilt.eq(spoilt), step.error.eq(cut)]
                m.d.comb += step.place.eq(place)
                with m.If(self.take):
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == FCS - 1):
                        m.d.sync += [self.ended.eq(1), place.eq(0)]
                        with m.If(cut):
                            m.next = "DRAIN"
                        with m.Else():
                            m.next = "IDLE"
            with m.State("DISCARD"):
                m.d.comb += drop.eq(1)
                m.d.sync += [self.ended.eq(1), self.outcome.eq(Sent.DISCARDED), place.eq(0)]
                m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += drop.eq(1)
                with m.If(taken):
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                # may_start still speaks of the frame that was dropped.
                m.d.sync += place.eq(place + 1)
                with m.If(place == PREAMBLE):
                    m.next = "IDLE"
        return m

    def _send(self, m, step):
        """What was decided, one octet later at ``gmii``; only then the FCS is complete."""
        now = Signal(_STEP)
        m.submodules.crc = crc = Processor(CRC32_ETHERNET(8))
        m.d.comb += [crc.start.eq(~now.valid), crc.valid.eq(self.take & now.covered), crc.data.eq(now.data)]
        fcs = crc.crc.word_select(now.place, 8) ^ now.spoilt.replicate(8)
        m.d.sync += self.gmii.en.eq(self.take)
        with m.If(self.take):
            m.d.sync += [
                now.eq(step),
                self.gmii.data.eq(Mux(now.fcs, fcs, now.data)),
                self.gmii.valid.eq(now.valid),
                self.gmii.error.eq(now.error),
            ]

    def _unpack(self, m, start, consume, drop):
        """The next octet, how many of its word are left (0: it did not come), whether that word is the frame's last,
        the frame's bad mark, which comes with it, and whether the frame's last word was taken.

        Words are fetched ahead into ``following``, so that the ready of ``i`` comes from flip-flops. Words of
        one octet must be taken in each clock, and are for slower cores or faster devices.
        """
        shape = sent_word(8 * self._octets)
        word, following = Signal(8 * self._octets), Signal(shape)
        left = Signal(range(self._octets + 1))
        fetching, fetched, load = Signal(), Signal(), Signal()
        final, marked = Signal(), Signal()
        m.d.comb += [
            load.eq(fetched & ((left == 0) | consume & (left == 1))),
            self.i.ready.eq(fetching & (~fetched | load if self._octets == 1 else ~fetched)),
        ]
        with m.If(consume):
            m.d.sync += [word.eq(word[8:]), left.eq(left - 1)]
        with m.If(load):
            m.d.sync += [
                fetched.eq(0),
                word.eq(following.data),
                left.eq(Mux(following.last, following.tail + 1, self._octets)),
                final.eq(following.last),
                marked.eq(following.last & following.bad),
            ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [following.eq(self.i.payload), fetched.eq(~drop), fetching.eq(~self.i.payload.last)]
        with m.If(start):
            m.d.sync += [left.eq(0), final.eq(0), marked.eq(0), fetching.eq(1)]
        return word[:8], left, final, marked, ~fetching

    def _gap(self, m, start, valid):
        """Whether the gap may end: usually after `GAP` octets, earlier if that was saved up."""
        gap, wanted = Signal(range(GAP + 1), init=GAP), Signal(range(GAP + 1), init=SHORTEST_GAP)
        clock = Signal(range(GAP_CREDIT))
        with m.If(self.take):
            m.d.sync += clock.eq(clock + 1)
            with m.If(valid):
                m.d.sync += gap.eq(0)
            with m.Elif(gap != GAP):
                m.d.sync += gap.eq(gap + 1)
            with m.If(start):
                m.d.sync += wanted.eq(wanted + (GAP - gap))
            with m.Elif((clock == 0) & (wanted != SHORTEST_GAP)):
                m.d.sync += wanted.eq(wanted - 1)
        return gap >= wanted
