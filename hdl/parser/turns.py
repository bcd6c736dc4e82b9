"""Several word parsers for beats of more than a word: they take turns at one memory.

Eight bytes a clock are what one word parser reads, so beats of N words keep N of them busy. Their frames are of very
different lengths, and a chain of extension headers may be long in any of them. So a frame is not dealt to a parser when
it comes. It waits in a ring until it has ended and some parser is free; each parser has its turn every ``period``
clocks, and fetches one beat of its own frame, or of the next one that waits. A turn passes unused only if no frame
waits. Hence as many beats are read as come, and what waits is bounded by what the parsers have begun (`_Bounds`).

In a long extension header whole beats are left out, as far as it is known where the next one begins: that is what
bounds the turns of one frame.
"""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.frames import MAX_FRAME
from halfsilver.hdl.packet import packet_signature
from halfsilver.hdl.parser.headers import Headers
from halfsilver.hdl.parser.view import WORD_BITS, WORD_BYTES
from halfsilver.hdl.parser.word_parser import WordParser
from halfsilver.hdl.stream.fifo import Fifo

__all__ = ["TurnParser", "frames_behind"]

_LONGEST_START = 62
"""Bytes up to the end of a fixed IPv6 header behind two tags."""

_FETCH_CLOCKS = 2
"""From a parser's turn to the first word of its beat: the memory, and the register behind it."""

_SLACK = 16
"""Clocks and beats on their way: through FIFOs, and from the ring's filling to ``i.ready``."""


