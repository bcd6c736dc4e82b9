"""A lane: narrow sums of one group of counters, on their way into the wide totals.

A counter in RAM is read, added to and written back over several clocks, so a second record of the same counter must
not read in between. Instead of forwarding sums, a lane joins records of one counter *before* they reach the RAM: a
record that finds its counter among the last few is added to that one's small increment and goes no further. Two that
are not joined are then always far enough apart.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["OCTET_BITS", "Lane", "increment_layout"]

OCTET_BITS = 16
"""Bytes of one record; a record's length saturates at 65,535."""

# Stages of a record: 0 is the register at the input, and each clock takes it one further. The RAM has a register
# before it and one behind it (ECP5: it wants its inputs early, and its clock-to-output is slow).
_READ = 2  # address at the register before the RAM
_ADD = _READ + 3  # the RAM's output (stage 4) is in a register
_WRITE = _ADD + 1  # sum at the register before the RAM

_JOIN = _WRITE - _READ
"""A record is joined to one of the ``_JOIN`` before it; those further ahead it may follow."""

assert _JOIN < _ADD, "a record would be joined to one whose increment is already in the adder"


def increment_layout(frame_bits):
    """Frames and bytes of up to ``2**frame_bits - 1`` records."""
    return data.StructLayout({"frames": frame_bits, "octets": frame_bits + OCTET_BITS})


class Lane(wiring.Component):
    """Banks of ``2**index_bits`` sums each, as many as ``2**bank_bits``. Some count while one is emptied.

    Ports
    -----
    valid, bank, index, octets   count one frame of so many bytes there
    empty, empty_bank            while ``empty`` is high, no record may come to that bank, or be on its way, and ...
    empty_index                  ... EMPTY_CLOCKS later ``o`` is the sum that stands there ...
    clear, clear_index           ... and by ``clear`` it becomes 0, one bit per bank
    o                            frames and bytes

    Latency: a record is in its sum SETTLE_CLOCKS clocks after it was at the input. Throughput: one record per clock,
    also of one counter again and again. Bad input: a sum of more than ``2**frame_bits - 1`` records would wrap; whoever
    empties the lane must be in time.
    """

    SETTLE_CLOCKS = _WRITE + 3
    EMPTY_CLOCKS = 3

    def __init__(self, index_bits, bank_bits, frame_bits):
        if min(index_bits, bank_bits, frame_bits) < 1:
            sizes = f"{index_bits!r}, {bank_bits!r} and {frame_bits!r}"
            raise ValueError(f"index_bits, bank_bits and frame_bits must be at least 1, not {sizes}")
        self._index_bits, self._bank_bits, self._sum = index_bits, bank_bits, increment_layout(frame_bits)
        super().__init__(
            {
                "valid": In(1),
                "bank": In(bank_bits),
                "index": In(index_bits),
                "octets": In(OCTET_BITS),
                "empty": In(1),
                "empty_bank": In(bank_bits),
                "empty_index": In(index_bits),
                "clear": In(1 << bank_bits),
                "clear_index": In(index_bits),
                "o": Out(self._sum),
            }
        )

    def elaborate(self, platform):
        m = Module()
        stages = self._join(m)
        fetched = Array(Signal(self._sum.size, name=f"fetched_{bank}") for bank in range(1 << self._bank_bits))
        total = Signal(self._sum)
        reading, adding, writing = stages[_READ], stages[_ADD], stages[_WRITE]
        before = Signal(self._sum)
        m.d.comb += [before.eq(fetched[adding.bank]), self.o.eq(fetched[self.empty_bank])]
        m.d.sync += [total.frames.eq(before.frames + adding.frames), total.octets.eq(before.octets + adding.octets)]

        for bank in range(1 << self._bank_bits):
            storage = memory.Memory(shape=self._sum, depth=1 << self._index_bits, init=[])
            m.submodules[f"bank_{bank}"] = storage
            read, write = storage.read_port(), storage.write_port()
            clear = self.clear[bank]
            m.d.sync += [
                fetched[bank].eq(read.data),
                read.addr.eq(Mux(self.empty & (self.empty_bank == bank), self.empty_index, reading.index)),
                write.addr.eq(Mux(clear, self.clear_index, writing.index)),
                write.data.eq(Mux(clear, 0, total.as_value())),
                write.en.eq(clear | (writing.valid & (writing.bank == bank))),
            ]
        return m

    def _join(self, m):
        """The shift register of increments: one entry per clock from the input to the write."""
        entry = data.StructLayout(
            {
                "valid": 1,
                "index": self._index_bits,
                "bank": self._bank_bits,
                "frames": range(_JOIN + 2),
                "octets": OCTET_BITS + (_JOIN + 1).bit_length(),
            }
        )
        stages = [Signal(entry, name=f"stage{number}") for number in range(_WRITE + 1)]
        newest = stages[0]
        # Bit k: the entry now in stage k + 1 has the counter of the newest record. Found a clock earlier,
        # when the record was at the input and the entry in stage k. At most one bit is set: entries of one
        # counter are more than _JOIN apart.
        same = Signal(_JOIN)
        alone = Signal()
        m.d.comb += alone.eq(newest.valid & ~same.any())
        place = Cat(self.index, self.bank)
        for number in range(_JOIN):
            live = alone if number == 0 else stages[number].valid
            m.d.sync += same[number].eq(self.valid & live & (Cat(stages[number].index, stages[number].bank) == place))

        m.d.sync += [
            newest.valid.eq(self.valid),
            newest.index.eq(self.index),
            newest.bank.eq(self.bank),
            newest.frames.eq(1),
            newest.octets.eq(self.octets),
            stages[1].eq(newest),
            stages[1].valid.eq(alone),
        ]
        for number in range(1, _WRITE):
            m.d.sync += stages[number + 1].eq(stages[number])
            if number <= _JOIN:
                joined = same[number - 1]
                m.d.sync += [
                    stages[number + 1].frames.eq(stages[number].frames + joined),
                    stages[number + 1].octets.eq(stages[number].octets + Mux(joined, newest.octets, 0)),
                ]
        return stages
