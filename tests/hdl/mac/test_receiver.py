"""The receive side octet by octet, at 8, 32 and 64 bits; FCS are zlib's."""

import random
import zlib

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.mac.receiver import GmiiReceiver
from halfsilver.hdl.mac.words import Received

LONGEST = 100
GAP = [(0, 0, 0)] * 8
START = [(1, 0x55, 0)] * 7 + [(1, 0xD5, 0)]


def octets(data, errors=()):
    return [(1, octet, int(place in errors)) for place, octet in enumerate(data)]


def frame(data, spoilt=0):
    return START + octets(data + (zlib.crc32(data) ^ spoilt).to_bytes(4, "little"))


def run(width, steps, *, ready=lambda clock: True, strobe=1):
    """(octets, outcome) of each frame that came out; each step lasts ``strobe`` clocks."""
    dut, out = GmiiReceiver(width, LONGEST), []

    async def drive(ctx):
        for valid, octet, error in [*steps, *GAP]:
            ctx.set(dut.gmii.valid, valid)
            ctx.set(dut.gmii.data, octet)
            ctx.set(dut.gmii.error, error)
            for left in reversed(range(strobe)):
                ctx.set(dut.gmii.en, left == 0)
                await ctx.tick()

    async def take(ctx):
        current, clock = b"", 0
        ctx.set(dut.o.ready, int(ready(0)))
        async for _, _, valid, taken, word in ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload):
            if valid and taken:
                current += word.data.to_bytes(width // 8, "little")[: word.count]
                assert word.last or word.count == width // 8
                if word.last:
                    out.append((current, word.outcome))
                    current = b""
            clock += 1
            ctx.set(dut.o.ready, int(ready(clock)))

    simulator = Simulator(dut)
    simulator.add_clock(8e-9)
    simulator.add_testbench(drive)
    simulator.add_testbench(take, background=True)
    simulator.run()
    return out


@pytest.mark.parametrize("width", [8, 32, 64])
@pytest.mark.parametrize("strobe", [1, 2])
def test_every_length(width, strobe):
    """From no octet to more than may be: passed, runt or giant; also when octets come in each second clock."""
    steps, expected = [], []
    for size in [*range(12), 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 99, 100, 101, 102, 105, 120]:
        data = random.Random(size).randbytes(size)
        steps += GAP + frame(data)
        outcome = Received.RUNT if size < 60 else Received.GOOD if size <= LONGEST else Received.GIANT
        expected.append((data[:LONGEST], outcome))
    assert run(width, steps, strobe=strobe) == expected


def test_every_single_bit_error_is_found():
    data = random.Random(0).randbytes(60)
    whole = data + zlib.crc32(data).to_bytes(4, "little")
    steps = []
    for bit in range(0, 8 * len(whole), 7):
        wrong = (int.from_bytes(whole, "little") ^ 1 << bit).to_bytes(len(whole), "little")
        steps += GAP + START + octets(wrong)
    assert {outcome for _, outcome in run(32, steps)} == {Received.FCS}


def test_the_first_cause_counts():
    """A frame with several faults is counted once, as `Received` orders them."""
    damaged = [(1, 0x55, 0), (1, 0x75, 0), *START[2:]]
    short, long = bytes(20), bytes(LONGEST + 5)
    cases = [
        (damaged + octets(short, errors=(3,)), Received.PREAMBLE),
        (START + octets(short, errors=(3,)), Received.SYMBOL),
        (START + octets(short), Received.RUNT),
        (damaged + octets(long, errors=(3,)), Received.GIANT),
        ([(1, 0x55, 1), *START[1:]] + octets(short), Received.PREAMBLE),
    ]
    steps = [step for case, _ in cases for step in GAP + case]
    assert [outcome for _, outcome in run(32, steps)] == [outcome for _, outcome in cases]


def test_nothing_of_a_frame_without_start_is_passed():
    data = random.Random(1).randbytes(80)
    good = frame(data)
    cases = [
        [(1, 0x54, 0)] * 9 + octets(data),  # no SFD within eight octets; one may be in the data
        [(1, 0x54, 0)] * 9 + good,
        [(1, 0x55, 0)] * 6,
    ]
    steps = [step for case in cases for step in GAP + case] + GAP + good
    assert run(32, steps) == [(b"", Received.PREAMBLE)] * 3 + [(data, Received.GOOD)]


def test_a_frame_under_way_at_the_start_is_not_taken_for_one():
    data = random.Random(2).randbytes(70)
    assert run(32, octets(b"\x55\xd5" + data) + GAP + frame(data)) == [(data, Received.GOOD)]


@pytest.mark.parametrize("width", [8, 32])
def test_what_is_refused_ends_the_frame_as_lost(width):
    """Whatever refuses words: each frame that begins at the output ends there once, and no good one is cut."""
    rng = random.Random(width)
    data = [rng.randbytes(80) for _ in range(20)]
    steps = [step for each in data for step in GAP + frame(each)]
    windows = sorted(rng.sample(range(len(steps)), 8))
    got = run(width, steps, ready=lambda clock: not any(start <= clock < start + 20 for start in windows))
    outcomes = [outcome for _, outcome in got]
    assert set(outcomes) == {Received.GOOD, Received.OVERFLOW}
    assert [octets for octets, outcome in got if outcome is Received.GOOD] == [
        each for each in data if (each, Received.GOOD) in got
    ]
    assert len(got) >= len(data) - 8


@pytest.mark.parametrize("arguments", [(7, 100), (32, 59)])
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(ValueError):
        GmiiReceiver(*arguments)
