"""Receive side, in the clock of the PHY: from GMII octets to words of frames without preamble and FCS."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc import Processor
from amaranth.lib.crc.catalog import CRC32_ETHERNET
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.frames import check_width
from halfsilver.hdl.mac.limits import FCS, PREAMBLE, SHORTEST
from halfsilver.hdl.mac.words import GmiiSignature, Received, received_word

__all__ = ["GmiiReceiver"]

_PREAMBLE, _SFD = 0x55, 0xD5


class GmiiReceiver(wiring.Component):
    """GMII -> words of ``width`` bits.

    Ports: ``gmii`` (octets at ``en``), ``o`` (stream of `received_word`). Frames end with the word that has ``last``;
    what ``outcome`` says of them is in `Received`. A start is an SFD behind any number of preamble octets.

    Latency: a word leaves 2 clocks after the fifth octet behind it (four of them may be the FCS); the last word of a
    frame 4 clocks after its last octet. Throughput: an octet per clock. Bad input: see `Received`. A frame of which
    ``o`` refuses a word is ended as OVERFLOW, and others are lost until that end is taken; an ``o`` that takes a
    word every ``width // 8`` clocks never refuses one.
    Source: IEEE 802.3 clauses 3 and 35.2.3; the FCS is the CRC-32 of 3.2.9.
    """

    def __init__(self, width, longest):
        self._octets = check_width(width) // 8
        if longest < SHORTEST:
            raise ValueError(f"the longest frame must have at least {SHORTEST} octets, not {longest!r}")
        self._longest = longest
        super().__init__({"gmii": In(GmiiSignature()), "o": Out(stream.Signature(received_word(width)))})

    def elaborate(self, platform):
        m = Module()
        gmii = Signal(data.StructLayout({"en": 1, "data": 8, "valid": 1, "error": 1}))
        preamble, delimiter = Signal(), Signal()
        m.d.sync += [
            gmii.en.eq(self.gmii.en),
            gmii.data.eq(self.gmii.data),
            gmii.valid.eq(self.gmii.valid),
            gmii.error.eq(self.gmii.error),
            preamble.eq((self.gmii.data == _PREAMBLE) & ~self.gmii.error),
            delimiter.eq((self.gmii.data == _SFD) & ~self.gmii.error),
        ]

        begin, take, send, last, lost = Signal(), Signal(), Signal(), Signal(), Signal()
        outcome = Signal(Received)
        limit, enough = self._measure(m, begin, take)
        sound = self._check(m, begin, take, gmii.data)
        full = self._pack(m, begin, take, gmii.data, send, last, outcome, lost)

        seen = Signal(range(PREAMBLE + 2))
        damaged, broken = Signal(), Signal()
        with m.FSM(init="QUIET"):
            with m.State("QUIET"):
                m.d.sync += [seen.eq(0), damaged.eq(0), broken.eq(0)]
                with m.If(gmii.en & ~gmii.valid):
                    m.next = "HUNT"
            with m.State("HUNT"):
                with m.If(lost):
                    m.next = "QUIET"
                with m.Elif(gmii.en & gmii.valid & delimiter):
                    m.d.comb += begin.eq(1)
                    m.next = "FRAME"
                with m.Elif(gmii.en & (damaged & (seen == PREAMBLE + 1) | ~gmii.valid & (seen != 0))):
                    m.d.comb += [begin.eq(1), send.eq(1), last.eq(1), outcome.eq(Received.PREAMBLE)]
                    m.d.sync += [seen.eq(0), damaged.eq(0)]
                    with m.If(gmii.valid):
                        m.next = "QUIET"
                with m.Elif(gmii.en & gmii.valid):
                    m.d.sync += [seen.eq(seen + (seen != PREAMBLE + 1)), damaged.eq(damaged | ~preamble)]
            with m.State("FRAME"):
                with m.If(lost):
                    m.next = "QUIET"
                with m.Elif(gmii.en):
                    m.d.sync += broken.eq(broken | gmii.valid & gmii.error)
                    with m.If(~gmii.valid):
                        m.next = "JUDGE"
                    with m.Elif(limit):
                        m.d.comb += [send.eq(1), last.eq(1), outcome.eq(Received.GIANT)]
                        m.next = "QUIET"
                    with m.Else():
                        m.d.comb += [take.eq(1), send.eq(full)]
            with m.State("JUDGE"):
                m.d.comb += [send.eq(1), last.eq(1)]
                with m.If(damaged):
                    m.d.comb += outcome.eq(Received.PREAMBLE)
                with m.Elif(broken):
                    m.d.comb += outcome.eq(Received.SYMBOL)
                with m.Elif(~enough):
                    m.d.comb += outcome.eq(Received.RUNT)
                with m.Elif(~sound):
                    m.d.comb += outcome.eq(Received.FCS)
                m.d.sync += [seen.eq(0), damaged.eq(0), broken.eq(0)]
                m.next = "HUNT"
        return m

    def _measure(self, m, begin, take):
        """Whether the frame so far is as long as one may be, and whether it is as long as one must be."""
        length = Signal(range(self._longest + FCS + 1))
        limit, enough = Signal(), Signal()
        with m.If(begin):
            m.d.sync += [length.eq(0), limit.eq(0), enough.eq(0)]
        with m.Elif(take):
            m.d.sync += [
                length.eq(length + 1),
                limit.eq(length == self._longest + FCS - 1),
                enough.eq(enough | (length == SHORTEST + FCS - 1)),
            ]
        return limit, enough

    def _check(self, m, begin, take, octet):
        """Whether the octets up to two clocks ago end with their FCS."""
        m.submodules.crc = crc = Processor(CRC32_ETHERNET(8))
        sound = Signal()
        m.d.comb += [crc.start.eq(begin), crc.valid.eq(take), crc.data.eq(octet)]
        m.d.sync += sound.eq(crc.match_detected)
        return sound

    def _pack(self, m, begin, take, octet, send, last, outcome, lost):
        """Octets that are not the last four become words; returns whether the next octet pushes a full word out.

        ``send`` puts the word, with ``last`` and ``outcome``, into the register of ``o``. If that is not free, the
        frame is ``lost``, and gets its end as soon as it can.
        """
        waiting = Signal(8 * FCS)
        waits = Signal(FCS)
        word = Signal(self._octets * 8)
        place = Signal(range(self._octets + 1))
        begun = Signal()
        full, comes, free = Signal(), Signal(), Signal()
        m.d.comb += [comes.eq(take & waits[-1]), full.eq(waits[-1] & (place == self._octets))]
        with m.If(begin):
            m.d.sync += [waits.eq(0), place.eq(0), begun.eq(0)]
        with m.Elif(take):
            m.d.sync += [waiting.eq(Cat(octet, waiting)), waits.eq(Cat(1, waits))]
            with m.If(comes):
                with m.If(full):
                    m.d.sync += [word.eq(waiting[-8:]), place.eq(1), begun.eq(1)]
                with m.Else():
                    m.d.sync += [word.word_select(place[: max(1, len(place) - 1)], 8).eq(waiting[-8:])]
                    m.d.sync += place.eq(place + 1)

        m.d.comb += free.eq(~self.o.valid | self.o.ready)
        # The payload of a word that is not valid says nothing: so what decides that it is does not decide the payload.
        with m.If(free):
            m.d.sync += [
                self.o.valid.eq(0),
                self.o.payload.data.eq(word),
                self.o.payload.count.eq(Mux(begin, 0, place)),
                self.o.payload.last.eq(last),
                self.o.payload.outcome.eq(outcome),
            ]
        with m.If(lost & free):
            m.d.sync += [lost.eq(0), self.o.valid.eq(1), self.o.payload.count.eq(begun), self.o.payload.last.eq(1)]
            m.d.sync += self.o.payload.outcome.eq(Received.OVERFLOW)
        with m.Elif(send & ~lost):
            m.d.sync += lost.eq(~free)
            with m.If(free):
                m.d.sync += self.o.valid.eq(1)
        return full
