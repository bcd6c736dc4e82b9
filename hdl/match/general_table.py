"""The general table: flags, source port and the ENIs' addresses, in registers, because all are compared at once."""

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.tables import GENERAL_FLAGS_AT, GENERAL_SOURCE_PORT_AT, eni_words_at
from halfsilver.hdl.pipeline import registered
from halfsilver.hdl.records import EniHigh, GeneralFlags, GuardWord, SourcePort, Table
from halfsilver.hdl.table_port import TablePort

__all__ = ["EniEntry", "GeneralTable"]


class EniEntry(data.Struct):
    """One ENI as the general table holds it."""

    mac: 48
    valid: 1
    has_resolver: 1
    resolver: 32  # IPv4, first byte lowest


class GeneralTable(wiring.Component):
    """Table 3 of the register map: flags, source port and the ENIs' addresses, two banks, in registers.

    Ports: ``write``, the table write port; ``flags``, ``source_port`` and ``enis`` are arrays of both banks
    (``flags[bank]``), constant while the host leaves the bank alone; so are ``guards``, in a build that has them.
    """

    WRITE_CLOCKS = 2

    def __init__(self, parameters):
        self._enis = parameters.enis
        self._guarded = parameters.security_groups > 0
        super().__init__(
            {
                "write": In(TablePort()),
                "flags": Out(GeneralFlags).array(2),
                "source_port": Out(SourcePort).array(2),
                "enis": Out(EniEntry).array(2, parameters.enis),
                **({"guards": Out(GuardWord).array(2, parameters.enis)} if self._guarded else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        write = self.write
        enable = write.enable & (write.table == Table.GENERAL)
        word = registered(m, write.data, "word")
        high = data.View(EniHigh, word[: EniHigh.size])
        for bank in range(2):

            def written(index, bank=bank):
                """The word for this index is at hand: decoded a clock ahead, the compare is wide."""
                hit = enable & (write.bank == bank) & (write.index == index)
                return registered(m, hit, f"written_{bank}_{index}")

            with m.If(written(GENERAL_FLAGS_AT)):
                m.d.sync += self.flags[bank].eq(word)
            with m.If(written(GENERAL_SOURCE_PORT_AT)):
                m.d.sync += self.source_port[bank].eq(word)
            for number in range(self._enis):
                base = eni_words_at(number)
                entry = self.enis[bank][number]
                with m.If(written(base)):
                    m.d.sync += entry.mac[:32].eq(word)
                with m.If(written(base + 1)):
                    m.d.sync += [
                        entry.mac[32:].eq(high.mac),
                        entry.valid.eq(high.valid),
                        entry.has_resolver.eq(high.has_resolver),
                    ]
                with m.If(written(base + 2)):
                    m.d.sync += entry.resolver.eq(word)
                if self._guarded:
                    with m.If(written(base + 3)):
                        m.d.sync += self.guards[bank][number].eq(word)
        return m
