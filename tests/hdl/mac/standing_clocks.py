"""cocotb bench of the MAC: a clock of the wire stands, a reset comes meanwhile, or none; then the clock is back.

What comes of frames that began before is cut off, at either end: none of it may pass for a good frame. What begins
behind is whole, in order, and counted. While a receive clock stands there is no link, whatever the PHY said last.
"""

import random

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge, Timer
from cocotbext.axi import AxiStreamFrame

from tests.hdl.mac.bench import STALL_CLOCKS, UP, Bench, Pins, frame_of, hand_made, receive_while

LINK, CLOCK = 1, 1 << 4
DOWN = UP[1000] & ~LINK


@cocotb.test()
async def a_reset_while_the_transmit_clock_stands(dut):
    """The core has frames to send before the clock is back."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, 1000, rng)
    await bench.start()
    for _ in range(16):
        old = [rng.randbytes(rng.randint(60, 200)) for _ in range(4)]
        for payload in old:
            await bench.source.send(AxiStreamFrame(payload, tuser=0))
        await Timer(rng.randint(200, 4000), "ns")
        bench.transmit(False)
        await Timer(rng.randint(0, 2000), "ns")
        bench.source.clear()
        await bench.reset(rng.randint(1, 3))
        await ClockCycles(dut.clk, 160)  # the link is up again
        new = [rng.randbytes(rng.randint(60, 200)) for _ in range(5)]
        for payload in new:
            await bench.source.send(AxiStreamFrame(payload, tuser=0))
        await Timer(rng.randint(0, 6000), "ns")
        bench.transmit(True)
        came = []
        while not came or came[-1] != new[-1]:
            frame = await bench.sent()
            octets = bytes(frame.get_payload(strip_fcs=True)) if len(frame.data) > 12 else b""
            if octets and frame.error is None and frame.check_fcs():
                assert octets in old + new, f"a good frame that nobody sent: {octets.hex()}"
                came.append(octets)
        assert came[-5:] == new and old[: len(came) - 5] == came[:-5]
        await Timer(1, "us")
        assert bench.counts() == {"sent.good": 5} and bench.phy.tx.empty()


def within(rng):
    """A frame on the wire that has another one at its end, FCS and all: without its start it is that one."""
    inner = bytes(frame_of(rng.randbytes(rng.randint(60, 90))).data)
    return bytes(frame_of(rng.randbytes(rng.randint(20, 60))).data) + inner


async def never(dut, bits, told):
    """That these bits of the status are seen is told."""
    while True:
        await RisingEdge(dut.clk)
        if int(dut.status.value) & bits:
            told.append(int(dut.status.value))


async def comes_back(bench, pins, rng, rest):
    """The clock, while a frame is on the wire: only the one behind it is for the core."""
    fresh = rng.randbytes(rng.randint(60, 90))
    await pins.octets(rest)
    await pins.idle(500, UP[1000])  # longer than the MAC sleeps behind a reset
    assert int(bench.dut.status.value) & (LINK | CLOCK) == LINK | CLOCK
    await pins.octets(frame_of(fresh).data)
    assert await receive_while(bench, pins.idle(60, UP[1000])) == (fresh, False)
    assert bench.sink.empty()


@cocotb.test()
async def a_reset_while_the_receive_clock_stands(dut):
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = await hand_made(dut, rng)
    pins = Pins(dut, 8000)
    for turn in range(10):
        await pins.idle(100 + 16 * turn + rng.randrange(8), UP[1000])
        assert int(dut.status.value) & LINK
        await pins.octets(
            frame_of(rng.randbytes(200)).data[: rng.choice((0, rng.randint(1, 12), rng.randint(12, 210)))]
        )
        await ClockCycles(dut.clk, rng.choice((1, rng.randint(1, 20), STALL_CLOCKS + 30)))
        bench.sink.clear()
        await bench.reset(rng.randint(1, 3))
        told = []
        watch = cocotb.start_soon(never(dut, LINK | CLOCK, told))
        await ClockCycles(dut.clk, rng.choice((1, rng.randint(20, 200), STALL_CLOCKS + 30)))
        assert not told, f"status {told[0]:#x} while the clock stands, {len(told)} clocks"
        watch.cancel()
        assert bench.sink.empty()
        await comes_back(bench, pins, rng, within(rng)[rng.randint(9, 30) :])
        assert bench.counts() == {"received.good": 1}


@cocotb.test()
async def a_receive_clock_that_comes_back_within_a_frame(dut):
    """It stood for long, between frames or within one; nobody reset anything."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = await hand_made(dut, rng)
    pins = Pins(dut, 8000)
    want = {}
    for turn in range(8):
        await pins.idle(100 + 16 * turn, UP[1000])
        cut = rng.randint(60, 200) if turn % 2 else 0
        await pins.octets(frame_of(rng.randbytes(200)).data[:cut])
        await ClockCycles(dut.clk, STALL_CLOCKS + rng.randint(30, 60))
        assert not int(dut.status.value) & (LINK | CLOCK)
        if cut:
            assert (await bench.received())[1], "the frame that was cut is marked bad"
            want["received.stall"] = want.get("received.stall", 0) + 1
        await comes_back(bench, pins, rng, within(rng)[rng.randint(9, 30) :])
        want["received.good"] = turn + 1
        assert bench.counts() == want


@cocotb.test()
async def a_phy_that_comes_back_without_a_link(dut):
    """What it said before its clock stood is of no use."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = await hand_made(dut, rng)
    pins = Pins(dut, 8000)
    for turn in range(4):
        await pins.idle(100 + 16 * turn, UP[1000])
        assert int(dut.status.value) & LINK
        await ClockCycles(dut.clk, STALL_CLOCKS + 30)
        told = []
        watch = cocotb.start_soon(never(dut, LINK, told))
        if turn % 2:
            await bench.reset(2)
            await ClockCycles(dut.clk, STALL_CLOCKS // 2)
        await pins.idle(100, DOWN)
        watch.cancel()
        assert not told, f"a link for {len(told)} clocks"
        assert int(dut.status.value) & CLOCK


@cocotb.test()
async def a_frame_that_is_held_back_ends_with_its_clock(dut):
    """As a port does whose other one is faster: the core gets it marked bad, not when the clock is back."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = await hand_made(dut, rng)
    dut.whole.value = 1
    pins = Pins(dut, 8000)
    await pins.idle(100, UP[1000])
    frame = rng.randbytes(200)
    await pins.octets(frame_of(frame).data[:120])
    assert bench.sink.empty()
    await ClockCycles(dut.clk, STALL_CLOCKS + 60)
    octets, bad = await bench.received()
    assert bad and frame.startswith(octets[:-1]) and octets[-1] == 0
    await comes_back(bench, pins, rng, frame_of(frame).data[120:])
    assert bench.counts() == {"received.stall": 1, "received.good": 1}
