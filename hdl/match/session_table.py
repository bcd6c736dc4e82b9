"""The session table: one word per session and ENI, two banks, in block RAM."""

from amaranth.hdl import Cat, Module, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.tables import SPREAD_AT, session_index
from halfsilver.hdl.pipeline import registered
from halfsilver.hdl.records import SessionWord, Table
from halfsilver.hdl.structs import struct_of
from halfsilver.hdl.table_port import TablePort

__all__ = ["SessionTable"]


class SessionTable(wiring.Component):
    """Table 1 of the register map: one memory per session number, so that an ENI's words come together.

    Ports: ``write``, the table write port; ``i_eni`` and ``i_bank``; ``o`` the ENI's session words, READ_CLOCKS later.
    """

    READ_CLOCKS = 2
    WRITE_CLOCKS = 1

    def __init__(self, parameters):
        self._eni_bits = parameters.eni_bits
        self._sessions = parameters.sessions
        self._spreads = parameters.receivers > 1
        super().__init__(
            {
                "write": In(TablePort()),
                "i_eni": In(range(max(2, parameters.enis))),
                "i_bank": In(1),
                "o": Out(SessionWord).array(parameters.sessions),
            }
        )

    def elaborate(self, platform):
        m = Module()
        write, eni_bits = self.write, self._eni_bits
        layout = struct_of(session_index(eni_bits))
        written = data.View(layout, write.index[: layout.size])
        enable = write.enable & (write.table == Table.SESSIONS)
        if self._spreads:
            enable &= (write.index & SPREAD_AT) == 0
        for number in range(self._sessions):
            shape = unsigned(SessionWord.size)
            m.submodules[f"sessions_{number}"] = words = memory.Memory(shape=shape, depth=2 << eni_bits, init=[])
            write_port, read_port = words.write_port(), words.read_port()
            m.d.comb += [
                write_port.en.eq(enable & (written.session == number)),
                write_port.addr.eq(Cat(written.eni, write.bank)),
                write_port.data.eq(write.data),
                read_port.addr.eq(Cat(self.i_eni[:eni_bits], self.i_bank)),
                read_port.en.eq(1),
                self.o[number].eq(registered(m, read_port.data, f"session_word_{number}")),
            ]
        return m
