"""Template memory: what is constant in the outer headers of each session, table 2 of the register map."""

from amaranth.hdl import Cat, Module
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.outer import TEMPLATE_SEED, TEMPLATE_SEED_WORD, WORD_BITS, template_index
from halfsilver.hdl.layout.tables import SESSION_BITS
from halfsilver.hdl.records import Table
from halfsilver.hdl.structs import struct_of
from halfsilver.hdl.table_port import TablePort

__all__ = ["BODY_WORDS", "TemplateMemory"]

BODY_WORDS = TEMPLATE_SEED_WORD
"""Those in front of the seed."""


class TemplateMemory(wiring.Component):
    """The templates of all sessions, both banks: block RAM written by the word, read ``lanes`` words at a
    time.

    ``body`` is row ``row`` of template ``index`` one clock after ``enable``; ``seed`` is the checksum seed of
    template ``seed_index`` one clock after ``seed_enable``. Word ``w`` is lane ``w % lanes`` of row
    ``w // lanes``. ``write`` is the table write port; the host writes only the bank that is not read.
    """

    WRITE_CLOCKS = 1

    def __init__(self, eni_bits, lanes, receiver_bits=0):
        templates = 2 << (SESSION_BITS + eni_bits + receiver_bits)
        self._index = template_index(eni_bits, receiver_bits)
        self.lanes = lanes
        self.rows = BODY_WORDS // lanes
        self._row_bits = (self.rows - 1).bit_length()
        self._templates = templates
        super().__init__(
            {
                "write": In(TablePort()),
                "enable": In(1),
                "index": In(range(templates)),
                "row": In(range(self.rows)),
                "body": Out(WORD_BITS * lanes),
                "seed_enable": In(1),
                "seed_index": In(range(templates)),
                "seed": Out(TEMPLATE_SEED.width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        layout = struct_of(self._index)
        written = data.View(layout, self.write.index[: layout.size])
        word = written.word
        index = Cat(written.session, written.eni, written.receiver, self.write.bank)
        enable = self.write.enable & (self.write.table == Table.OUTER)

        m.submodules.seed = seed = Memory(shape=TEMPLATE_SEED.width, depth=self._templates, init=[])
        write = seed.write_port()
        read = seed.read_port()
        m.d.comb += [
            write.addr.eq(index),
            write.data.eq(self.write.data),
            write.en.eq(enable & (word == TEMPLATE_SEED_WORD)),
            read.addr.eq(self.seed_index),
            read.en.eq(self.seed_enable),
            self.seed.eq(read.data),
        ]

        for lane in range(self.lanes):
            depth = self._templates << self._row_bits
            m.submodules[f"lane{lane}"] = memory = Memory(shape=WORD_BITS, depth=depth, init=[])
            words = [lane + row * self.lanes for row in range(self.rows)]
            write = memory.write_port()
            read = memory.read_port()
            m.d.comb += [
                write.addr.eq(Cat((word >> (self.lanes.bit_length() - 1))[: self._row_bits], index)),
                write.data.eq(self.write.data),
                write.en.eq(enable & word.matches(*words)),
                read.addr.eq(Cat(self.row[: self._row_bits], self.index)),
                read.en.eq(self.enable),
                self.body.word_select(lane, WORD_BITS).eq(read.data),
            ]
        return m
