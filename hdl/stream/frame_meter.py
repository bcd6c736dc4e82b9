"""Frame meter: what passes a port, frame by frame."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.packet import beat_layout

__all__ = ["FrameEvent", "FrameMeter"]

_LONGEST = 0xFFFF


class FrameEvent(data.Struct):
    """High ``valid`` for a clock: a frame has passed. ``octets`` saturates at 65,535; ``bad`` is its mark."""

    valid: 1
    octets: 16
    bad: 1


class FrameMeter(wiring.Component):
    """Watches a packet stream of ``width`` bits.

    Ports: ``taken`` (a beat is handed over in this clock), ``beat``; ``o``, a `FrameEvent` for each frame, LATENCY
    clocks after its last beat. Throughput: one beat per clock. Bad input: frames of any length.
    """

    LATENCY = 1

    def __init__(self, width):
        super().__init__({"taken": In(1), "beat": In(beat_layout(width)), "o": Out(FrameEvent)})

    def elaborate(self, platform):
        m = Module()
        before = Signal(16)  # bytes of the beats before this one
        total = Signal(17)
        octets = Signal(16)
        m.d.comb += [total.eq(before + self.beat.count), octets.eq(Mux(total[16], _LONGEST, total))]
        with m.If(self.taken):
            m.d.sync += before.eq(Mux(self.beat.last, 0, octets))
        m.d.sync += [
            self.o.valid.eq(self.taken & self.beat.last),
            self.o.octets.eq(octets),
            self.o.bad.eq(self.beat.bad),
        ]
        return m
