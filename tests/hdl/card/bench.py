"""cocotb bench of the card: registers over its serial line, frames through cocotbext-eth's PHYs.

What to write and what must come out is in the file that CARD_CASE names; it was made from the policy by driver and
golden model. While the tables are loaded no clock runs but the core's.
"""

import json
import os
from pathlib import Path

import cocotb
from cocotb.triggers import ClockCycles, with_timeout
from cocotbext.eth import GmiiFrame

from tests.hdl.card.rig import Rig

CASE = json.loads(Path(os.environ["CARD_CASE"]).read_text())
WRITE, READ, WRITE_FIXED = 1, 2, 3
"""First bytes of LiteX's uartbone commands."""
BURST = 255
LINK, PRODUCTION, COPIES, SKIPS = (1 << bit for bit in range(4))


async def write(line, address, words, fixed=False):
    for start in range(0, len(words), BURST):
        part = words[start : start + BURST]
        head = bytes([WRITE_FIXED if fixed else WRITE, len(part)]) + (address // 4).to_bytes(4, "big")
        await line.send(head + b"".join(word.to_bytes(4, "big") for word in part))


async def read(line, address):
    return int.from_bytes(await line.ask(bytes([READ, 1]) + (address // 4).to_bytes(4, "big"), 4), "big")


async def arrived(phy, count):
    """Payloads of the next frames at a PHY; each with a right preamble and FCS."""
    payloads = []
    for _ in range(count):
        frame = await with_timeout(phy.sink.recv(), 100, "us")
        assert frame.check_fcs() and frame.error is None
        payloads.append(bytes(frame.get_payload()).hex())
    return payloads


@cocotb.test()
async def card(dut):
    rig = Rig(dut, CASE["send"])
    line = rig.line
    await rig.reset()

    # The serial line: who is there, then the tables, then the commit.
    for address, value in CASE["reads_before"]:
        assert await read(line, address) == value, f"register {address:#x}"
    for address, words in CASE["writes"]:
        await write(line, address, words, fixed=True)
    for address, value in CASE["reads_after"]:
        assert await read(line, address) == value, f"register {address:#x}"
    assert int(dut.lights.value) == 0

    # Frames: production on the other port, copies to the network.
    await rig.wires(True)
    assert int(dut.lights.value) == LINK
    for name, frames in CASE["send"].items():
        rig.phys[name].send(*(GmiiFrame.from_payload(bytes.fromhex(frame)) for frame in frames))
    got = {name: await arrived(phy, len(CASE["due"][name])) for name, phy in rig.phys.items()}
    assert {name: sorted(frames) for name, frames in got.items()} == {
        name: sorted(frames) for name, frames in CASE["due"].items()
    }
    for name, frames in CASE["in_order"].items():
        assert [frame for frame in got[name] if frame in frames] == frames
    await ClockCycles(dut.clk, 125)
    assert all(phy.sink.empty() for phy in rig.phys.values()), "more frames than are due"
    assert int(dut.lights.value) == LINK | CASE["lights"]
