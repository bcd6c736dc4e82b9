"""The cut of a snapshot: which frames, still under way when it was taken, belong to it."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Cut"]


class Cut(wiring.Component):
    """Follows the frames between two places that they pass in one order, say a port and their verdicts.

    Parameters: ``bits`` of the number of frames that may be under way.

    Ports
    -----
    entered, left   a frame passes the first place, the second
    arm             the snapshot is taken in this clock: the frames that have entered, this clock included, are its own
    cut             one clock: in the clock before, the last of them has left (or none was under way); those that leave
                    in this clock or later are not its own
    waiting         from the clock after ``arm`` to that of ``cut``

    Latency: ``cut`` comes a clock after the ``left`` that it is about, or after ``arm``. Bad input: none may leave that
    has not entered, no more than ``2**bits - 1`` may be under way, and no ``arm`` may come while ``waiting``.
    """

    def __init__(self, bits):
        self._bits = bits
        super().__init__({"entered": In(1), "left": In(1), "arm": In(1), "cut": Out(1), "waiting": Out(1)})

    def elaborate(self, platform):
        m = Module()
        inside, following = Signal(self._bits), Signal(self._bits)
        ours = Signal(self._bits)  # of the snapshot, still to leave
        counting_down = Signal()
        empty, last = Signal(), Signal()
        # `following` is 0, without its carry: whether a frame leaves is known late in the clock.
        m.d.comb += [
            following.eq(inside + self.entered - self.left),
            empty.eq(Mux(self.left, inside + self.entered == 1, (inside == 0) & ~self.entered)),
            last.eq(Mux(self.arm, empty, counting_down & self.left & (ours == 1))),
        ]
        m.d.sync += [inside.eq(following), self.cut.eq(last), self.waiting.eq(self.arm | counting_down)]
        with m.If(self.arm):
            m.d.sync += [ours.eq(following), counting_down.eq(~last)]
        with m.Elif(counting_down & self.left):
            m.d.sync += [ours.eq(ours - 1), counting_down.eq(~last)]
        return m
