"""What passes a port: one event per frame, with its bytes and its mark."""

import random

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.stream.frame_meter import FrameMeter


@pytest.mark.parametrize("width", [8, 64, 512])
def test_every_frame_has_its_event(width):
    source, octets = random.Random(width), width // 8
    lengths = [*range(1, 2 * octets + 2), 60, 1514, 9216, *([65535, 65536, 70000, 64] if width > 8 else [])]
    dut, seen, sent = FrameMeter(width), [], []

    async def bench(ctx):
        for length in lengths:
            bad = source.randrange(2)
            sent.append((min(length, 65535), bad))
            for start in range(0, length, octets):
                last = start + octets >= length
                ctx.set(dut.taken, 1)
                beat = {"data": 0, "count": min(octets, length - start), "last": last, "bad": bad and last, "drop": 0}
                ctx.set(dut.beat, beat)
                await ctx.tick()
                if source.random() < 0.05:
                    ctx.set(dut.taken, 0)
                    await ctx.tick()
        ctx.set(dut.taken, 0)
        await ctx.tick().repeat(3)

    async def watch(ctx):
        async for _, _, event in ctx.tick().sample(dut.o):
            if event.valid:
                seen.append((event.octets, event.bad))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.add_process(watch)
    simulator.run()
    assert seen == sent
