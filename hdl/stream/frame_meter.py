"""Frame meter: what passes a port, frame by frame."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.packet import beat_layout
from halfsilver.hdl.pipeline import registered

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

    LATENCY = 2

    def __init__(self, width):
        super().__init__({"taken": In(1), "beat": In(beat_layout(width)), "o": Out(FrameEvent)})

    def elaborate(self, platform):
        m = Module()
        # What is taken is known late in the clock, so it is only kept in this one.
        taken = registered(m, self.taken, "taken_before")
        count, last, bad = (registered(m, self.beat[name], f"{name}_before") for name in ("count", "last", "bad"))
        before = Signal(16)  # bytes of the beats before this one
        total = Signal(17)
        octets = Signal(16)
        m.d.comb += [total.eq(before + count), octets.eq(Mux(total[16], _LONGEST, total))]
        with m.If(taken):
            m.d.sync += before.eq(Mux(last, 0, octets))
        m.d.sync += [self.o.valid.eq(taken & last), self.o.octets.eq(octets), self.o.bad.eq(bad)]
        return m
