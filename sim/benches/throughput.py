"""Line rate: short frames back to back at both inputs at once never make them wait."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from typing import Any

import cocotb

from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.sim.benches.frames import chained_headers, frame_of_length, tcp6_frame
from halfsilver.sim.benches.nic import PARAMETERS, WIDTH, start
from halfsilver.sim.benches.policies import everything

FRAMES = 2000 if WIDTH > 8 else 300
"""Frames per direction."""


async def _line_rate(dut: Any, frames: dict[Direction, list[Frame]]) -> None:
    """Count the clocks: as many as the beats of one direction, not one more, and one verdict for each frame."""
    bench = await start(dut)
    await bench.load(everything(PARAMETERS.enis))
    await bench.testbench.step()  # in the first clock after reset nothing is taken
    bench.full_rate = True
    beats = {direction: sum(-(-len(frame.data) * 8 // WIDTH) for frame in batch) for direction, batch in frames.items()}
    for batch in frames.values():
        bench.send(batch)
    begin = bench.testbench.clock
    await bench.testbench.until(
        lambda: all(source.idle for source in bench.sources.values()), "the inputs", 2 * max(beats.values())
    )
    clocks = bench.testbench.clock - begin
    for direction, source in bench.sources.items():
        assert source.stalled == 0, f"{direction}: {source.stalled} clocks in which tready was low"
        assert source.offered == beats[direction], f"{direction}: {source.offered} beats, not {beats[direction]}"
    assert clocks == max(beats.values()), f"{clocks} clocks for {max(beats.values())} beats"
    await bench.drain()
    assert Counter(record.direction for record in bench.records) == {
        direction: len(batch) for direction, batch in frames.items()
    }
    assert {record.verdict for record in bench.records} <= {Verdict.MIRRORED, Verdict.CONGESTED}
    await bench.check_counters()


@cocotb.test()
async def shortest_frames(dut: Any) -> None:
    """60 bytes, the shortest Ethernet frame without its FCS."""
    await _line_rate(
        dut, {direction: [frame_of_length(60, direction) for _ in range(FRAMES)] for direction in Direction}
    )


@cocotb.test()
async def ipv6_tcp(dut: Any) -> None:
    """74 bytes, the longest header that every frame may have."""
    await _line_rate(dut, {direction: [tcp6_frame(direction) for _ in range(FRAMES)] for direction in Direction})


@cocotb.test()
async def mixed_lengths(dut: Any) -> None:
    """60 to 90 bytes in one direction, 74 in the other: the two inputs drift past each other."""
    await _line_rate(
        dut,
        {
            Direction.INGRESS: [frame_of_length(60 + number % 31, Direction.INGRESS) for number in range(FRAMES // 2)],
            Direction.EGRESS: [tcp6_frame(Direction.EGRESS) for _ in range(FRAMES // 2)],
        },
    )


def _chained(direction: Direction, lengths: tuple[int, ...]) -> Frame:
    extensions = [random.choice(lengths) for _ in range(random.choice((1, 7, 8, 9, 15)))]
    data = chained_headers(direction, tags=random.randrange(3), extensions=extensions)
    return Frame(data[: random.choice((70, len(data)))], direction)


@cocotb.test()
async def extension_headers(dut: Any) -> None:
    """Chains of IPv6 extension headers, as many as one likes and each as long, between shortest frames."""
    kinds = (partial(_chained, lengths=(0, 0, 1, 4, 30)), partial(frame_of_length, 60))
    await _line_rate(
        dut, {direction: [random.choice(kinds)(direction) for _ in range(FRAMES // 4)] for direction in Direction}
    )


@cocotb.test()
async def extension_headers_in_bursts(dut: Any) -> None:
    """Those that take longest to read, one behind the other, and then nothing but shortest frames."""

    def bursts(direction: Direction) -> list[Frame]:
        frames: list[Frame] = []
        while len(frames) < FRAMES // 2:
            frames += [_chained(direction, (4, 5, 6)) for _ in range(random.randrange(1, 30))]
            frames += [frame_of_length(60, direction) for _ in range(random.choice((5, 50, FRAMES // 4)))]
        return frames

    await _line_rate(dut, {direction: bursts(direction) for direction in Direction})
