"""Owner lookup: whose frame is it? The first stage behind the parsers, before eligibility and rules.

A frame belongs to the ENI whose MAC is its destination (ingress) or source (egress); multicast and broadcast
ingress, and in tap mode every frame nobody owns, belong to ENI 0.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.banks import of_bank
from halfsilver.hdl.match.general_table import EniEntry
from halfsilver.hdl.pipeline import delay
from halfsilver.hdl.records import GeneralFlags

__all__ = ["OwnerLookup"]

_PIECE = 16
"""Bits of a MAC compared in one clock: three levels of four-input LUTs."""


class OwnerLookup(wiring.Component):
    """MAC -> ENI, one per clock.

    Ports: ``i_mac``, ``i_group`` (multicast ingress), ``i_bank``; ``enis`` and ``flags`` from the GeneralTable;
    ``o_owned`` and ``o_eni`` LATENCY clocks later; with them, in a build with guards, ``o_addressed``: not by tap mode
    alone. The lowest-numbered of equal MACs wins (policy refuses them).
    """

    LATENCY = 3

    def __init__(self, parameters):
        self._enis = parameters.enis
        self._guarded = parameters.security_groups > 0
        super().__init__(
            {
                "i_mac": In(48),
                "i_group": In(1),
                "i_bank": In(1),
                "flags": In(GeneralFlags).array(2),
                "enis": In(EniEntry).array(2, parameters.enis),
                "o_owned": Out(1),
                "o_eni": Out(range(max(2, parameters.enis))),
                **({"o_addressed": Out(1)} if self._guarded else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        enis = [of_bank(self.i_bank, [self.enis[bank][number] for bank in range(2)]) for number in range(self._enis)]

        # Clock 1: ENI 0 takes what nobody owns, if there is an ENI 0; pieces of the MAC are compared.
        orphans = Signal()
        tap = of_bank(self.i_bank, self.flags).tap
        eni_0 = enis[0].valid
        m.d.sync += orphans.eq((tap | self.i_group) & eni_0)
        equal = Signal(self._enis)
        for number, eni in enumerate(enis):
            mac = eni.mac
            pieces = Signal(48 // _PIECE, name=f"pieces_{number}")
            used = Signal(name=f"used_{number}")
            m.d.sync += [
                pieces.eq(
                    Cat(mac.word_select(i, _PIECE) == self.i_mac.word_select(i, _PIECE) for i in range(len(pieces)))
                ),
                used.eq(eni.valid),
            ]
            # Clock 2: the pieces together.
            m.d.sync += equal[number].eq(pieces.all() & used)

        # Clock 3: the number of the one that is equal.
        group = delay(m, self.i_group, 2, "group")
        lowest = equal & ~(equal - 1)[: self._enis]
        number = reduce(or_, (Mux(lowest[n], n, 0) for n in range(self._enis)))
        m.d.sync += [
            self.o_owned.eq(Mux(group, 0, equal.any()) | delay(m, orphans, 1, "orphans_late")),
            self.o_eni.eq(Mux(group, 0, number)),
        ]
        if self._guarded:
            m.d.sync += self.o_addressed.eq(group | equal.any())
        return m
