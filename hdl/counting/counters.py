"""Counters: frames and bytes per verdict, session, rule and port, and a snapshot of them all.

    records --> lanes (narrow, two banks) --\\
                                             > walker, row by row --> totals --> snapshot --> host
    ports   --> port tallies (narrow) ------/

Records come as fast as one per clock and direction, and each is for several counters. They are summed in narrow lanes;
the walker goes round, takes what they have and adds it to the totals. So there is one wide adder, whatever the rate,
and no count waits for it.

What belongs to a snapshot is decided frame by frame and not by the clock: all frames that had entered by a port at its
instant, with their verdicts and their leaving by the other port, and none that came later. So its sums meet exactly
under any traffic.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.counting.cut import Cut
from halfsilver.hdl.counting.lane import OCTET_BITS, Lane, increment_layout
from halfsilver.hdl.counting.port_tally import PortTally
from halfsilver.hdl.counting.rows import PORTS, Rows
from halfsilver.hdl.counting.totals import Totals
from halfsilver.hdl.counting.walker import Walker, clear_clocks, pass_clocks
from halfsilver.hdl.layout.counters import COUNTER_BITS, VERDICT_BITS, CounterGroupCode, PortCode
from halfsilver.hdl.layout.verdict import NONE, DirectionCode
from halfsilver.hdl.mirror_queue import undecided_frames
from halfsilver.hdl.pipeline import delay, registered
from halfsilver.hdl.records import VerdictCode, VerdictRecord
from halfsilver.hdl.stream.frame_meter import FrameEvent

__all__ = ["Counters"]

_ON_THEIR_WAY = 64
"""Frames of a direction without a verdict are never so many more than those that have ended (`undecided_frames`)."""

_LEAVING_BITS = 16
"""Of frames that have entered and not left. Production may wait while the longest copy leaves: at 8 bits so many frames
of a byte as that has bytes."""

_NO_PORT = 15
"""Place of no port among what was seen: each port has two, for its good frames and its bad ones."""

_PAUSES = Lane.SETTLE_CLOCKS, Totals.WRITE_CLOCKS
"""Of the walker, before and after its rows."""

_READ_CLOCKS = 1 + Totals.READ_CLOCKS
"""From ``read`` to the counter: its row is found first."""

assert Lane.EMPTY_CLOCKS + 2 == Totals.ADD_CLOCKS, "what the lanes and ports have is chosen from, then compared"


class Counters(wiring.Component):
    """Counters of all verdicts, sessions, rules and ports.

    Parameters: ``parameters`` (NicParameters).

    Ports
    -----
    i               per matcher, an always-ready stream of ``record`` (`VerdictRecord`) and ``octets``, the bytes it
                    counts; of two, the second is egress. Nothing may come in the first FIRST_RECORD clocks after reset,
                    and nothing that names a session until ``o_ready``
    i_ports         FrameEvents by `PortCode`; a frame's comes before its verdict, and that of its entering before that
                    of its leaving
    i_stopped       in a build with ``security_groups``: an ingress frame goes no further, in its place among the events
                    of those that leave
    o_ready         the totals have been cleared after reset
    take            one clock: take a snapshot. Several, while the one before is not whole, are one
    busy            from the clock after ``take`` until the snapshot is whole
    taken           snapshots that became whole since reset, wraps
    read            one clock: show the counter ``read_index`` of ``read_group`` in the snapshot
    read_busy       from the clock after ``read`` until it shows
    frames, octets  the counter; 0 for one that does not exist, and before the first snapshot

    Groups and indices are those of `halfsilver.hdl.layout.counters`.

    Throughput: one record per clock and matcher, one event per clock and port, whatever their counters, also while a
    snapshot is taken or read.
    Latency: a snapshot's instant is at most ``instant_clocks`` after ``take``, where none is under way. It is whole
    ``3 * pass_clocks`` later, or as long after the last of its frames has its verdict and has left. While ``busy``,
    what is read means nothing.
    Clearing takes ``clear_clocks`` after reset; counting goes on meanwhile.
    Bad input: none, every index has its counter; totals wrap at COUNTER_BITS.
    Source: ``docs/mirroring.md`` section 9.
    """

    FIRST_RECORD = 1 << VERDICT_BITS

    def __init__(self, parameters):
        self._rows, self._matchers = Rows(parameters), parameters.matchers
        self._guarded = parameters.security_groups > 0
        self._unjudged = undecided_frames(parameters) + _ON_THEIR_WAY
        self._lane_bits = {
            CounterGroupCode.VERDICT: VERDICT_BITS,
            CounterGroupCode.SESSION: self._rows.layout["session"].width + parameters.eni_bits + 1,
            CounterGroupCode.RULE: self._rows.layout.size,
        }
        self.pass_clocks, self.clear_clocks = pass_clocks(self._rows, *_PAUSES), clear_clocks(self._rows)
        records = stream.Signature(
            data.StructLayout({"record": VerdictRecord, "octets": OCTET_BITS}), always_ready=True
        )
        super().__init__(
            {
                "i": In(records).array(parameters.matchers),
                "i_ports": In(FrameEvent).array(len(PortCode)),
                **({"i_stopped": In(1)} if self._guarded else {}),
                "o_ready": Out(1),
                "take": In(1),
                "busy": Out(1),
                "taken": Out(16),
                "read": In(1),
                "read_group": In(2),
                "read_index": In(16),
                "read_busy": Out(1),
                "frames": Out(COUNTER_BITS),
                "octets": Out(COUNTER_BITS),
            }
        )

    @property
    def instant_clocks(self):
        """From ``take`` to the snapshot's instant, at most."""
        return max(self.clear_clocks, self.pass_clocks) + 2

    @property
    def frame_bits(self):
        """Bits of the frames in a lane: as many records as may come until it is emptied.

        Behind a cut, records come for the rest of the pass under way, then for those of both directions' snapshot and
        one more; and then the next snapshot may wait for the verdicts of what is in. Until the first pass over
        egress, they come while the totals are cleared and ingress is walked.
        """
        return max(self.clear_clocks + 2 * self.pass_clocks, 4 * self.pass_clocks + self._unjudged).bit_length()

    def elaborate(self, platform):
        m = Module()
        m.submodules.walker = walker = Walker(self._rows, *_PAUSES)
        m.submodules.totals = totals = Totals(self._rows.layout.size + 1, self.frame_bits)
        m.d.comb += [
            walker.take.eq(self.take),
            self.busy.eq(walker.busy),
            self.taken.eq(walker.taken),
            self.o_ready.eq(walker.ready),
        ]
        cuts, leaving = self._cut(m, walker)
        lanes = self._count(m, walker)
        ports = self._count_ports(m, cuts)
        m.d.sync += walker.open.eq(Cat(leaving, [tally.kept for tally in ports.values()]).any())
        self._add_up(m, walker, totals, lanes, ports)
        self._show(m, totals)
        return m

    def _judged(self, direction):
        """A record of the direction is at the input."""
        if self._matchers == 2:
            return self.i[direction].valid
        return self.i[0].valid & (self.i[0].p.record.direction[0] == direction)

    def _cut(self, m, walker):
        """Which frames are the snapshot's: of each direction those judged, for the lanes, and those that left.

        Returns the cut of each port, and whether frames are still to leave.
        """
        at_once = registered(m, walker.arm, "at_once")
        cuts = dict.fromkeys(PortCode, at_once)
        leaving = []
        for direction, (enters, leaves, *_) in PORTS.items():
            m.submodules[f"judged_{direction:d}"] = judged = Cut(self._unjudged.bit_length())
            m.submodules[f"left_{direction:d}"] = left = Cut(_LEAVING_BITS)
            gone = self.i_ports[leaves].valid
            if self._guarded and direction == DirectionCode.INGRESS:
                gone = gone | self.i_stopped
            for cut, event in ((judged, self._judged(direction)), (left, gone)):
                m.d.comb += [cut.entered.eq(self.i_ports[enters].valid), cut.left.eq(event), cut.arm.eq(walker.arm)]
            m.d.comb += [walker.cut[direction].eq(judged.cut), walker.waiting[direction].eq(judged.waiting)]
            cuts[leaves] = left.cut
            leaving.append(left.waiting)
        return cuts, leaving

    def _count(self, m, walker):
        """Which counters a record is for. Returns the lanes, as (group, directions it serves, lane).

        Records are a clock late, as the cuts are.
        """
        lanes = []
        row = self._rows.layout
        for number, records in enumerate(self.i):
            record = records.p.record
            due = (record.verdict == VerdictCode.MIRRORED) | (record.verdict == VerdictCode.CONGESTED)
            skipped = record.verdict == VerdictCode.CONGESTED
            session = Cat(record.session[: row["session"].width], record.eni[: row["eni"].width])
            counted = {
                CounterGroupCode.VERDICT: (True, record.verdict.as_value()[:VERDICT_BITS]),
                CounterGroupCode.SESSION: (due & (record.session != NONE), Cat(session, skipped)),
                CounterGroupCode.RULE: (record.rule != NONE, Cat(record.rule[: row["place"].width], session)),
            }
            octets = registered(m, records.p.octets, "octets")
            egress = registered(m, record.direction[0], "egress")
            directions = (number,) if self._matchers == 2 else tuple(DirectionCode)
            live = walker.live[number] if self._matchers == 2 else Mux(egress, walker.live[1], walker.live[0])
            for group, (counts, index) in counted.items():
                lane = Lane(self._lane_bits[group], 1 if self._matchers == 2 else 2, self.frame_bits)
                m.submodules[f"{group.name.lower()}s_{number}"] = lane
                m.d.sync += [lane.valid.eq(records.valid & counts), lane.index.eq(index)]
                m.d.comb += [lane.bank.eq(Cat(live, egress)), lane.octets.eq(octets)]
                lanes.append((group, directions, lane))
        return lanes

    def _count_ports(self, m, cuts):
        """Frames at the ports. Returns the tallies, by port and mark; copies are never marked."""
        tallies = {}
        for port, event in zip(PortCode, self.i_ports, strict=True):
            for bad in range(1 if port is PortCode.COPIES_OUT else 2):
                m.submodules[f"{port.name.lower()}_{'bad' if bad else 'good'}"] = tally = PortTally(self.frame_bits)
                m.d.comb += [
                    tally.valid.eq(event.valid & (event.bad == bad)),
                    tally.octets.eq(event.octets),
                    tally.cut.eq(cuts[port]),
                ]
                tallies[port, bad] = tally
        return tallies

    def _add_up(self, m, walker, totals, lanes, ports):
        """What the lanes have of the walker's row goes to the totals, and what came to a port since it was there."""
        found = [*self._empty(m, walker, lanes), *self._look(m, walker, ports)]
        chosen, to_snapshot = Signal(increment_layout(self.frame_bits)), Signal()
        any_of, any_snapshot = 0, 0
        for taken, sums, snapshot in found:
            any_of = any_of | Mux(taken, sums.as_value(), 0)
            any_snapshot = any_snapshot | (taken & snapshot)
        m.d.sync += [chosen.eq(any_of), to_snapshot.eq(any_snapshot)]

        seen = self._seen(m, walker, ports, chosen)
        increment = Signal.like(chosen)
        m.d.sync += [increment[name].eq(chosen[name] - seen[name]) for name in ("frames", "octets")]
        m.d.comb += [
            totals.add.eq(walker.walk),
            totals.row.eq(Cat(walker.row, walker.direction)),
            totals.clear.eq(walker.clear),
            totals.increment.eq(increment),
            totals.snapshot.eq(registered(m, to_snapshot, "to_snapshot_late")),
        ]

    def _empty(self, m, walker, lanes):
        """(taken, sums, are they the snapshot's) of each lane, Lane.EMPTY_CLOCKS after the row."""
        rows, row = self._rows, walker.row
        skipped = rows.is_session(row)[1]
        of_group = {
            CounterGroupCode.VERDICT: (rows.is_verdict(row), row.place[:VERDICT_BITS]),
            CounterGroupCode.SESSION: (rows.is_session(row).any(), Cat(row.session, row.eni, skipped)),
            CounterGroupCode.RULE: (rows.is_rule(row), row.as_value()),
        }
        # What was after reset in a lane's RAM is cleared a clock behind the totals; the verdicts' lanes are counted
        # into when the first rows have been.
        first_rows = Cat(row, walker.direction) >> VERDICT_BITS == 0
        early = registered(m, walker.clear & first_rows, "early")
        clear_late = registered(m, walker.clear, "clear_late")
        row_late = registered(m, row, "row_late").as_value()
        # It stays as it is from SETTLE to the end of REST, so that a clock more is no matter.
        frozen = registered(m, Cat(~Mux(walker.direction, walker.live[1], walker.live[0]), walker.direction), "frozen")
        found = []
        for group, directions, lane in lanes:
            here, index = of_group[group]
            mine = True if len(directions) == 2 else walker.direction == directions[0]
            taken = walker.walk & walker.empty & mine & here
            name = f"{group.name.lower()}_{directions[0]:d}"
            taken_late = registered(m, taken, f"taken_{name}")
            index_late = registered(m, index, f"index_{name}")
            clear = early if group is CounterGroupCode.VERDICT else clear_late
            m.d.comb += [
                lane.empty.eq(walker.walk & walker.empty & mine),
                lane.empty_bank.eq(frozen),
                lane.empty_index.eq(index),
                lane.clear.eq(Mux(clear, (1 << len(lane.clear)) - 1, taken_late << lane.empty_bank)),
                lane.clear_index.eq(Mux(clear_late, row_late[: len(index)], index_late)),
            ]
            found.append((delay(m, taken_late, Lane.EMPTY_CLOCKS - 1, f"taken_{name}_late"), lane.o, walker.snapshot))
        return found

    def _look(self, m, walker, ports):
        """Likewise of each port."""
        found = []
        for (port, bad), tally in ports.items():
            here = walker.walk & self._rows.is_port(walker.row, walker.direction, port)[bad]
            taken = delay(m, here, Lane.EMPTY_CLOCKS, f"taken_{port.name.lower()}_{bad}")
            m.d.comb += tally.release.eq(taken)
            found.append((taken, tally.o, tally.kept))
        return found

    def _seen(self, m, walker, ports, chosen):
        """What was chosen at this port when the walker was last there, in the clock of ``chosen``; 0 at other rows."""
        m.submodules.seen = memory_of_seen = memory.Memory(shape=chosen.shape(), depth=_NO_PORT + 1, init=[])
        read, write = memory_of_seen.read_port(), memory_of_seen.write_port()
        place = _NO_PORT
        for port, bad in ports:
            place = Mux(self._rows.is_port(walker.row, walker.direction, port)[bad], 2 * port + bad, place)
        at = delay(m, Mux(walker.walk, place, _NO_PORT)[: _NO_PORT.bit_length()], Lane.EMPTY_CLOCKS, "port")
        noted = registered(m, at, "noted")
        m.d.comb += [
            read.addr.eq(at),
            write.addr.eq(Mux(walker.clear, walker.row.as_value()[: len(at)], noted)),
            write.data.eq(chosen),
            write.en.eq(walker.clear | (noted != _NO_PORT)),
        ]
        return read.data

    def _show(self, m, totals):
        """The host reads the snapshot."""
        row, exists = self._rows.of_counter(self.read_group, self.read_index)
        wait = Signal(range(_READ_CLOCKS))
        shown = Signal()
        m.d.comb += self.read_busy.eq(wait != 0)
        with m.If(self.read):
            m.d.sync += [wait.eq(_READ_CLOCKS - 1), totals.read_row.eq(row), shown.eq(exists)]
        with m.Elif(self.read_busy):
            m.d.sync += wait.eq(wait - 1)
        for value, total in ((self.frames, totals.frames), (self.octets, totals.octets)):
            m.d.comb += value.eq(Mux(shown, total, 0))
