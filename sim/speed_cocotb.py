"""The cocotb half of ``halfsilver.sim.speed``: the same frames into the same top, with drivers written by hand.

Runs inside the simulator; reads its job from and writes its result to the pickle named by HALFSILVER_SPEED_JOB.
"""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

PERIOD = 10
"""Clock period in simulated nanoseconds; any will do."""


async def write_registers(dut: Any, writes: list[tuple[int, int]]) -> None:
    """AXI4-Lite writes, one after the other."""
    dut.s_axil_wstrb.value = 0xF
    dut.s_axil_bready.value = 1
    for address, value in writes:
        dut.s_axil_awaddr.value = address
        dut.s_axil_awvalid.value = 1
        dut.s_axil_wdata.value = value
        dut.s_axil_wvalid.value = 1
        answered = False
        while not answered:
            await RisingEdge(dut.clk)
            if dut.s_axil_awready.value:
                dut.s_axil_awvalid.value = 0
            if dut.s_axil_wready.value:
                dut.s_axil_wvalid.value = 0
            answered = bool(dut.s_axil_bvalid.value)


async def send(dut: Any, prefix: str, frames: list[bytes], beat: int) -> None:
    """Frames back to back into one AXI-Stream port."""
    data, keep, valid, ready, last = (
        getattr(dut, f"{prefix}_{name}") for name in ("tdata", "tkeep", "tvalid", "tready", "tlast")
    )
    for frame in frames:
        for offset in range(0, len(frame), beat):
            part = frame[offset : offset + beat]
            data.value = int.from_bytes(part, "little")
            keep.value = (1 << len(part)) - 1
            last.value = offset + beat >= len(frame)
            valid.value = 1
            await RisingEdge(dut.clk)
            while not ready.value:
                await RisingEdge(dut.clk)
    valid.value = 0


async def collect(dut: Any, copies: list[bytes], verdicts: list[bytes]) -> None:
    """Copies and verdict records, as they come; production is let go."""
    copy = bytearray()
    while True:
        await RisingEdge(dut.clk)
        if dut.m_axis_verdict_tvalid.value:
            verdicts.append(int(dut.m_axis_verdict_tdata.value).to_bytes(16, "little"))
        if dut.m_axis_net_tvalid.value and dut.m_axis_net_tready.value and int(dut.m_axis_net_tuser.value) & 2:
            count = int(dut.m_axis_net_tkeep.value).bit_length()
            width = len(dut.m_axis_net_tdata) // 8
            copy += int(dut.m_axis_net_tdata.value).to_bytes(width, "little")[:count]
            if dut.m_axis_net_tlast.value:
                copies.append(bytes(copy))
                copy.clear()


@cocotb.test()
async def batch(dut: Any) -> None:
    """Reset, write the policy, then the batch; only the batch is timed."""
    path = Path(os.environ["HALFSILVER_SPEED_JOB"])
    job = pickle.loads(path.read_bytes())
    for handle in dut:
        if handle._name.startswith("s_") and not handle._name.endswith("ready"):
            handle.value = 0
    dut.s_axil_bready.value = 0
    dut.s_axil_rready.value = 0
    dut.m_axis_host_tready.value = 1
    dut.m_axis_net_tready.value = 1
    dut.rst.value = 1
    Clock(dut.clk, PERIOD, unit="ns").start()
    for _ in range(4):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    await write_registers(dut, job["writes"])
    for _ in range(job["settle"]):
        await RisingEdge(dut.clk)

    copies: list[bytes] = []
    verdicts: list[bytes] = []
    watcher = cocotb.start_soon(collect(dut, copies, verdicts))
    start, cycle = time.process_time(), cocotb.utils.get_sim_time("ns")
    senders = [
        cocotb.start_soon(send(dut, prefix, frames, len(dut.m_axis_net_tdata) // 8))
        for prefix, frames in job["frames"].items()
    ]
    for sender in senders:
        await sender
    while len(verdicts) < job["verdicts"] or len(copies) < sum(record[8] == 0 for record in verdicts):
        await RisingEdge(dut.clk)
    seconds = time.process_time() - start
    cycles = round((cocotb.utils.get_sim_time("ns") - cycle) / PERIOD)
    watcher.cancel()
    path.with_suffix(".result").write_bytes(
        pickle.dumps({"seconds": seconds, "cycles": cycles, "copies": copies, "verdicts": verdicts})
    )
