"""The NIC against the golden model: sizes and pauses, random rule sets, bad, oversize and dropped frames."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import cocotb

from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.sim.benches.frames import LENGTHS, any_frame, frame_of_length
from halfsilver.sim.benches.nic import PACES, PARAMETERS, WIDTH, start
from halfsilver.sim.benches.policies import everything, random_flags, random_policy

ENIS = PARAMETERS.enis


@cocotb.test()
async def sizes_and_pauses(dut: Any) -> None:
    """Every length at both inputs, under each pattern of pauses; IPv4 and IPv6 outer packets."""
    bench = await start(dut)
    for number, paces in enumerate(PACES):
        bench.set_paces(*paces)
        await bench.load(everything(ENIS, ipv6_outer=bool(number % 2)))
        for direction in Direction:
            # A byte per clock: the large ones once only.
            lengths = [length for length in LENGTHS if WIDTH > 8 or number == 0 or length <= 200]
            random.shuffle(lengths)
            bench.send(frame_of_length(length, direction, eni=random.randrange(ENIS)) for length in lengths)
        await bench.drain()
    await bench.check_counters()


@cocotb.test()
async def random_rule_sets(dut: Any) -> None:
    """Random frames, valid and hostile, under random rule sets and flags."""
    bench = await start(dut)
    for number in range(3 if WIDTH == 8 else 8):
        flags = random_flags()
        # In tap mode no frame is without an interface, so one rule set at least is not.
        await bench.load(random_policy(ENIS, rules=PARAMETERS.rules), replace(flags, tap=flags.tap and number > 0))
        bench.set_paces(*PACES[number % len(PACES)])
        for direction in Direction:
            bench.send(any_frame(direction, enis=ENIS) for _ in range(70 if WIDTH == 8 else 200))
        await bench.drain()
    verdicts = {record.verdict for record in bench.records}
    assert {Verdict.MIRRORED, Verdict.MALFORMED, Verdict.NO_ENI, Verdict.NOT_ELIGIBLE} <= verdicts, verdicts
    await bench.check_counters()


@cocotb.test()
async def bad_frames(dut: Any) -> None:
    """Frames with tuser between good ones, of every length: malformed, no copy, and the neighbours whole."""
    bench = await start(dut)
    await bench.load(everything(ENIS))
    for paces in PACES[:3:2]:
        bench.set_paces(*paces)
        for direction in Direction:
            for length in range(14, 141, 1 if WIDTH > 8 else 3):
                frame = frame_of_length(length, direction)
                bench.send([replace(frame, bad=random.random() < 0.5)])
        await bench.drain()
    await bench.check_counters()


@cocotb.test()
async def too_short_and_too_long(dut: Any) -> None:
    """1 to 13 bytes, and more than 9,216: malformed; the frames around them are mirrored."""
    bench = await start(dut)
    await bench.load(everything(ENIS))
    lengths = [*range(1, 20), 9215, 9216, 9217, 9218, 60, 61, *([16385, 20000, 60] if WIDTH > 8 else [])]
    if WIDTH == 512:
        lengths += [65535, 65536, 70000, 60]  # the record's length saturates
    for direction in Direction:
        bench.send(frame_of_length(length, direction) for length in lengths)
    await bench.drain()
    await bench.check_counters()


@cocotb.test()
async def drop_mark(dut: Any) -> None:
    """Frames that the security group dropped are not mirrored; the mark counts with the last beat only."""
    bench = await start(dut)
    await bench.load(everything(ENIS))
    bench.send(
        replace(frame_of_length(random.randint(20, 120), Direction.INGRESS), dropped=random.random() < 0.5)
        for _ in range(80)
    )
    await bench.drain()
    dropped = sum(record.verdict is Verdict.DROPPED for record in bench.records)
    assert 10 < dropped < 70, f"{dropped} of 80 frames dropped"
    await bench.check_counters()


@cocotb.test()
async def without_rule_set(dut: Any) -> None:
    """After reset there is no interface: nobody's frames, generation 0, nothing copied."""
    bench = await start(dut)
    frames = [any_frame(direction) for direction in Direction for _ in range(20)]
    bench.send(frames + [Frame(b"\xff" * 60, Direction.INGRESS)])
    await bench.drain()
    assert {record.verdict for record in bench.records} <= {Verdict.NO_ENI, Verdict.MALFORMED}
    assert {record.generation for record in bench.records} == {0}
    await bench.check_counters()
