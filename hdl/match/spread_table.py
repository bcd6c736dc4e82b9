"""The spread table: which receiver of a session has which slot of its flows, two banks, in block RAM."""

from amaranth.hdl import Cat, Module, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.tables import SLOTS, SLOTS_PER_WORD, SPREAD_AT, SPREAD_WORD, spread_index
from halfsilver.hdl.match.session import Place
from halfsilver.hdl.pipeline import delay, registered
from halfsilver.hdl.records import Table
from halfsilver.hdl.structs import struct_of
from halfsilver.hdl.table_port import TablePort

__all__ = ["SpreadTable"]


class SpreadTable(wiring.Component):
    """The spread words in table 1 of the register map.

    Ports: ``write``, the table write port; ``i_place`` and ``i_slot``, a session and the slot of a flow; ``o`` the
    number of the receiver that has it, READ_CLOCKS later.

    Throughput: one flow per clock, without a stall. A session that never had such words has all slots with receiver 0.
    Source: ``docs/mirroring.md`` section 17.
    """

    READ_CLOCKS = 2
    WRITE_CLOCKS = 1

    def __init__(self, parameters):
        self._eni_bits = parameters.eni_bits
        super().__init__(
            {
                "write": In(TablePort()),
                "i_place": In(Place),
                "i_slot": In(range(SLOTS)),
                "o": Out(parameters.receiver_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        write, place = self.write, self.i_place
        layout = struct_of(spread_index(self._eni_bits))
        written = data.View(layout, write.index[: layout.size])
        depth = (2 << len(written.session) + self._eni_bits) * SLOTS // SLOTS_PER_WORD
        m.submodules.words = words = memory.Memory(shape=unsigned(SPREAD_WORD.width), depth=depth, init=[])
        write_port, read_port = words.write_port(), words.read_port()
        in_word = (SLOTS_PER_WORD - 1).bit_length()
        m.d.comb += [
            write_port.en.eq(write.enable & (write.table == Table.SESSIONS) & (write.index & SPREAD_AT).any()),
            write_port.addr.eq(Cat(written.word, written.session, written.eni, write.bank)),
            write_port.data.eq(write.data),
            read_port.addr.eq(Cat(self.i_slot[in_word:], place.session, place.eni[: self._eni_bits], place.bank)),
            read_port.en.eq(1),
        ]
        word = registered(m, read_port.data, "word")
        which = delay(m, self.i_slot[:in_word], self.READ_CLOCKS, "which")
        m.d.comb += self.o.eq(word.word_select(which, SPREAD_WORD.width // SLOTS_PER_WORD))
        return m
