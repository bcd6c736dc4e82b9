"""cocotb bench of `ElasticTop`: runs the clocks, then writes what was recorded into a file."""

import json
import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, Timer


@cocotb.test()
async def play_and_record(dut):
    job = json.loads(Path(os.environ["MAC_JOB"]).read_text())
    dut.play.value = 0
    dut.load.value = 0
    dut.repeats.value = job["repeats"]
    dut.stalls.value = job["stalls"]
    dut.rst.value = 1
    for name in ("clk", "wire_clk", "clk125"):
        Clock(getattr(dut, name), job[name], "ps").start()
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 200)
    assert dut.up.value
    dut.load.value = 1
    for entry in job["script"]:
        dut.entry.value = entry
        await RisingEdge(dut.wire_clk)
    dut.load.value = 0
    dut.play.value = 1
    await Timer(job["clocks"] * job["wire_clk"], "ps")
    lines = [hex(int(dut.received.value)), hex(int(dut.sent.value))]
    for place in range(job["words"]):
        dut.place.value = place
        await Timer(2, "ps")
        lines.append(hex(int(dut.word.value)))
    Path(job["output"]).write_text("\n".join(lines))
