"""PayloadSum against RFC 1071 arithmetic on whole packets, at every width."""

import random
import struct

import pytest
from amaranth.sim import Simulator
from scapy.utils import checksum as scapy_checksum

from halfsilver.hdl.checksum import PayloadSum

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")

WIDTHS = [8, 16, 32, 64, 128, 256, 512, 1024]


def run(width, packets, idle, seed=1):
    """Feed packets, return [(sum, clocks from the clock with last to done)] in order."""
    dut = PayloadSum(width)
    step = width // 8
    rng = random.Random(seed)
    ends, results = [], []
    clock = 0

    async def feed(ctx):
        nonlocal clock
        for packet in packets:
            for at in range(0, len(packet), step):
                while rng.random() < idle:
                    ctx.set(dut.valid, 0)
                    ctx.set(dut.last, rng.getrandbits(1))
                    ctx.set(dut.data, rng.getrandbits(width))
                    await tick(ctx)
                piece = packet[at : at + step]
                garbage = rng.randbytes(step - len(piece))
                ctx.set(dut.data, int.from_bytes(piece + garbage, "little"))
                ctx.set(dut.count, len(piece))
                ctx.set(dut.last, at + step >= len(packet))
                ctx.set(dut.valid, 1)
                if at + step >= len(packet):
                    ends.append(clock)
                await tick(ctx)
        ctx.set(dut.valid, 0)
        for _ in range(dut.latency + 1):
            await tick(ctx)

    async def tick(ctx):
        nonlocal clock
        _, _, done, total = await ctx.tick().sample(dut.done, dut.sum)
        if done:
            results.append((total, clock - ends[len(results)]))
        clock += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.run()
    return dut, results


def rfc1071(packet):
    """Sum of 16-bit big-endian words with end-around carry (RFC 1071 section 1)."""
    padded = packet + bytes(len(packet) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("idle", [0.0, 0.4])
@pytest.mark.parametrize("width", WIDTHS)
def test_sum_of_random_packets(width, idle):
    rng = random.Random(width)
    lengths = list(range(1, 70)) + [127, 128, 129, 512, 1500]
    packets = [rng.randbytes(length) for length in lengths]
    dut, results = run(width, packets, idle)
    assert [total for total, _ in results] == [rfc1071(packet) for packet in packets]
    assert [total for total, _ in results] == [scapy_checksum(packet) ^ 0xFFFF for packet in packets]
    assert {delay for _, delay in results} == {dut.latency}


@pytest.mark.parametrize("width", WIDTHS)
def test_carries(width):
    """All ones in the longest copy carries at every word; all zeros is the only packet that sums to zero."""
    packets = [
        b"\xff" * 9216,
        bytes(64),
        b"\xff\xff" * 33,
        b"\xff\xfe\x00\x01",
        b"\xff\xff\x00\x01",
        b"\x80",
        b"\x00" * 13 + b"\x01",
    ]
    _, results = run(width, packets, 0.0)
    assert [total for total, _ in results] == [0xFFFF, 0, 0xFFFF, 0xFFFF, 0x0001, 0x8000, 0x0001]


def test_rfc1071_example():
    """RFC 1071 section 3: bytes 00 01 f2 03 f4 f5 f6 f7 sum to ddf2."""
    for width in WIDTHS:
        _, results = run(width, [bytes.fromhex("0001f203f4f5f6f7")], 0.0)
        assert results[0][0] == 0xDDF2


@pytest.mark.parametrize(("width", "latency"), [(8, 3), (16, 3), (32, 6), (64, 7), (512, 10), (1024, 11)])
def test_documented_latency(width, latency):
    dut, results = run(width, [bytes(14)], 0.0)
    assert dut.latency == latency
    assert results == [(0, latency)]


@pytest.mark.parametrize("width", [0, 4, 24, 2048, "64"])
def test_refuses_width(width):
    with pytest.raises(ValueError, match="power of two from 8 to 1024"):
        PayloadSum(width)
