"""Totals: frames and bytes, 64 bits each, in block RAM; and the snapshot, a copy that the host reads."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.counting.lane import OCTET_BITS, increment_layout
from halfsilver.hdl.layout.counters import COUNTER_BITS
from halfsilver.hdl.pipeline import delay

__all__ = ["Totals"]

_HALF = COUNTER_BITS // 2
"""Sums are made in two halves, a clock each: a carry chain of all bits would be the longest path of the NIC."""

# Clocks of a row: 0 is its address at the input.
_READ = 3
_ADD = _READ + 2  # the RAM's output is in a register
_WRITE = _ADD + 2


class Totals(wiring.Component):
    """One adder over a RAM of ``2**row_bits`` rows.

    Ports
    -----
    add, row            add to the row ...
    increment           ... ADD_CLOCKS later this, of ``increment_layout(frame_bits)`` ...
    snapshot            ... and with it: the sum is the snapshot's as well
    clear               the row becomes 0 at once, in both; from the first clock after reset on, or not at all
    read_row            the snapshot of this row ...
    frames, octets      ... is here READ_CLOCKS clocks later

    ``storage`` is the RAM's content, for simulations that start near a carry.

    Throughput: a row per clock; one row again only after WRITE_CLOCKS. Sums wrap at COUNTER_BITS.
    """

    ADD_CLOCKS = _ADD
    WRITE_CLOCKS = _WRITE
    READ_CLOCKS = 2

    def __init__(self, row_bits, frame_bits):
        counter = data.StructLayout({"frames": COUNTER_BITS, "octets": COUNTER_BITS})
        self.storage = memory.MemoryData(shape=counter, depth=1 << row_bits, init=[])
        self._increment = increment_layout(frame_bits)
        if frame_bits + OCTET_BITS > _HALF:
            raise ValueError(f"frame_bits must be at most {_HALF - OCTET_BITS}, not {frame_bits!r}")
        super().__init__(
            {
                "add": In(1),
                "row": In(row_bits),
                "increment": In(self._increment),
                "snapshot": In(1),
                "clear": In(1),
                "read_row": In(row_bits),
                "frames": Out(COUNTER_BITS),
                "octets": Out(COUNTER_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        counter = self.storage.shape
        m.submodules.running = running = memory.Memory(self.storage)
        m.submodules.shown = shown = memory.Memory(shape=counter, depth=self.storage.depth, init=[])
        before, total = Signal(counter), Signal(counter)
        read = running.read_port()
        m.d.comb += read.addr.eq(delay(m, self.row, _READ, "row_read"))
        # A RAM's output is registered before anything is made of it (ECP5: its clock-to-output is slow).
        m.d.sync += before.eq(read.data)

        for name in ("frames", "octets"):
            low, high = Signal(_HALF + 1, name=f"{name}_low"), Signal(_HALF, name=f"{name}_high")
            m.d.sync += [
                low.eq(before[name][:_HALF] + self.increment[name]),
                high.eq(before[name][_HALF:]),
                total[name].eq(Cat(low[:_HALF], (high + low[_HALF])[:_HALF])),
            ]
        with m.If(self.clear):
            m.d.sync += total.eq(0)

        row, added = delay(m, self.row, _WRITE, "row_written"), delay(m, self.add, _WRITE, "added")
        to_snapshot = delay(m, self.snapshot, _WRITE - _ADD, "to_snapshot")
        for store, enabled in ((running, added), (shown, added & to_snapshot)):
            write = store.write_port()
            m.d.comb += [
                write.addr.eq(Mux(self.clear, self.row, row)),
                write.data.eq(total),
                write.en.eq(self.clear | enabled),
            ]

        show = shown.read_port()
        m.d.comb += show.addr.eq(self.read_row)
        m.d.sync += [self.frames.eq(show.data.frames), self.octets.eq(show.data.octets)]
        return m
