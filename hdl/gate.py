"""Gate: where ingress waits for its verdict on its way to the host, in a build with ``security_groups``.

    i --> frames --> o
             ^
    verdicts, one a frame

Every frame that enters goes into the buffer, and at the same time to the mirror, which judges it as it does without a
gate: the lists are rules more in the same lookup (`halfsilver.hdl.match.guard`), so mirror and gate are told by one
judgement of one rule set, and there is no second parser, lookup or commit that could disagree with the first.
A frame leaves when its verdict is there, or goes no further: its beats are let go at the buffer's end, one a clock,
which keeps pace with what comes in, and never in the middle of a frame, as the verdict is known before its first beat.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.frames import check_width
from halfsilver.hdl.packet import beat_layout, packet_signature
from halfsilver.hdl.stream.fifo import Fifo
from halfsilver.hdl.stream.skid_buffer import SkidBuffer

__all__ = ["Gate"]

_REGISTERS = 3
"""Beats that stand behind the buffer's memory: one in its output, two in the skid buffer."""


class Gate(wiring.Component):
    """Store and forward: a frame goes on, or does not, when its verdict says so.

    Parameters: ``width`` of the stream; ``longest``, bytes of the longest frame that may be stopped; ``wait_clocks``
    from a frame's last beat to its verdict for which there is room, so that ``i`` is not held.

    Ports
    -----
    i          frames
    i_stop     a verdict for each of them, in order, always taken: the frame goes no further
    o          the frames that do, as they came
    o_stopped  one clock: the last beat of a frame that does not is let go. It has the place of the frame in order: all
               before it have left by ``o``, none behind it

    Latency: the first beat is offered LATENCY clocks after the verdict, if the frames before it have left.
    Throughput: one beat per clock. ``i`` is held where ``o`` is not taken and ``longest`` bytes and ``wait_clocks``
    beats wait.
    Bad input: a frame of more than ``longest`` bytes cannot be kept, nor be stopped: it begins to leave when so much
    has come, and its last beat with its verdict, whatever that is. Marks go on as they come.
    Source: ``docs/mirroring.md`` sections 10 and 14.
    """

    LATENCY = Fifo.LATENCY

    def __init__(self, width, longest, wait_clocks):
        beat_bytes = check_width(width) // 8
        if longest < 1:
            raise ValueError(f"longest must be at least 1 byte, not {longest!r}")
        if wait_clocks < 1:
            raise ValueError(f"wait_clocks must be at least 1, not {wait_clocks!r}")
        self._width = width
        self._too_long_beats = longest // beat_bytes + 1  # full ones, and another to come
        self._depth = self._too_long_beats + wait_clocks
        super().__init__(
            {
                "i": In(packet_signature(width)),
                "i_stop": In(stream.Signature(1, always_ready=True)),
                "o": Out(packet_signature(width)),
                "o_stopped": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat = beat_layout(self._width)
        m.submodules.frames = frames = Fifo(beat, self._depth)
        m.submodules.shown = shown = SkidBuffer(beat)
        # A verdict that waits is of a frame in the buffer, of which there are no more than beats.
        m.submodules.verdicts = verdicts = Fifo(1, self._depth + _REGISTERS)
        wiring.connect(m, wiring.flipped(self.i), frames.i)
        wiring.connect(m, frames.o, shown.i)
        m.d.comb += [verdicts.i.valid.eq(self.i_stop.valid), verdicts.i.payload.eq(self.i_stop.payload)]

        taken = self.i.valid & self.i.ready
        let_go = shown.o.valid & shown.o.ready
        too_long = self._too_long(m, taken, let_go & shown.o.p.last)
        self._pass(m, shown.o, verdicts.o, too_long)
        return m

    def _too_long(self, m, taken, leaves):
        """The frame at the end of the buffer is still coming, and longer than can be kept; ``leaves``: a frame does."""
        beats = Signal(range(self._too_long_beats + 1))  # of the frame that comes, as far as it matters
        whole = Signal(range(self._depth + _REGISTERS + 1))  # frames in the buffer that have ended
        with m.If(taken & self.i.p.last):
            m.d.sync += beats.eq(0)
        with m.Elif(taken & (beats != self._too_long_beats)):
            m.d.sync += beats.eq(beats + 1)
        m.d.sync += whole.eq(whole + (taken & self.i.p.last) - leaves)
        return (beats == self._too_long_beats) & (whole == 0)

    def _pass(self, m, head, verdict, too_long):
        """The frame at the end of the buffer: on, or let go, beat by beat."""
        inside = Signal()  # its first beat has gone, or may go
        stopping = Signal()  # inside: it is let go
        early = Signal()  # inside: its verdict has still to come
        stop, may = Signal(), Signal()
        m.d.comb += [
            stop.eq(Mux(inside, stopping, verdict.payload)),
            may.eq(Mux(inside & ~(early & head.p.last), 1, verdict.valid)),
            self.o.valid.eq(head.valid & may & ~stop),
            self.o.payload.eq(head.payload),
            head.ready.eq(may & (stop | self.o.ready)),
            verdict.ready.eq(head.valid & head.ready & Mux(inside, early & head.p.last, 1)),
            self.o_stopped.eq(head.valid & head.ready & head.p.last & stop),
        ]
        with m.If(head.valid & head.ready):
            m.d.sync += [inside.eq(~head.p.last), stopping.eq(stop), early.eq(early & ~head.p.last)]
        with m.Elif(~inside & head.valid & ~verdict.valid & too_long):
            m.d.sync += [inside.eq(1), stopping.eq(0), early.eq(1)]
