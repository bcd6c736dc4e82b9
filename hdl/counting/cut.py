"""The cut of a snapshot: which frames, still under way when it was taken, belong to it."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Cut"]

_UNDER_WAY_BITS = 16
"""Production may wait while the longest copy leaves: at 8 bits so many frames of a byte as that has bytes."""


class Cut(wiring.Component):
    """Follows the frames between two places that they pass in one order, say a port and their verdicts.

    Ports
    -----
    entered, left   a frame passes the first place, the second
    arm             the snapshot is taken in this clock: the frames that have entered, this clock included, are its own
    cut             one clock: in the clock before, the last of them has left (or none was under way); those that leave
                    in this clock or later are not its own
    waiting         from the clock after ``arm`` until ``cut``

    Latency: ``cut`` comes a clock after the ``left`` that it is about, or after ``arm``. Bad input: none may leave that
    has not entered, and no ``arm`` may come while ``waiting``.
    """

    def __init__(self):
        super().__init__({"entered": In(1), "left": In(1), "arm": In(1), "cut": Out(1), "waiting": Out(1)})

    def elaborate(self, platform):
        m = Module()
        inside, following = Signal(_UNDER_WAY_BITS), Signal(_UNDER_WAY_BITS)
        ours = Signal(_UNDER_WAY_BITS)  # of the snapshot, still to leave
        last = Signal()
        m.d.comb += [
            following.eq(inside + self.entered - self.left),
            last.eq(Mux(self.arm, following == 0, self.waiting & self.left & (ours == 1))),
        ]
        m.d.sync += [inside.eq(following), self.cut.eq(last)]
        with m.If(self.arm):
            m.d.sync += [ours.eq(following), self.waiting.eq(~last)]
        with m.Elif(self.waiting & self.left):
            m.d.sync += [ours.eq(ours - 1), self.waiting.eq(~last)]
        return m