class _Bounds:
    """What follows from the width and the number of extension headers. In turns, that is clocks.

    period    clocks between two turns of a parser, and number of parsers: the words of a beat are read, and what the
              walk makes of the last one is known
    kept      beats of a frame that may matter; a longer one than MAX_FRAME is malformed by its length
    turns     that one frame may take: the beats of its start, then two for each extension header (that with the word
              before the next header's view, and that view's), and the last one
    behind    from the end of a frame until its Headers stand at ``o``. While frames wait, no turn passes unused, and
              what is to be read does not grow. When the last turn passed unused, no frame waited: each parser had no
              more than ``turns`` of its frame left, and one frame was arriving. So a frame waits (period + 1) x turns
              at most, and its own turns are a period apart
    ring      beats of it: the longest frame, and what arrives in the time above
    """

    def __init__(self, width, extension_headers):
        beat_bytes = width // 8
        self.period = width // WORD_BITS + _FETCH_CLOCKS + WordParser.LEAP_CLOCKS - 1
        self.kept = -(-MAX_FRAME // beat_bytes)
        self.turns = -(-_LONGEST_START // beat_bytes) + 2 * extension_headers + 1
        self.behind = (2 * self.period + 1) * self.turns + _SLACK
        self.ring = 1 << (self.kept + self.behind + 2 * _SLACK - 1).bit_length()


def frames_behind(parameters):
    """Frames that have ended and may not have their Headers yet, beyond those that are on their way at 64 bits."""
    if parameters.width <= WORD_BITS:
        return 0
    return _Bounds(parameters.width, parameters.extension_headers).behind


class TurnParser(wiring.Component):
    """Headers of every frame, in frame order, from beats of more than a word.

    Parameters: ``width``; ``egress`` and ``extension_headers`` as in WordParser.

    Ports: as of `ParserBank`.

    Throughput: one beat per clock whatever the headers are.
    Latency: a frame is read from its end on, a beat in ``period`` clocks as far as its headers go; 12 clocks are the
    way there and back, and up to ``period`` until it is known that no more matters. Where frames before it have longer
    headers it waits; Headers are never more than ``behind`` clocks late (`_Bounds`).
    Bad input: as in WordParser; of a frame of more than MAX_FRAME bytes the rest is not read.
    """

    def __init__(self, width, *, egress, extension_headers):
        self._width = width
        self._egress, self._extension_headers = egress, extension_headers
        self.bounds = _Bounds(width, extension_headers)
        super().__init__({"i": In(packet_signature(width)), "o": Out(stream.Signature(Headers))})

    def elaborate(self, platform):
        m = Module()
        bounds = self.bounds
        layout = self.i.p.shape()
        beat = data.StructLayout({"data": self._width, "count": layout["count"].shape})
        m.submodules.ring = ring = memory.Memory(shape=beat, depth=bounds.ring, init=[])
        self._place = range(bounds.ring)
        self._beats = range(bounds.kept + 1)
        frame = data.StructLayout({"begin": self._place, "beats": self._beats})
        m.submodules.waiting = waiting = Fifo(frame, bounds.ring)
        order = data.StructLayout({"lane": range(bounds.period), "beats": self._beats})
        m.submodules.order = self._order = Fifo(order, bounds.ring)

        delivered, delivered_beats = self._deliver(m, lanes := self._lanes(m, beat))
        self._keep(m, ring.write_port(), waiting, delivered, delivered_beats)
        self._deal(m, ring.read_port(), waiting, lanes)
        return m

    def _keep(self, m, write, waiting, delivered, delivered_beats):
        """Beats go into the ring, and a frame that has ended to those that wait."""
        used = Signal(range(len(self._place) + 1))
        room = Signal(init=1)
        held = Signal(self._beats)  # of this frame
        begin = Signal(self._place)
        accept, keep = Signal(), Signal()
        behind_it = write.addr + keep
        m.d.comb += [
            self.i.ready.eq(room),
            accept.eq(self.i.valid & room),
            keep.eq(accept & (held != self.bounds.kept)),
            write.en.eq(keep),
            write.data.data.eq(self.i.p.data),
            write.data.count.eq(self.i.p.count),
            waiting.i.valid.eq(accept & self.i.p.last),
            waiting.i.p.begin.eq(begin),
            waiting.i.p.beats.eq(held + keep),
        ]
        m.d.sync += [
            write.addr.eq(behind_it),
            held.eq(held + keep),
            used.eq(used + keep - Mux(delivered, delivered_beats, 0)),
            room.eq(used < len(self._place) - _SLACK),
        ]
        with m.If(accept & self.i.p.last):
            m.d.sync += [held.eq(0), begin.eq(behind_it)]

    def _lanes(self, m, beat):
        """The word parsers, each with the beat that it reads."""
        words = self._width // WORD_BITS
        lanes = []
        for number in range(self.bounds.period):
            m.submodules[f"lane_{number}"] = lane = _Lane(
                beat, words, self._egress, self._extension_headers, 1 << (self.bounds.turns + _SLACK).bit_length()
            )
            lanes.append(lane)
        return lanes

    def _deal(self, m, read, waiting, lanes):
        """Whose turn it is, and what is fetched for it."""
        words = self._width // WORD_BITS
        turn = Signal(range(len(lanes)))
        at = Array(Signal(self._place, name=f"at_{number}") for number in range(len(lanes)))
        left = Array(Signal(self._beats, name=f"left_{number}") for number in range(len(lanes)))  # 0: no frame
        m.d.sync += turn.eq(Mux(turn == len(lanes) - 1, 0, turn + 1))

        leap = Array(lane.spare for lane in lanes)[turn] >> (words.bit_length() - 1)  # beats
        over, goes_on, takes = Signal(), Signal(), Signal()
        fetched = Signal(self._place)
        remaining = Signal(self._beats)  # with the one that is fetched
        m.d.comb += [
            over.eq(Array(lane.done for lane in lanes)[turn] | (leap >= left[turn])),
            goes_on.eq((left[turn] != 0) & ~over),
            takes.eq(~goes_on & waiting.o.valid & Array(lane.room for lane in lanes)[turn]),
            waiting.o.ready.eq(takes),
            self._order.i.valid.eq(takes),
            self._order.i.p.lane.eq(turn),
            self._order.i.p.beats.eq(waiting.o.p.beats),
            fetched.eq(Mux(goes_on, at[turn] + leap, waiting.o.p.begin)),
            remaining.eq(Mux(goes_on, left[turn] - leap, waiting.o.p.beats)),
            read.addr.eq(fetched),
        ]
        with m.If(goes_on | takes):
            m.d.sync += [at[turn].eq(fetched + 1), left[turn].eq(remaining - 1)]
        with m.Else():
            m.d.sync += left[turn].eq(0)
        # A clock later.
        ended, comes, last = Signal(), Signal(), Signal()
        m.d.sync += [ended.eq((left[turn] != 0) & over), comes.eq(goes_on | takes), last.eq(remaining == 1)]
        for number, lane in enumerate(lanes):
            chosen = Signal(name=f"chosen_{number}")
            m.d.sync += chosen.eq(turn == number)
            m.d.comb += [
                lane.left_out.eq(Mux((turn == number) & goes_on, leap * words, 0)),
                lane.end.eq(chosen & ended),
                lane.fetch.eq(chosen & comes),
                lane.beat.eq(read.data),
                lane.last.eq(last),
            ]

    def _deliver(self, m, lanes):
        """The Headers of the oldest frame. Returns that they are taken, and its beats."""
        oldest = self._order.o
        headers = Array(lane.headers for lane in lanes)[oldest.p.lane]
        there = Array(lane.there for lane in lanes)[oldest.p.lane]
        delivered = Signal()
        m.d.comb += [
            self.o.valid.eq(oldest.valid & there),
            self.o.payload.eq(headers),
            delivered.eq(self.o.valid & self.o.ready),
            oldest.ready.eq(delivered),
        ]
        for number, lane in enumerate(lanes):
            m.d.comb += lane.take.eq(delivered & (oldest.p.lane == number))
        return delivered, oldest.p.beats


class _Lane(wiring.Component):
    """A word parser, the beat that it reads, and the Headers that wait for their turn.

    Ports
    -----
    end                the frame is over, whatever there is of it behind what was read
    fetch, beat, last  a beat, and whether it is its frame's last; its words follow from the next clock on
    done, spare, left_out   as in WordParser; ``spare`` in words
    room               there is room for another frame's Headers
    there, headers, take    the oldest Headers
    """

    def __init__(self, beat, words, egress, extension_headers, depth):
        self._words, self._egress, self._extension_headers = words, egress, extension_headers
        self._depth = depth
        super().__init__(
            {
                "end": In(1),
                "fetch": In(1),
                "beat": In(beat),
                "last": In(1),
                "done": Out(1),
                "spare": Out(8),
                "left_out": In(8),
                "room": Out(1, init=1),
                "there": Out(1),
                "headers": Out(Headers),
                "take": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.parser = parser = WordParser(
            egress=self._egress, extension_headers=self._extension_headers, leaps=True
        )
        m.submodules.store = store = fifo.SyncFIFOBuffered(width=Headers.as_shape().size, depth=self._depth)
        m.d.comb += [
            store.w_en.eq(parser.o.valid),
            store.w_data.eq(parser.o.payload),
            self.there.eq(store.r_rdy),
            self.headers.eq(store.r_data),
            store.r_en.eq(self.take),
            self.done.eq(parser.done),
            self.spare.eq(parser.spare),
            parser.left_out.eq(self.left_out),
        ]
        m.d.sync += self.room.eq(store.level < self._depth - 4)

        octets = Signal(self._words * WORD_BITS)
        reading, final = Signal(), Signal()  # the beat is its frame's last
        index, stop = Signal(range(self._words)), Signal(range(self._words))
        short = Signal(range(WORD_BYTES + 1))  # bytes of the word at ``stop``
        with m.If(self.fetch):
            before_last = self.beat.count - 1
            m.d.sync += [octets.eq(self.beat.data), reading.eq(1), index.eq(0), final.eq(self.last)]
            m.d.sync += [stop.eq(before_last // WORD_BYTES), short.eq(before_last % WORD_BYTES + 1)]
        with m.Elif(reading):
            m.d.sync += [octets.eq(octets >> WORD_BITS), index.eq(index + 1), reading.eq(index != stop)]
        at_stop = index == stop
        m.d.comb += [
            parser.i.valid.eq(reading | self.end),
            parser.i.p.data.eq(octets),
            parser.i.p.count.eq(Mux(at_stop, short, WORD_BYTES)),
            parser.i.p.last.eq(self.end | (final & at_stop)),
        ]
        return m
