"""The MAC's clock crossings by structure, whatever a simulation shows: see `tests.hdl.mac.crossings`."""

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer, ResetSynchronizer
from amaranth.lib.wiring import In, Out

from tests.hdl.mac.crossings import crossings, netlist_of
from tests.hdl.mac.top import MacTop


class Two(wiring.Component):
    """A bit of ``sync`` reaches another clock: ``how``."""

    def __init__(self, how):
        self._how = how
        super().__init__({"other": In(1), "i": In(2), "o": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.domains.far = ClockDomain(local=True)
        m.d.comb += ClockSignal("far").eq(self.other)
        here, there = Signal(2), Signal()
        m.d.sync += here.eq(self.i)
        bit = here.all() if "logic" in self._how else here[0]
        if "reset" in self._how:
            m.submodules += ResetSynchronizer(bit, domain="far")
            m.d.far += there.eq(~there)
        elif "bare" in self._how:
            m.d.far += there.eq(bit ^ there)
        else:
            m.submodules += FFSynchronizer(bit, there, o_domain="far")
        m.d.comb += self.o.eq(there)
        return m


@pytest.mark.parametrize(
    ("how", "right", "wrong"),
    [
        ("", (1, 0), 0),
        ("reset", (0, 2), 0),
        ("logic", (0, 0), 1),
        ("reset behind logic", (0, 0), 2),
        ("bare", (0, 0), 1),
    ],
)
def test_what_is_no_crossing_is_seen(how, right, wrong):
    data, sets, found = crossings(netlist_of(Two(how)))
    assert ((data, sets), len(found)) == (right, wrong), found


def test_every_crossing_of_the_mac_is_one_by_structure():
    """Resets as well: from a flip-flop into the other clock's, and the end of the transmit clock's back to the core."""
    data, sets, wrong = crossings(netlist_of(MacTop(32, longest=1600)))
    assert not wrong
    assert data > 40 and sets > 40
