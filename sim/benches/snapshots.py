"""Snapshots of the counters under full traffic: at any cycle every sum is that of whole frames, to the last byte."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from halfsilver.harness.records import Counters, Frame, Port, Tally
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.sim.benches.drivers.pace import always, now_and_then
from halfsilver.sim.benches.frames import frame_of_length
from halfsilver.sim.benches.nic import PARAMETERS, WIDTH, NicBench, start
from halfsilver.sim.benches.policies import everything

SNAPSHOTS = 12 if WIDTH > 8 else 4
CLOCKS = 1500
"""Clocks of traffic at each input, while a snapshot is taken."""


async def _read(bench: NicBench) -> Counters:
    """The counters that the laws below need, each in its own time, while traffic goes on."""
    counters, parts = Counters(), ("FRAMES_LOW", "FRAMES_HIGH", "BYTES_LOW", "BYTES_HIGH")

    async def read(group: int, index: int) -> Tally:
        bench.write("COUNTER_ADDRESS", group=group, index=index)
        values = await bench.access(*[bench.registers.read(REGISTERS.address(f"COUNTER_{part}")) for part in parts])
        return Tally(values[0] | values[1] << 32, values[2] | values[3] << 32)

    rounded = 1 << PARAMETERS.eni_bits
    for port in Port:
        for bad in (False, True):
            counters.ports[port, bad] = await read(3, port * 2 + bad)
    for direction in Direction:
        for verdict in Verdict:
            counters.verdicts[direction, verdict] = await read(0, direction * 16 + verdict)
        for eni in range(PARAMETERS.enis):
            for session in range(PARAMETERS.sessions):
                for skipped, table in enumerate((counters.sessions, counters.skipped)):
                    index = ((skipped * 2 + direction) * rounded + eni) * 4 + session
                    table[direction, eni, session] = await read(1, index)
    return counters


def _check(counters: Counters) -> None:
    """In = out, offered = sum over verdicts, due = sent + skipped; of the copies sent, some have yet to leave."""
    ways = {Direction.INGRESS: (Port.NETWORK_IN, Port.HOST_OUT), Direction.EGRESS: (Port.HOST_IN, Port.NETWORK_OUT)}
    sent = 0
    for direction, (enters, leaves) in ways.items():
        for bad in (False, True):
            assert counters.ports[enters, bad] == counters.ports[leaves, bad], (direction, bad, counters.ports)
        judged = sum(tally.frames for (way, _), tally in counters.verdicts.items() if way is direction)
        assert judged == counters.passed(enters), f"{direction}: {counters.passed(enters)} in, {judged} verdicts"
        for table, verdict in ((counters.sessions, Verdict.MIRRORED), (counters.skipped, Verdict.CONGESTED)):
            due = counters.verdicts[direction, verdict]
            its = [tally for (way, _, _), tally in table.items() if way is direction]
            of_sessions = Tally(sum(tally.frames for tally in its), sum(tally.octets for tally in its))
            assert of_sessions == due, f"{direction} {verdict}: {due}, of the sessions {of_sessions}"
        sent += counters.verdicts[direction, Verdict.MIRRORED].frames
    assert counters.ports[Port.COPIES_OUT, False].frames <= sent


@cocotb.test()
async def sums_meet_at_any_cycle(dut: Any) -> None:
    """Short frames back to back at both inputs, good and bad, at a receiver that takes all and at one that pauses."""
    bench = await start(dut)
    await bench.load(everything(PARAMETERS.enis))
    bench.full_rate = True
    before = -1  # the first snapshot may come before any frame has ended
    for number in range(SNAPSHOTS):
        bench.set_paces(always, always if number % 2 else now_and_then(0.9))
        _offer(bench)
        await bench.testbench.step(random.randrange(1, 200))
        await bench.take_snapshot()
        counters = await _read(bench)
        _check(counters)
        frames = sum(tally.frames for tally in counters.verdicts.values())
        assert frames > before, "no frame was judged since the last snapshot"
        before = frames
    await bench.drain()
    await bench.check_counters()


def _offer(bench: NicBench) -> None:
    for direction in Direction:
        lengths = [random.choice([60, 60, 61, 64, 90, 200]) for _ in range(CLOCKS * WIDTH // 8 // 60 + 10)]
        bench.send(
            Frame(frame_of_length(length, direction).data, direction, bad=random.random() < 0.1) for length in lengths
        )
