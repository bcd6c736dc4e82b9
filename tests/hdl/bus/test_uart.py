"""The serial line: any rate from any clock, senders that are off, disturbances, breaks."""

import random

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from halfsilver.hdl.bus.uart import SerialRate, UartReceiver, UartTransmitter
from tests.hdl.bus.uartbone_kit import listen, send

RATES = [
    (24_000_000, 3_000_000),
    (25_000_000, 3_000_000),
    (62_500_000, 3_000_000),
    (50_000_000, 921_600),
    (1e6, 115200),
]


def rate_of(clock, baud):
    return SerialRate(int(clock), baud)


def receive(rate, stimulus):
    """Runs a receiver; ``stimulus`` drives its line. Returns the bytes, and how many were lost."""
    receiver = UartReceiver(rate)
    simulator = Simulator(receiver)
    simulator.add_clock(1 / rate.clock)
    received, errors = [], []

    async def watch(ctx):
        async for _, _, valid, octet, error in ctx.tick().sample(receiver.o.valid, receiver.o.payload, receiver.error):
            if valid:
                received.append(octet)
            if error:
                errors.append(len(received))

    async def drive(ctx):
        await ctx.delay(4 / rate.clock)
        await stimulus(ctx, receiver.rx)
        await ctx.delay(3 / rate.baud)
        assert ctx.get(receiver.idle)

    simulator.add_testbench(watch, background=True)
    simulator.add_testbench(drive)
    simulator.run()
    return bytes(received), errors


@pytest.mark.parametrize("clock, baud", RATES)
@pytest.mark.parametrize("sign", [-1, 0, 1])
def test_a_sender_that_is_off_is_understood_within_the_stated_bound(clock, baud, sign):
    """Back to back, so that what adds up would show; the phase of the sender against the clock is random."""
    rate = rate_of(clock, baud)
    source = random.Random(f"{clock} {baud} {sign}")
    data = bytes([0x00, 0xFF, 0x55, 0x01, 0x80]) + source.randbytes(25)
    bit = 1 / (baud * (1 + sign * rate.tolerance * 0.99))

    async def stimulus(ctx, line):
        await ctx.delay(source.random() / clock)
        await send(ctx, line, data, bit)

    assert receive(rate, stimulus) == (data, [])


@pytest.mark.parametrize("baud", [3_000_000, 2_000_000, 1_000_000, 921_600, 460_800, 115_200, 9600, 300])
@pytest.mark.parametrize("clock", [25_000_000, 48_000_000, 62_500_000, 125_000_000, 156_250_000, 200_000_000])
def test_every_usual_rate_is_made_with_room_to_spare(clock, baud):
    rate = SerialRate(clock, baud)
    made = rate.increment * clock / 2**rate.phase_bits
    assert abs(made / baud - 1) < 0.00013
    assert rate.tolerance > 0.013


@pytest.mark.parametrize("clock, baud", RATES)
def test_what_is_sent_has_the_rate_without_an_error_that_adds_up(clock, baud):
    rate = rate_of(clock, baud)
    transmitter = UartTransmitter(rate)
    simulator = Simulator(transmitter)
    simulator.add_clock(1 / clock)
    data = random.Random(baud).randbytes(24) + b"\x55" * 8
    heard, edges = [], []

    async def feed(ctx):
        for octet in data:
            ctx.set(transmitter.i.payload, octet)
            ctx.set(transmitter.i.valid, 1)
            await ctx.tick().until(transmitter.i.ready)
        ctx.set(transmitter.i.valid, 0)
        await ctx.delay(12 / baud)
        assert ctx.get(transmitter.tx) == 1

    async def hear(ctx):
        await listen(ctx, transmitter.tx, 1 / baud, heard)

    async def timing(ctx):
        clocks, before = 0, 1
        async for _, _, level in ctx.tick().sample(transmitter.tx):
            clocks += 1
            if level != before:
                edges.append(clocks)
            before = level

    simulator.add_testbench(feed)
    simulator.add_testbench(timing, background=True)
    simulator.add_testbench(hear, background=True)
    simulator.run()
    assert bytes(heard) == data
    # Every edge is at a multiple of the bit time from the first one, to a clock (and what the rate itself is off).
    for edge in edges:
        bits = (edge - edges[0]) * baud / clock
        assert abs(bits - round(bits)) <= 1.01 * baud / clock + 0.00013 * bits
    assert round((edges[-1] - edges[0]) * baud / clock) == 10 * len(data) - 1


