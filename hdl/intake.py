"""Intake: where a frame enters. One per direction, in front of parser, mirror queue and match pipeline.

Every accepted beat goes to the parser and to the mirror queue in the same clock. When the frame has ended and its
headers are known, the two halves are joined into one FrameSummary.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.encapsulator.descriptor import CopyDescriptor, spreading
from halfsilver.hdl.match.matcher import FrameSummary
from halfsilver.hdl.mirror_queue import Decision, MirrorQueue, undecided_frames
from halfsilver.hdl.packet import packet_signature
from halfsilver.hdl.parser.bank import ParserBank
from halfsilver.hdl.pipeline import delay, registered
from halfsilver.hdl.records import DirectionCode
from halfsilver.hdl.stream.fifo import Fifo

__all__ = ["Intake"]

_ROOM_CLOCKS = 3
"""From the beat that ends a frame to ``room``: so many frames may follow unseen."""

_ROOM_MARGIN = 4
"""Places kept free for them."""

_MEASURE_CLOCKS = 1
"""From a beat to the length of what has come."""

_LONGEST = 0xFFFF
"""The length of a longer frame saturates here."""


class _Ending(data.Struct):
    """How a frame ended."""

    length: 16
    bad: 1
    drop: 1
    fits: 1


class Intake(wiring.Component):
    """One direction's parser and mirror queue.

    Parameters: ``parameters`` (NicParameters), ``direction`` (DirectionCode).

    Ports
    -----
    i                       packet stream, frames of 1 byte and up
    o                       FrameSummary of every frame, in order, when it has ended
    i_decided, i_decision   the verdicts, in the same order
    o_copy, o_copy_data     descriptor and bytes of the copies that were committed

    Throughput: one beat per clock. ``i.ready`` falls only where frames come faster than verdicts, when as many as the
    parser keeps, or `undecided_frames` (less a margin for those on their way), wait for a verdict. A full mirror queue
    never holds up ``i``.
    Latency: a frame's summary comes when its ending and its headers are both known, the headers as in `ParserBank`.
    Bad input: every frame has its summary, also one flagged bad, of one byte, or of any length.
    Source: ``docs/mirroring.md`` sections 3 and 10.
    """

    def __init__(self, parameters, direction):
        self._parameters = parameters
        self.direction = direction
        super().__init__(
            {
                "i": In(packet_signature(parameters.width)),
                "o": Out(stream.Signature(FrameSummary)),
                "i_decided": In(1),
                "i_decision": In(spreading(Decision, parameters.receiver_bits)),
                "o_copy": Out(stream.Signature(spreading(CopyDescriptor, parameters.receiver_bits))),
                "o_copy_data": Out(packet_signature(parameters.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.parser = parser = ParserBank(self._parameters, egress=self.direction is DirectionCode.EGRESS)
        m.submodules.queue = queue = MirrorQueue(self._parameters)
        m.submodules.endings = endings = Fifo(_Ending, undecided_frames(self._parameters))

        accept = self._accept(m, parser, queue)
        m.d.comb += [endings.i.valid.eq(queue.o_end), endings.i.payload.eq(self._ending(m, queue, accept))]
        self._join(m, parser.o, endings.o)

        m.d.comb += [queue.i_decided.eq(self.i_decided), queue.i_decision.eq(self.i_decision)]
        wiring.connect(m, queue.o_copy, wiring.flipped(self.o_copy))
        wiring.connect(m, queue.o, wiring.flipped(self.o_copy_data))
        return m

    def _accept(self, m, parser, queue):
        """A beat is accepted when the parser does and a verdict's place is free; returns that it is."""
        most = undecided_frames(self._parameters)
        undecided = Signal(range(most + 1))
        assert _ROOM_MARGIN >= _ROOM_CLOCKS, "frames could end for which no verdict's place is free"
        room = registered(m, undecided < most - _ROOM_MARGIN, "room")
        accept = Signal()
        m.d.comb += [
            self.i.ready.eq(parser.i.ready & room),
            accept.eq(self.i.valid & self.i.ready),
            parser.i.valid.eq(self.i.valid & room),
            parser.i.payload.eq(self.i.payload),
            queue.i_valid.eq(accept),
            queue.i.eq(self.i.payload),
        ]
        frame_in = registered(m, accept & self.i.p.last, "frame_in")
        m.d.sync += undecided.eq(undecided + frame_in - self.i_decided)
        return accept

    def _ending(self, m, queue, accept):
        """Measure the frame, and put beside the queue's own answer how it ended."""
        first = Signal(init=1)
        length = Signal(16)
        longer = Signal(17)
        ended = Signal(_Ending)
        m.d.comb += longer.eq(Mux(first, 0, length) + self.i.p.count)
        with m.If(accept):
            m.d.sync += [first.eq(self.i.p.last), length.eq(Mux(longer[16], _LONGEST, longer))]
        m.d.sync += [ended.bad.eq(self.i.p.bad), ended.drop.eq(self.i.p.drop)]
        m.d.comb += ended.length.eq(length)
        ending = Signal(_Ending)
        m.d.comb += [
            ending.eq(delay(m, ended, queue.END_LATENCY - _MEASURE_CLOCKS, "ended")),
            ending.fits.eq(queue.o_fits),
        ]
        return ending

    def _join(self, m, headers, endings):
        """Headers and ending of one frame, when both are there."""
        end = endings.p
        m.d.comb += [
            self.o.valid.eq(headers.valid & endings.valid),
            self.o.p.headers.eq(headers.payload),
            self.o.p.direction.eq(self.direction),
            self.o.p.length.eq(end.length),
            self.o.p.bad.eq(end.bad),
            self.o.p.drop.eq(end.drop),
            self.o.p.fits.eq(end.fits),
            headers.ready.eq(endings.valid & self.o.ready),
            endings.ready.eq(headers.valid & self.o.ready),
        ]
