"""Rule sets change under traffic: every frame is judged, and copied, wholly by the one its record names."""

from __future__ import annotations

import random
import struct
import zlib
from collections import Counter
from typing import Any

import cocotb

from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.sim.benches.drivers.pace import always, never, now_and_then
from halfsilver.sim.benches.frames import any_frame, frame_of_length
from halfsilver.sim.benches.nic import PARAMETERS, WIDTH, NicBench, start
from halfsilver.sim.benches.policies import everything, random_flags, random_policy

ENIS = PARAMETERS.enis
SWAPS = 6 if WIDTH == 8 else 12


def _keep_busy(bench: NicBench) -> None:
    """Never less than a dozen frames wait at each input."""
    for direction, source in bench.sources.items():
        if source.waiting < 12:
            source.send(*(any_frame(direction, enis=ENIS) for _ in range(30)))


async def _run(bench: NicBench, clocks: int) -> None:
    for _ in range(clocks // 20):
        _keep_busy(bench)
        await bench.testbench.step(20)


@cocotb.test()
async def swap_under_traffic(dut: Any) -> None:
    """Three rule sets in turn, each written and committed while frames run."""
    bench = await start(dut)
    rule_sets = [(random_policy(ENIS, rules=PARAMETERS.rules), random_flags()) for _ in range(3)]
    for number in range(SWAPS):
        bench.full_rate = number >= SWAPS // 2
        bench.set_paces(always, random.choice((always, now_and_then(0.7))))
        _keep_busy(bench)
        policy, flags = rule_sets[number % 3]
        await bench.stage(policy, flags)
        await _run(bench, random.randrange(100, 400))
        await bench.commit(policy, flags)
        await _run(bench, random.randrange(200, 600))
    await bench.drain()
    generations = Counter(record.generation for record in bench.records)
    assert set(generations) >= set(range(1, SWAPS + 1)), f"generations that judged no frame: {generations}"
    order = [record.generation for record in bench.records]
    assert order == sorted(order), "a frame was judged by an older rule set than one before it"
    await bench.check_counters()


@cocotb.test()
async def checked_commits(dut: Any) -> None:
    """A commit that needs another CRC than that of the words is refused; with the right one it is made, once."""
    bench = await start(dut)
    wrong = random.getrandbits(32)
    bench.write("EXPECTED_CRC", value=wrong)
    bench.write("TABLE_CHECK", required=1)
    written = await bench.stage(random_policy(ENIS, rules=PARAMETERS.rules), random_flags())
    octets = b"".join(
        struct.pack("<II", bank << 26 | table << 24 | index, word) for bank, table, index, word in written
    )
    assert await bench.read("TABLE_CRC") == {"value": zlib.crc32(octets)}
    assert await bench.read("TABLE_COUNT") == {"count": len(written)}
    for expected, generation, refused in ((wrong, 0, 1), (zlib.crc32(octets), 1, 1), (0, 1, 2)):
        bench.write("EXPECTED_CRC", value=expected)
        bench.write("COMMIT", go=1)
        assert (await bench.read("STATUS"))["generation"] == generation
        assert await bench.read("REFUSED_WRITES") == {"count": refused}
    assert await bench.read("TABLE_CRC") == {"value": 0}


@cocotb.test()
async def busy_shadow_refuses(dut: Any) -> None:
    """While a copy of the previous rule set waits, its tables cannot be written and nothing can be committed."""
    bench = await start(dut)
    await bench.load(everything(ENIS))
    bench.copies_sink.pace = never
    bench.send(frame_of_length(100, Direction.INGRESS) for _ in range(3))
    await bench.testbench.until(lambda: len(bench.records) == 3, "verdicts")
    await bench.load(everything(ENIS, ipv6_outer=True))
    status = await bench.read("STATUS")
    assert status["shadow_busy"] and status["generation"] == 2, status

    # Words that would ruin session, outer header and lookup of the copies that wait.
    refused = 0
    for table, index in ((1, 0), (2, 0), (2, 3), (2, 12), (0, 0), (3, 1)):
        bench.write("TABLE_ADDRESS", table=table, index=index)
        bench.write("TABLE_DATA", value=0)
        refused += 1
    await bench.access(bench.write("COMMIT", go=1))
    refused += 1
    assert (await bench.read("REFUSED_WRITES"))["count"] == refused
    assert (await bench.read("STATUS"))["generation"] == 2

    bench.send(frame_of_length(100, Direction.EGRESS) for _ in range(3))
    bench.copies_sink.pace = always
    await bench.drain()
    assert Counter(record.generation for record in bench.records) == {1: 3, 2: 3}
    assert {record.verdict for record in bench.records} == {Verdict.MIRRORED}
    assert not (await bench.read("STATUS"))["shadow_busy"]
