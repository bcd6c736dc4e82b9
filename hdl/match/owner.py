"""Owner lookup: whose frame is it? The first stage behind the parsers, before eligibility and rules.

A frame belongs to the ENI whose MAC is its destination (ingress) or source (egress); multicast and broadcast
ingress, and in tap mode every frame nobody owns, belong to ENI 0.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.tables import GENERAL_FLAGS_AT, GENERAL_SOURCE_PORT_AT, eni_words_at
from halfsilver.hdl.pipeline import delay, registered
from halfsilver.hdl.records import EniHigh, GeneralFlags, SourcePort

__all__ = ["EniEntry", "GeneralTable", "OwnerLookup"]

_PIECE = 16
"""Bits of a MAC compared in one clock: three levels of four-input LUTs."""


class EniEntry(data.Struct):
    """One ENI as the general table holds it."""

    mac: 48
    valid: 1
    has_resolver: 1
    resolver: 32  # IPv4, first byte lowest


class GeneralTable(wiring.Component):
    """Table 3 of the register map: flags, source port and the ENIs' addresses, two banks, in registers.

    Ports: ``write_*`` as in the classifier; ``flags``, ``source_port`` and ``enis`` are arrays of both banks
    (``flags[bank]``), constant while the host leaves the bank alone. A write shows after two clocks.
    """

    def __init__(self, parameters):
        self._enis = parameters.enis
        super().__init__(
            {
                "write_enable": In(1),
                "write_bank": In(1),
                "write_index": In(24),
                "write_data": In(32),
                "flags": Out(GeneralFlags).array(2),
                "source_port": Out(SourcePort).array(2),
                "enis": Out(EniEntry).array(2, parameters.enis),
            }
        )

    def elaborate(self, platform):
        m = Module()
        word = registered(m, self.write_data, "word")
        high = data.View(EniHigh, word[: EniHigh.size])
        for bank in range(2):

            def written(index, bank=bank):
                """The word for this index is at hand: decoded a clock ahead, the compare is wide."""
                hit = self.write_enable & (self.write_bank == bank) & (self.write_index == index)
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
        return m


class OwnerLookup(wiring.Component):
    """MAC -> ENI, one per clock.

    Ports: ``i_mac``, ``i_group`` (multicast ingress), ``i_bank``; ``enis`` and ``flags`` from the GeneralTable;
    ``o_owned`` and ``o_eni`` LATENCY clocks later. The lowest-numbered of equal MACs wins (policy refuses them).
    """

    LATENCY = 3

    def __init__(self, parameters):
        self._enis = parameters.enis
        super().__init__(
            {
                "i_mac": In(48),
                "i_group": In(1),
                "i_bank": In(1),
                "flags": In(GeneralFlags).array(2),
                "enis": In(EniEntry).array(2, parameters.enis),
                "o_owned": Out(1),
                "o_eni": Out(range(max(2, parameters.enis))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # ENI 0 takes what nobody owns, if there is an ENI 0.
        orphans = Signal()
        tap = Mux(self.i_bank, self.flags[1].tap, self.flags[0].tap)
        eni_0 = Mux(self.i_bank, self.enis[1][0].valid, self.enis[0][0].valid)
        m.d.sync += orphans.eq((tap | self.i_group) & eni_0)
        equal = Signal(self._enis)
        for number in range(self._enis):
            mac = Mux(self.i_bank, self.enis[1][number].mac, self.enis[0][number].mac)
            pieces = Signal(48 // _PIECE, name=f"pieces_{number}")
            used = Signal(name=f"used_{number}")
            m.d.sync += [
                pieces.eq(
                    Cat(mac.word_select(i, _PIECE) == self.i_mac.word_select(i, _PIECE) for i in range(len(pieces)))
                ),
                used.eq(Mux(self.i_bank, self.enis[1][number].valid, self.enis[0][number].valid)),
            ]
            m.d.sync += equal[number].eq(pieces.all() & used)
        group = delay(m, self.i_group, 2, "group")
        lowest = equal & ~(equal - 1)[: self._enis]
        number = reduce(or_, (Mux(lowest[n], n, 0) for n in range(self._enis)))
        m.d.sync += [
            self.o_owned.eq(Mux(group, 0, equal.any()) | delay(m, orphans, 1, "orphans_late")),
            self.o_eni.eq(Mux(group, 0, number)),
        ]
        return m
