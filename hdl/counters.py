"""Counters: frames and bytes per verdict, session and rule, in block RAM.

Stands at the end of the match pipeline and takes every verdict record. A counter in RAM is read, added to and
written back over several clocks, so a second record of the same counter must not read in between. Instead of
forwarding sums, each group joins records of one counter *before* they reach the RAM: a record that finds
its counter among the last few is added to that one's small increment and goes no further. Two that are not
joined are then always far enough apart.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.counters import COUNTER_BITS, CounterGroupCode, counter_index
from halfsilver.hdl.layout.verdict import NONE
from halfsilver.hdl.records import VerdictCode, VerdictRecord
from halfsilver.hdl.structs import side_by_side

__all__ = ["SNAPSHOT_CLOCKS", "CounterGroup", "Counters"]

OCTET_BITS = 16
"""Bytes of one record; a record's length saturates at 65,535."""

HALF = COUNTER_BITS // 2
"""Sums are made in two halves, a clock each: a carry chain of all bits would be the longest path of the NIC."""

# Stages of a record: 0 is the register at the input of a group, and each clock takes it one further.
READ = 3  # address at the RAM
LOW = 5  # the RAM's output (stage 4) is in a register; low halves are added
WRITE = 7  # high halves were added (stage 6); write

JOIN = LOW - 1
"""A record is joined to one of the ``JOIN`` before it; later its increment is already in the adder."""

assert READ + JOIN + 1 > WRITE, "a record that was not joined would read before the write"

SETTLE = WRITE + 2
"""Clocks from a record at the input to the first read address that finds it counted."""

SNAPSHOT_CLOCKS = SETTLE + 4
"""Clocks from ``read`` until the snapshot is valid: two reads, as one may meet a write; two registers behind."""


