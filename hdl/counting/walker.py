"""The walker: goes round the rows of the totals, direction after direction, and says what is the snapshot's."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Walker", "clear_clocks", "pass_clocks"]


def pass_clocks(rows, settle_clocks, write_clocks):
    """Clocks from one choice of a direction to the next, at most."""
    return rows.walked + settle_clocks + write_clocks + 5


def clear_clocks(rows):
    """Clocks after reset until ``ready``."""
    return 2 << rows.layout.size


class _State(enum.Enum, shape=3):
    CLEAR = 0  # after reset: every row, and every place of a lane, becomes 0
    CHOOSE = 1  # which direction, and what for
    SETTLE = 2  # until the records of the bank that was left are in their sums
    WALK = 3
    REST = 4  # until the last row is written


class Walker(wiring.Component):
    """Empties the lanes of a direction, then those of the other, for ever; and takes snapshots on its way.

    Parameters: ``rows`` (Rows), ``settle_clocks`` of a lane, ``write_clocks`` from a row to its total in the RAM.

    Ports
    -----
    take        one clock: a snapshot is wanted
    busy        from the clock after ``take`` until the snapshot is whole
    taken       snapshots that became whole, wraps
    ready       cleared after reset
    arm         one clock: this is the snapshot's instant
    cut         per direction: records that go into a lane from the next clock on are not the snapshot's (`Cut`)
    waiting     per direction: records of the snapshot are still to come
    open        a clock ago, frames of the snapshot were still to leave by a port, or were kept there
    live        per direction: the lanes' bank that records go into
    clear       the row becomes 0
    walk        the row is taken up
    row, direction   which one; while ``clear``, rows in ascending order instead
    empty       the direction's lanes are emptied, and not its ports alone: the bank that is not ``live``
    snapshot    what the lanes' rows become is the snapshot's

    A direction whose snapshot waits for records has its ports walked only, as its other bank must stay free for the
    records that come behind the cut.
    """

    def __init__(self, rows, settle_clocks, write_clocks):
        self._rows, self._settle_clocks, self._write_clocks = rows, settle_clocks, write_clocks
        super().__init__(
            {
                "take": In(1),
                "busy": Out(1),
                "taken": Out(16),
                "ready": Out(1),
                "arm": Out(1),
                "cut": In(2),
                "waiting": In(2),
                "open": In(1),
                "live": Out(2),
                "clear": Out(1),
                "walk": Out(1),
                "row": Out(rows.layout),
                "direction": Out(1),
                "empty": Out(1),
                "snapshot": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        state = Signal(_State)
        wanted, under_way = Signal(), Signal()
        due = Signal(2)  # cut, and not walked since
        turn = Signal()
        pause = Signal(range(max(self._settle_clocks, self._write_clocks) + 1))
        m.d.comb += self.busy.eq(wanted | under_way)
        with m.If(self.take):
            m.d.sync += wanted.eq(1)
        for direction in range(2):
            with m.If(self.cut[direction]):
                m.d.sync += [self.live[direction].eq(~self.live[direction]), due[direction].eq(1)]

        behind, last = self._rows.following(self.row)
        with m.Switch(state):
            with m.Case(_State.CLEAR):
                m.d.comb += self.clear.eq(1)
                m.d.sync += Cat(self.row, self.direction).eq(Cat(self.row, self.direction) + 1)
                with m.If(Cat(self.row, self.direction).all()):
                    m.d.sync += [state.eq(_State.CHOOSE), self.ready.eq(1)]
            with m.Case(_State.CHOOSE):
                chosen = Mux(due.any() & ~Mux(turn, due[1], due[0]), ~turn, turn)
                is_due = Mux(chosen, due[1], due[0])
                with m.If(under_way & ~(due | self.waiting).any() & ~self.open):
                    m.d.sync += [under_way.eq(0), self.taken.eq(self.taken + 1)]
                with m.Elif(wanted & ~under_way):
                    m.d.comb += self.arm.eq(1)
                    # The cuts may come at once; they, and ``open``, are known three clocks later.
                    m.d.sync += [under_way.eq(1), wanted.eq(self.take), self.snapshot.eq(0)]
                    m.d.sync += [state.eq(_State.REST), pause.eq(2)]
                with m.Else():
                    m.d.sync += [
                        self.direction.eq(chosen),
                        self.snapshot.eq(is_due),
                        self.empty.eq(~Mux(chosen, self.waiting[1], self.waiting[0])),
                        turn.eq(~chosen),
                        pause.eq(self._settle_clocks),
                        state.eq(_State.SETTLE),
                    ]
                    for direction in range(2):
                        with m.If((chosen == direction) & ~is_due & ~self.waiting[direction]):
                            m.d.sync += self.live[direction].eq(~self.live[direction])
            with m.Case(_State.SETTLE):
                m.d.sync += pause.eq(pause - 1)
                with m.If(pause == 0):
                    m.d.sync += state.eq(_State.WALK)
            with m.Case(_State.WALK):
                m.d.comb += self.walk.eq(1)
                m.d.sync += self.row.eq(Mux(last, 0, behind))
                with m.If(last):
                    m.d.sync += [state.eq(_State.REST), pause.eq(self._write_clocks)]
            with m.Case(_State.REST):
                m.d.sync += pause.eq(pause - 1)
                with m.If(pause == 0):
                    m.d.sync += state.eq(_State.CHOOSE)
                    with m.If(self.snapshot):
                        for direction in range(2):
                            with m.If(self.direction == direction):
                                m.d.sync += due[direction].eq(0)
        return m
