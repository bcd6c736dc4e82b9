"""Production: what it takes to pass, and that neither copies nor the other direction can hurt it."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.sim.benches.drivers.pace import always, bursts, never, now_and_then
from halfsilver.sim.benches.frames import LENGTHS, frame_of_length
from halfsilver.sim.benches.nic import OWN_STREAM, PARAMETERS, WIDTH, NicBench, start
from halfsilver.sim.benches.policies import everything

ENIS = PARAMETERS.enis
TO_HOST = 1
TO_NET = 1 if OWN_STREAM else 3
"""Clocks from the first beat in to the first beat out, as docs/reference/size_and_speed.md says."""

SHORTEST = 60
"""Bytes of frames that both inputs take back to back, one verdict for each."""


async def _started(dut: Any, mirrors: bool) -> NicBench:
    bench = await start(dut)
    if mirrors:
        await bench.load(everything(ENIS))
    await bench.testbench.step()  # in the first clock after reset nothing is taken
    bench.full_rate = True
    return bench


@cocotb.test()
async def latency(dut: Any) -> None:
    """Without a copy every frame takes the same clocks, of every length, back to back or not, from pausing sources."""
    bench = await _started(dut, mirrors=False)
    for pace in (always, now_and_then(0.5), bursts(20)):
        for direction, source in bench.sources.items():
            source.pace = pace
            lengths = [length for length in LENGTHS if length >= SHORTEST and (WIDTH > 8 or length <= 200)]
            random.shuffle(lengths)
            bench.send(frame_of_length(length, direction) for length in lengths)
        await bench.drain()
    assert set(bench.latencies[Direction.INGRESS]) == {TO_HOST}, bench.latencies
    assert set(bench.latencies[Direction.EGRESS]) == {TO_NET}, bench.latencies
    assert bench.sources[Direction.INGRESS].stalled == bench.sources[Direction.EGRESS].stalled == 0


@cocotb.test()
async def everything_mirrored(dut: Any) -> None:
    """Back to back both ways, a copy due for each frame: no input ever waits, nothing is late to the host."""
    bench = await _started(dut, mirrors=True)
    count = 60 if WIDTH == 8 else 600
    for direction in Direction:
        bench.send(frame_of_length(random.choice((SHORTEST, SHORTEST + 17, 300)), direction) for _ in range(count))
        bench.send(frame_of_length(SHORTEST, direction) for _ in range(count))
    await bench.drain()
    for direction, source in bench.sources.items():
        assert source.stalled == 0, f"{direction}: {source.stalled} clocks in which tready was low"
        assert bench.sinks[direction].frames >= 2 * count
    assert set(bench.latencies[Direction.INGRESS]) == {TO_HOST}
    # At a byte per clock the frames are few, and the queues hold all copies.
    fair = {Verdict.MIRRORED} if WIDTH == 8 else {Verdict.MIRRORED, Verdict.CONGESTED}
    assert {record.verdict for record in bench.records} == fair
    await bench.check_counters()


@cocotb.test()
async def copies_take_gaps(dut: Any) -> None:
    """With gaps between frames copies leave, and a frame waits for one copy at most and what that has held up."""
    bench = await _started(dut, mirrors=True)
    longest = 300
    for source in bench.sources.values():
        source.pace = now_and_then(0.3)
    for direction in Direction:
        bench.send(frame_of_length(random.randint(SHORTEST, longest), direction) for _ in range(60))
    await bench.drain()
    assert all(source.stalled == 0 for source in bench.sources.values())
    assert set(bench.latencies[Direction.INGRESS]) == {TO_HOST}
    beats = -(-(longest + 70) * 8 // WIDTH)
    assert max(bench.latencies[Direction.EGRESS]) <= (TO_NET if OWN_STREAM else TO_NET + beats)
    await bench.check_counters()


@cocotb.test()
async def host_stops(dut: Any) -> None:
    """A host that takes nothing holds what comes for it; the way to the network does not notice."""
    bench = await _started(dut, mirrors=True)
    bench.sinks[Direction.INGRESS].pace = never
    for direction in Direction:
        bench.send(frame_of_length(200, direction) for _ in range(30))
    await bench.testbench.until(lambda: not bench.sources[Direction.EGRESS].waiting, "the host's frames", 60_000)
    await bench.testbench.step(300)
    assert bench.sinks[Direction.INGRESS].frames == 0 and not bench.sources[Direction.INGRESS].idle
    assert bench.sources[Direction.EGRESS].idle and bench.sources[Direction.EGRESS].stalled == 0
    assert len([record for record in bench.records if record.direction is Direction.EGRESS]) == 30
    bench.sinks[Direction.INGRESS].pace = always
    await bench.drain()
    await bench.check_counters()


@cocotb.test()
async def network_stops(dut: Any) -> None:
    """A network that takes nothing holds the host's frames and the copies; the way to the host does not notice."""
    bench = await _started(dut, mirrors=True)
    for sink in (bench.sinks[Direction.EGRESS], bench.copies_sink):
        sink.pace = never
    count = 2 * PARAMETERS.longest_copy // 500
    for direction in Direction:
        bench.send(frame_of_length(500, direction) for _ in range(count))
    await bench.testbench.until(lambda: bench.sources[Direction.INGRESS].idle, "the network's frames", 60_000)
    await bench.testbench.step(300)
    assert bench.sources[Direction.INGRESS].stalled == 0
    assert set(bench.latencies[Direction.INGRESS]) == {TO_HOST}
    assert bench.sinks[Direction.INGRESS].frames == count
    assert bench.sinks[Direction.EGRESS].frames == 0 and not bench.sources[Direction.EGRESS].idle
    for sink in (bench.sinks[Direction.EGRESS], bench.copies_sink):
        sink.pace = always
    await bench.drain()
    await bench.check_counters()
