"""Receive store, in the core's clock: cut-through, but what it cannot hold it takes back whole."""

from math import ceil

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.frames import check_width
from halfsilver.hdl.mac.limits import store_words
from halfsilver.hdl.mac.words import Received, received_word, sent_word
from halfsilver.hdl.packet import packet_signature

__all__ = ["ReceiveStore"]


class ReceiveStore(wiring.Component):
    """Words from the receiver -> packets for the core.

    Parameters: ``width`` of a word, ``depth`` in words, ``longest`` frame in octets.

    Ports
    -----
    i        `received_word`, always taken
    cut      what comes next is a frame's first word: one that was begun ends here. In this clock ``i`` is not valid
    o        packets; ``bad`` unless the outcome is GOOD; ``drop`` is 0
    whole    hold a frame back until it has ended: for an output that is faster than the wire the frame comes from.
             A frame longer than the store would never leave, hence the least ``depth``. For a frame that comes
             while it changes it may count as before
    outcome  what became of a frame, when ``ended``: one clock for each

    A frame that finds the store full is taken back whole (OVERFLOW): the core cannot have seen any of it, because a
    frame of which the core already took a part is alone in the store and fits. One that is cut ends with one octet 0,
    marked bad (STALL).

    Latency: 3 clocks. Throughput: a word per clock each way.
    """

    LATENCY = 3

    def __init__(self, width, depth, longest):
        octets = check_width(width) // 8
        if depth < store_words(octets, longest):
            raise ValueError(f"the store needs {store_words(octets, longest)} words of {octets} octets, not {depth!r}")
        self._width, self._depth = width, depth
        self._longest_words = ceil(longest / octets)
        super().__init__(
            {
                "i": In(stream.Signature(received_word(width), always_ready=True)),
                "cut": In(1),
                "o": Out(packet_signature(width)),
                "whole": In(1),
                "ended": Out(1),
                "outcome": Out(Received),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = storage = memory.Memory(shape=sent_word(self._width), depth=self._depth, init=[])
        used = Signal(range(self._depth + 1))
        words = Signal(range(self._longest_words + 2))  # of the frame that is coming, as far as they are in the memory
        store, give_back, fetch = Signal(), Signal(), Signal()
        self._write(m, storage.write_port(), used, words, store, give_back)
        self._read(m, storage.read_port(), used, words, fetch)
        m.d.sync += used.eq(used + store - fetch - Mux(give_back, words, 0))
        return m

    def _write(self, m, port, used, words, store, give_back):
        """Words into the memory; the outcome of each frame."""
        word, valid, begun = Signal.like(self.i.payload), Signal(), Signal()
        m.d.comb += [word.eq(self.i.payload), valid.eq(self.i.valid)]
        with m.If(self.cut):
            m.d.comb += [word.data[:8].eq(0), word.count.eq(1), word.last.eq(1), word.outcome.eq(Received.STALL)]
            m.d.comb += valid.eq(begun)
        with m.If(valid):
            m.d.sync += begun.eq(~word.last)

        place, start = Signal(range(self._depth)), Signal(range(self._depth))
        dropping = Signal()
        after = Mux(place == self._depth - 1, 0, place + 1)
        m.d.comb += [
            port.addr.eq(place),
            port.en.eq(store),
            port.data.data.eq(word.data),
            port.data.tail.eq(word.count - 1),
            port.data.last.eq(word.last),
            port.data.bad.eq(word.last & (word.outcome != Received.GOOD)),
        ]
        m.d.sync += [self.ended.eq(0), self.outcome.eq(word.outcome)]
        with m.If(valid):
            with m.If(dropping):
                m.d.sync += dropping.eq(~word.last)
            with m.Elif(word.count == 0):
                m.d.sync += self.ended.eq(1)
            with m.Elif(used == self._depth):
                m.d.comb += give_back.eq(1)
                m.d.sync += [self.ended.eq(1), self.outcome.eq(Received.OVERFLOW)]
                m.d.sync += [place.eq(start), words.eq(0), dropping.eq(~word.last)]
            with m.Else():
                m.d.comb += store.eq(1)
                m.d.sync += [place.eq(after), self.ended.eq(word.last), words.eq(Mux(word.last, 0, words + 1))]
                with m.If(word.last):
                    m.d.sync += start.eq(after)

    def _read(self, m, port, used, words, fetch):
        """Words out of the memory, through a register."""
        place = Signal(range(self._depth))
        fetched, load, whole = Signal(), Signal(), Signal()
        beat = self.o.payload
        # Words of the frame that is coming may be gone already, unless they were held back from the first one on.
        with m.If(words == 0):
            m.d.sync += whole.eq(self.whole)
        m.d.comb += [
            load.eq(~self.o.valid | self.o.ready),
            fetch.eq((used != Mux(whole, words, 0)) & (~fetched | load)),
            port.addr.eq(place),
            port.en.eq(fetch),
        ]
        with m.If(fetch):
            m.d.sync += place.eq(Mux(place == self._depth - 1, 0, place + 1))
        with m.If(fetch | load):
            m.d.sync += fetched.eq(fetch)
        with m.If(load):
            m.d.sync += [
                self.o.valid.eq(fetched),
                beat.data.eq(port.data.data),
                beat.count.eq(Mux(port.data.last, port.data.tail + 1, self._width // 8)),
                beat.last.eq(port.data.last),
                beat.bad.eq(port.data.bad),
            ]
