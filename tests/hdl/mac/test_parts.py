"""The MAC's small parts: counters, what follows from the numbers of Ethernet, cells of the FPGA."""

import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator

from halfsilver.hdl.mac import limits
from halfsilver.hdl.mac.counts import FrameCounts
from halfsilver.hdl.mac.ecp5 import Ecp5Cells
from halfsilver.hdl.mac.mac import Mac
from halfsilver.hdl.mac.queue import TransmitQueue
from halfsilver.hdl.mac.simulation import SimulationCells
from halfsilver.hdl.mac.words import Sent


@pytest.mark.parametrize("over", [0, (1 << 32) - 4])
def test_counters_stay_at_their_highest_value(over):
    """``over``: however many came since."""
    dut = FrameCounts(Sent, init=(1 << 32) - 3 + over + (over > 0) * 3)
    seen = []

    async def bench(ctx):
        ctx.set(dut.ended, 1)
        ctx.set(dut.outcome, Sent.UNDERRUN)
        for _ in range(6):
            seen.append(ctx.get(dut.counts.underrun))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    highest = (1 << 32) - 1
    assert seen == ([highest] * 6 if over else [highest - 2, highest - 1, *[highest] * 4])


def test_what_two_clocks_move_apart():
    """9,228 octets at 200 ppm are 1.85 octets; the gaps may give more than that back."""
    assert limits.elastic_octets(9216) == 2
    assert limits.elastic_octets(9216, ppm=2000) == 19
    assert 9228 / limits.GAP_CREDIT > 9228 * 200e-6


@pytest.mark.parametrize("octets", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("hesitation", [0, 8, 100])
def test_a_frame_that_may_start_fits_into_the_crossing(octets, hesitation):
    start = limits.start_words(octets, 9216, hesitation)
    assert (start - 1) * octets + 8 >= 2 + 8 + hesitation, "what the preamble and the words there must cover"
    assert limits.crossing_words(octets, 9216, hesitation) > start


def test_a_store_holds_more_than_the_longest_frame():
    assert limits.store_words(4, 9216) * 4 > 9216
    assert Mac(32, SimulationCells(), longest=1518)._store == 512


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mac(33, SimulationCells()),
        lambda: Mac(32, SimulationCells(), hesitation=-1),
        lambda: Mac(32, SimulationCells(), store=2304),
        lambda: TransmitQueue(32, 12, 4),
        lambda: TransmitQueue(32, 16, 17),
        lambda: Ecp5Cells(receive_delay_ps=3200, transmit_delay_ps=0),
        lambda: Ecp5Cells(receive_delay_ps=0, transmit_delay_ps=-50),
    ],
)
def test_what_makes_no_sense_is_refused(make):
    with pytest.raises(ValueError):
        make()


def test_delays_of_ecp5_are_numbers():
    """nextpnr passes a string over without a word. 2 ns are 80 steps, for data in and for the clock out."""
    cells = Ecp5Cells(receive_delay_ps=2000, transmit_delay_ps=1000)

    def text(component):
        return rtlil.convert(component, name="top", ports=[component.i, component.o])

    def delays(component):
        lines = [line.split() for line in text(component).splitlines()]
        return [line[2] for line in lines if line[:2] == ["parameter", "\\DEL_VALUE"]]

    assert [int(value) for value in delays(cells.receive(4))] == [80] * 4
    assert [int(value) for value in delays(cells.transmit(1, clock=True))] == [40]
    assert delays(cells.transmit(4)) == []
    assert text(cells.receive(1)).count('DEL_MODE "USER_DEFINED"') == 1
