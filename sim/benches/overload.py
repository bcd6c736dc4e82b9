"""More than the NIC can copy, and reset at any time."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import cocotb

from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.sim.benches.drivers.pace import always, bursts, never, now_and_then
from halfsilver.sim.benches.frames import any_frame, frame_of_length
from halfsilver.sim.benches.nic import OWN_STREAM, PARAMETERS, WIDTH, NicBench, start
from halfsilver.sim.benches.policies import everything, random_flags, random_policy

ENIS = PARAMETERS.enis


@cocotb.test()
async def output_stalled(dut: Any) -> None:
    """No copy leaves: exactly the frames that find no room are congested, and all frames pass; then all that were kept
    come out, and later frames find all of the room again. Where copies leave by the network port, production waits
    there too, so only the other direction is sent."""
    bench = await start(dut)
    await bench.load(everything(ENIS))
    bench.full_rate = True
    ways = tuple(Direction) if OWN_STREAM else (Direction.INGRESS,)
    length = max(500, 2 * PARAMETERS.queue_depth // PARAMETERS.copies)  # bytes run out before places for copies
    each = PARAMETERS.queue_depth // length + 12
    kept: list[int] = []
    for _ in range(2 if WIDTH == 8 else 3):
        already = len(bench.records)
        bench.copies_sink.pace = never
        for direction in ways:
            bench.send(frame_of_length(length, direction) for _ in range(each))
        await bench.testbench.until(lambda: len(bench.records) == already + len(ways) * each, "verdicts", 60_000)  # noqa: B023 (awaited here)
        counts = Counter((record.direction, record.verdict) for record in bench.records[already:])
        for direction in ways:
            mirrored, congested = counts[direction, Verdict.MIRRORED], counts[direction, Verdict.CONGESTED]
            assert mirrored + congested == each and congested > 0, counts
            assert mirrored >= PARAMETERS.queue_depth // (length + WIDTH // 8) - 1, f"only {mirrored} of {length} bytes"
            assert bench.sinks[direction].frames == (len(kept) + 1) * each, "a frame has waited for copies"
            assert bench.sources[direction].stalled == 0, "an input has waited for copies"
        kept.append(counts[Direction.INGRESS, Verdict.MIRRORED])
        bench.copies_sink.pace = always
        await bench.drain()
    assert max(kept) - min(kept) <= 1, f"copies kept in the same situation: {kept}"
    await bench.check_counters()
    for direction in Direction:
        bench.send(frame_of_length(100, direction) for _ in range(10))
    await bench.drain()
    assert {record.verdict for record in bench.records[-20:]} == {Verdict.MIRRORED}
    await bench.check_counters()


@cocotb.test()
async def slow_output(dut: Any) -> None:
    """Both inputs at full rate, the output too slow: copies are skipped whole and all others are right."""
    bench = await start(dut)
    await bench.load(everything(ENIS, ipv6_outer=True, packet_length=300))
    bench.full_rate = True
    for pace in (now_and_then(0.2), bursts(300)):
        bench.copies_sink.pace = pace
        for direction in Direction:
            bench.send(
                frame_of_length(random.choice((60, 64, 65, 300, 700)), direction)
                for _ in range(100 if WIDTH > 8 else 25)
            )
            bench.send(any_frame(direction, enis=ENIS) for _ in range(60 if WIDTH > 8 else 20))
        await bench.drain()
    await bench.check_counters()


@cocotb.test()
async def reset_in_frame(dut: Any) -> None:
    """Reset in the middle of frames and copies: counters and generation are 0, and everything works again."""
    bench = await start(dut)
    for number in range(3 if WIDTH == 8 else 8):
        await bench.load(random_policy(ENIS, rules=PARAMETERS.rules), random_flags())
        await _traffic(bench, full_rate=bool(number % 2))
        await _until_in_frame(bench)
        await bench.reset()
        await bench.check_counters()
        assert await bench.read("STATUS") == {"shadow_busy": 0, "active_bank": 0, "generation": 0}
        await bench.load(everything(ENIS))
        bench.full_rate = False
        bench.set_paces(always, always)
        for direction in Direction:
            bench.send(frame_of_length(random.randint(14, 120), direction) for _ in range(15))
        await bench.drain()
        await bench.check_counters()


async def _traffic(bench: NicBench, full_rate: bool) -> None:
    bench.full_rate = full_rate
    bench.set_paces(random.choice((always, now_and_then(0.8))), random.choice((always, never, now_and_then(0.3))))
    for direction in Direction:
        bench.send(any_frame(direction, enis=ENIS) for _ in range(60))
        bench.send(frame_of_length(1000, direction) for _ in range(40))
    await bench.testbench.step(random.randrange(100, 1200))


async def _until_in_frame(bench: NicBench) -> None:
    """One beat of a frame has been taken and another is to come, whether or not its copy would find room."""
    bench.full_rate = True
    bench.set_paces(always, bench.copies_sink.pace)
    for direction in Direction:
        bench.send([frame_of_length(1000, direction)])
    await bench.testbench.until(
        lambda: any(source.in_frame for source in bench.sources.values()), "the middle of a frame"
    )