class CounterGroup(wiring.Component):
    """``depth`` counters, one record per clock.

    Ports: ``valid``, ``index``, ``octets``: count one frame of so many bytes; ``read_index``: ``frames`` and
    ``octets_total`` follow two or, if that counter was just being written, three clocks later; ``clear``: write
    0 at ``read_index`` (nothing may be in flight). ``storage`` is the RAM's content, for simulations that start near
    a carry.

    Latency: a read sees what was counted `SETTLE` or more clocks before. Throughput: one record per clock, also of one
    counter again and again. Bad input: none, every index has its counter; sums wrap at COUNTER_BITS.
    Source: ``docs/mirroring.md`` section 9.
    """

    def __init__(self, depth):
        if not isinstance(depth, int) or depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least 2, not {depth!r}")
        self.depth = depth
        row = data.StructLayout({"frames": COUNTER_BITS, "octets": COUNTER_BITS})
        self.storage = memory.MemoryData(shape=row, depth=depth, init=[])
        super().__init__(
            {
                "valid": In(1),
                "index": In(range(depth)),
                "octets": In(OCTET_BITS),
                "clear": In(1),
                "read_index": In(range(depth)),
                "frames": Out(COUNTER_BITS),
                "octets_total": Out(COUNTER_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = storage = memory.Memory(self.storage)
        write = storage.write_port()
        update = storage.read_port()
        readout = storage.read_port()

        stages = self._join(m)
        # The RAM's output is registered before anything is made of it (ECP5: its clock-to-output is slow).
        fetched = Signal(self.storage.shape)
        m.d.comb += update.addr.eq(stages[READ].index)
        m.d.sync += fetched.eq(update.data)

        sums = {"frames": stages[LOW].frames, "octets": stages[LOW].octets}
        for name, increment in sums.items():
            low = Signal(HALF + 1, name=f"{name}_low")
            high = Signal(HALF, name=f"{name}_high")
            m.d.sync += [low.eq(fetched[name][:HALF] + increment), high.eq(fetched[name][HALF:])]
            total = Signal(COUNTER_BITS, name=f"{name}_total")
            m.d.sync += total.eq(Cat(low[:HALF], (high + low[HALF])[:HALF]))
            m.d.comb += write.data[name].eq(Mux(self.clear, 0, total))
        m.d.comb += [
            write.addr.eq(Mux(self.clear, self.read_index, stages[WRITE].index)),
            write.en.eq(self.clear | stages[WRITE].valid),
        ]

        # A row read in the clock it is written is undefined in some RAMs: what was read before stays. Writes of
        # one row are more than JOIN clocks apart, so one clock later it reads well.
        collided = Signal()
        m.d.comb += readout.addr.eq(self.read_index)
        m.d.sync += collided.eq(write.en & (write.addr == readout.addr))
        with m.If(~collided):
            m.d.sync += [self.frames.eq(readout.data.frames), self.octets_total.eq(readout.data.octets)]
        return m

    def _join(self, m):
        """The shift register of increments: one entry per clock from the input to the write."""
        entry = data.StructLayout(
            {
                "valid": 1,
                "index": range(self.depth),
                "frames": range(JOIN + 2),
                "octets": OCTET_BITS + (JOIN + 1).bit_length(),
            }
        )
        stages = [Signal(entry, name=f"stage{number}") for number in range(WRITE + 1)]
        newest = stages[0]
        # Bit k: the entry now in stage k + 1 has the counter of the newest record. Found a clock earlier,
        # when the record was at the input and the entry in stage k. At most one bit is set: entries of one
        # counter are more than JOIN apart.
        same = Signal(JOIN)
        alone = Signal()
        m.d.comb += alone.eq(newest.valid & ~same.any())
        for number in range(JOIN):
            live = alone if number == 0 else stages[number].valid
            m.d.sync += same[number].eq(self.valid & live & (stages[number].index == self.index))

        m.d.sync += [
            newest.valid.eq(self.valid),
            newest.index.eq(self.index),
            newest.frames.eq(1),
            newest.octets.eq(self.octets),
            stages[1].eq(newest),
            stages[1].valid.eq(alone),
        ]
        for number in range(1, WRITE):
            m.d.sync += stages[number + 1].eq(stages[number])
            if number <= JOIN:
                joined = same[number - 1]
                m.d.sync += [
                    stages[number + 1].frames.eq(stages[number].frames + joined),
                    stages[number + 1].octets.eq(stages[number].octets + Mux(joined, newest.octets, 0)),
                ]
        return stages


class Counters(wiring.Component):
    """Counters of all verdicts, sessions and rules.

    Ports
    -----
    i          always-ready stream of ``record`` (`VerdictRecord`) and ``octets``, the bytes it counts; should
               come from a register
    o_ready    low while the RAM is being cleared after reset; until it is high nothing may come to ``i``
    read       one clock: take a snapshot of the counter ``read_index`` of ``read_group``
    read_busy  from the clock after ``read`` until the snapshot is valid
    frames     the snapshot; stays until the next ``read``; 0 for a counter that does not exist
    octets     likewise, bytes

    Groups and indices are those of `halfsilver.hdl.layout.counters`; the index of a counter is that of its record's
    fields side by side.

    Throughput: one record per clock, whatever its counters. A snapshot is valid `SNAPSHOT_CLOCKS` after
    ``read`` and holds every record that was at ``i`` in or before the clock of ``read``, and perhaps later
    ones. Clearing takes one clock per counter of the largest group: 512 for 4 ENIs, 2,048 for 16.
    """

    def __init__(self, parameters):
        self._indices = {
            group: counter_index(group, parameters.eni_bits, parameters.rule_bits) for group in CounterGroupCode
        }
        self.depths = tuple(1 << index.width for index in self._indices.values())
        super().__init__(
            {
                "i": In(
                    stream.Signature(
                        data.StructLayout({"record": VerdictRecord, "octets": OCTET_BITS}), always_ready=True
                    )
                ),
                "o_ready": Out(1),
                "read": In(1),
                "read_group": In(2),
                "read_index": In(16),
                "read_busy": Out(1),
                "frames": Out(COUNTER_BITS),
                "octets": Out(COUNTER_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        groups = dict(zip(self._indices, map(CounterGroup, self.depths), strict=True))
        for code, group in groups.items():
            m.submodules[f"{code.name.lower()}s"] = group
        self._count(m, groups)

        clearing = Signal(range(max(self.depths)))
        with m.If(~self.o_ready):
            m.d.sync += clearing.eq(clearing + 1)
            m.d.sync += self.o_ready.eq(clearing == max(self.depths) - 1)

        wanted = Signal(16)
        for group in groups.values():
            m.d.comb += [group.clear.eq(~self.o_ready), group.read_index.eq(Mux(self.o_ready, wanted, clearing))]
        self._snapshot(m, groups, wanted)
        return m

    def _count(self, m, groups):
        """Which counters a record is for."""
        record = self.i.payload.record
        mirrored = (record.verdict == VerdictCode.MIRRORED) & (record.session != NONE)
        counted = {
            CounterGroupCode.VERDICT: self.i.valid,
            CounterGroupCode.SESSION: self.i.valid & mirrored,
            CounterGroupCode.RULE: self.i.valid & (record.rule != NONE),
        }
        for code, group in groups.items():
            index = self._indices[code]
            fields = {member.name: record[member.name] for member in index.members}
            m.d.comb += [
                group.valid.eq(counted[code]),
                group.index.eq(side_by_side(index, **fields)),
                group.octets.eq(self.i.payload.octets),
            ]

    def _snapshot(self, m, groups, wanted):
        """The read is held until every earlier record has settled."""
        wait = Signal(range(SNAPSHOT_CLOCKS))
        chosen = Signal(len(groups))
        m.d.comb += self.read_busy.eq(wait != 0)
        with m.If(self.read):
            m.d.sync += [wait.eq(SNAPSHOT_CLOCKS - 1), wanted.eq(self.read_index)]
            for code, group in groups.items():
                exists = (self.read_group == code) & (self.read_index < group.depth)
                m.d.sync += chosen[code].eq(exists & self.o_ready)
        with m.Elif(self.read_busy):
            m.d.sync += wait.eq(wait - 1)
        with m.If(wait == 1):
            for snapshot, name in ((self.frames, "frames"), (self.octets, "octets_total")):
                value = 0
                for code, group in groups.items():
                    value = value | Mux(chosen[code], getattr(group, name), 0)
                m.d.sync += snapshot.eq(value)
