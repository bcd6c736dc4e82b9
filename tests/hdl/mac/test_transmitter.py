"""The transmit side octet by octet, at 8, 32 and 64 bits; FCS are zlib's."""

import random
import zlib

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.mac.transmitter import GmiiTransmitter
from halfsilver.hdl.mac.words import Sent

START = bytes([0x55] * 7 + [0xD5])


def words(frame, octets, bad):
    cut = [frame[place : place + octets] for place in range(0, len(frame), octets)]
    return [(piece, number == len(cut), bad) for number, piece in enumerate(cut, 1)]


def run(width, frames, *, link=True, period=1, late=frozenset(), clocks=None):
    """Sends ``frames`` (octets, bad); words at places ``late`` come only after 40 clocks. Returns the wire, (octets,
    errors, place of the first octet), and outcomes."""
    dut = GmiiTransmitter(width)
    todo = [word for frame, bad in frames for word in words(frame, width // 8, bad)]
    clocks = clocks or sum(len(frame) + 100 for frame, _ in frames) * period + 100 * len(late)
    wire, outcomes = [], []

    async def supply(ctx):
        ctx.set(dut.link, link)
        for number, (data, last, bad) in enumerate(todo):
            if number in late:
                ctx.set(dut.i.valid, 0)
                await ctx.tick().repeat(40)
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.may_start, 1)
            ctx.set(dut.i.payload.data, int.from_bytes(data, "little"))
            ctx.set(dut.i.payload.tail, len(data) - 1)
            ctx.set(dut.i.payload.last, last)
            ctx.set(dut.i.payload.bad, bad)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.may_start, 0)

    async def look(ctx):
        current, errors, start, octet = b"", [], None, 0
        for clock in range(clocks):
            ctx.set(dut.take, clock % period == period - 1)
            gmii = dut.gmii
            _, _, en, valid, data, error, ended, outcome = await ctx.tick().sample(
                gmii.en, gmii.valid, gmii.data, gmii.error, dut.ended, dut.outcome
            )
            if ended:
                outcomes.append(outcome)
            if not en:
                continue
            octet += 1
            if valid:
                start = octet if start is None else start
                current += bytes([data])
                errors.append(error)
            elif start is not None:
                wire.append((current, errors, start))
                current, errors, start = b"", [], None

    simulator = Simulator(dut)
    simulator.add_clock(8e-9)
    simulator.add_testbench(supply, background=True)
    simulator.add_testbench(look)
    simulator.run()
    return wire, outcomes


def expected(frame, bad=False):
    padded = frame.ljust(60, b"\0")
    return START + padded + (zlib.crc32(padded) ^ (0xFFFFFFFF if bad else 0)).to_bytes(4, "little")


@pytest.mark.parametrize(("width", "period"), [(8, 1), (16, 1), (32, 1), (64, 1), (32, 10)])
def test_every_length(width, period):
    sizes = [1, 2, 3, 4, 5, 8, 9, 58, 59, 60, 61, 62, 63, 64, 65, 100] if period == 1 else [1, 60, 63]
    frames = [(random.Random(size).randbytes(size), size % 3 == 0) for size in sizes]
    wire, outcomes = run(width, frames, period=period)
    assert [octets for octets, _, _ in wire] == [expected(frame, bad) for frame, bad in frames]
    assert not any(error for _, errors, _ in wire for error in errors)
    assert outcomes == [Sent.MARKED if bad else Sent.GOOD for _, bad in frames]


def test_gaps_are_12_but_for_what_was_saved_up():
    """Always a frame waiting: four octets saved at first, and one more in each 4,096 octet times."""
    frames = [(bytes(60), False)] * 120
    wire, _ = run(32, frames)
    starts = [start for _, _, start in wire]
    gaps = [then - start - 72 for start, then in zip(starts, starts[1:], strict=False)]
    assert min(gaps) >= 8 and max(gaps) == 12
    saved = sum(12 - gap for gap in gaps)
    times = (starts[-1] - starts[0]) // 4096
    assert 4 + times - 1 <= saved <= 4 + times + 1, gaps


@pytest.mark.parametrize("width", [8, 32, 64])
@pytest.mark.parametrize("at", [3, 10])
def test_a_word_that_is_late_ends_the_frame_badly(width, at):
    """Whatever was cut, the next frame is whole, and no FCS of the cut one is right."""
    first, second = random.Random(at).randbytes(200), random.Random(0).randbytes(70)
    (cut, after), outcomes = run(width, [(first, False), (second, False)], late={at})
    octets, errors, _ = cut
    data, fcs = octets[len(START) : -4], octets[-4:]
    assert data == first[: at * width // 8]
    assert fcs == (~zlib.crc32(data) & 0xFFFFFFFF).to_bytes(4, "little")
    assert errors == [0] * (len(octets) - 4) + [1] * 4
    assert after[0] == expected(second) and not any(after[1])
    assert outcomes == [Sent.UNDERRUN, Sent.GOOD]


def test_without_link_frames_are_dropped():
    wire, outcomes = run(32, [(bytes(60), False), (bytes(3), True)], link=False)
    assert wire == [] and outcomes == [Sent.DISCARDED] * 2