def test_a_short_disturbance_changes_nothing():
    """Shorter than an eighth of a bit, anywhere: on the idle line, in any bit, at either level."""
    rate = SerialRate(100_000_000, 1_000_000)
    source = random.Random(1)

    async def stimulus(ctx, line):
        clock = 1 / rate.clock
        for octet in (0x00, 0xFF, 0xA5, 0x3C):
            for level in (0, *(octet >> place & 1 for place in range(8)), 1, 1):
                before, length = source.randrange(2, 80), source.randrange(1, 12)
                ctx.set(line, level)
                await ctx.delay(before * clock)
                ctx.set(line, not level)
                await ctx.delay(length * clock)
                ctx.set(line, level)
                await ctx.delay((100 - before - length) * clock)

    assert receive(rate, stimulus) == (bytes([0x00, 0xFF, 0xA5, 0x3C]), [])


def test_a_missing_stop_bit_loses_one_byte_and_the_next_are_whole():
    rate = SerialRate(16_000_000, 1_000_000)

    async def stimulus(ctx, line):
        await send(ctx, line, b"ab", 1e-6)
        await send(ctx, line, b"\0", 1e-6, stop=0)
        await ctx.delay(1e-6)
        await send(ctx, line, b"cd", 1e-6)

    assert receive(rate, stimulus) == (b"abcd", [2])


def test_a_break_is_one_error_however_long():
    rate = SerialRate(16_000_000, 1_000_000)

    async def stimulus(ctx, line):
        ctx.set(line, 0)
        await ctx.delay(200e-6)
        ctx.set(line, 1)
        await ctx.delay(2e-6)
        await send(ctx, line, b"z", 1e-6)

    assert receive(rate, stimulus) == (b"z", [0])


def test_a_line_that_is_low_at_power_up_is_no_byte():
    rate = SerialRate(16_000_000, 1_000_000)
    receiver = UartReceiver(rate)
    simulator = Simulator(receiver)
    simulator.add_clock(1 / rate.clock)

    async def drive(ctx):
        ctx.set(receiver.rx, 0)
        await ctx.tick().repeat(500)
        assert not ctx.get(receiver.idle)
        ctx.set(receiver.rx, 1)
        await ctx.tick().repeat(5)
        assert ctx.get(receiver.idle)

    async def nothing(ctx):
        async for _, _, valid in ctx.tick().sample(receiver.o.valid):
            assert not valid

    simulator.add_testbench(drive)
    simulator.add_testbench(nothing, background=True)
    simulator.run()


@pytest.mark.parametrize("ready", [1.0, 0.3])
def test_there_and_back(ready):
    """Transmitter into receiver at eight clocks per bit, with a source that pauses."""
    rate = SerialRate(8_000_000, 1_000_000)
    m = Module()
    m.submodules.transmitter = transmitter = UartTransmitter(rate)
    m.submodules.receiver = receiver = UartReceiver(rate)
    m.d.comb += receiver.rx.eq(transmitter.tx)
    source = random.Random(5)
    data, heard = source.randbytes(60), []
    simulator = Simulator(m)
    simulator.add_clock(1 / rate.clock)

    async def feed(ctx):
        for octet in data:
            if source.random() > ready:
                await ctx.tick().repeat(source.randrange(1, 200))
            ctx.set(transmitter.i.payload, octet)
            ctx.set(transmitter.i.valid, 1)
            await ctx.tick().until(transmitter.i.ready)
            ctx.set(transmitter.i.valid, 0)
        await ctx.tick().repeat(100)

    async def watch(ctx):
        async for _, _, valid, octet, error in ctx.tick().sample(receiver.o.valid, receiver.o.payload, receiver.error):
            assert not error
            if valid:
                heard.append(octet)

    simulator.add_testbench(feed)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    assert bytes(heard) == data


@pytest.mark.parametrize(
    ("clock", "baud", "says"),
    [
        (62_500_000, 0, "baud must be at least 1, not 0"),
        (20_000_000, 3_000_000, "needs a clock of at least 24,000,000"),
    ],
)
def test_a_rate_that_cannot_be_made(clock, baud, says):
    with pytest.raises(ValueError, match=says):
        SerialRate(clock, baud)
