"""cocotb bench of the card: registers over its serial line, frames through cocotbext-eth's PHYs.

What to write and what must come out is in the file that CARD_CASE names; it was made from the policy by driver and
golden model. While the tables are loaded no clock runs but the core's.
"""

import json
import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, Timer, with_timeout
from cocotbext.eth import GmiiFrame, RgmiiPhy

CASE = json.loads(Path(os.environ["CARD_CASE"]).read_text())
CORE_PS, WIRE_PS, SHIFT_PS = 16_000, 8_000, 2_000
BIT_PS = CASE["clocks_per_bit"] * CORE_PS
WRITE, READ, WRITE_FIXED = 1, 2, 3
"""First bytes of LiteX's uartbone commands."""
BURST = 255
LINK, PRODUCTION, COPIES, SKIPS = (1 << bit for bit in range(4))


class Line:
    """The far end of the serial line: 8 bits, no parity, one stop bit."""

    def __init__(self, dut):
        self.rx, self.tx = dut.uart_rx, dut.uart_tx
        self.rx.value = 1

    async def send(self, octets):
        for octet in octets:
            for bit in [0, *(octet >> place & 1 for place in range(8)), 1]:
                self.rx.value = bit
                await Timer(BIT_PS, "ps")

    async def receive(self, count):
        octets = []
        for _ in range(count):
            if self.tx.value == 1:
                await with_timeout(FallingEdge(self.tx), 100, "us")
            await Timer(BIT_PS * 3 // 2, "ps")
            octet = 0
            for place in range(8):
                octet |= int(self.tx.value) << place
                await Timer(BIT_PS, "ps")
            assert self.tx.value == 1, "no stop bit"
            octets.append(octet)
        return bytes(octets)

    async def write(self, address, words, fixed=False):
        for start in range(0, len(words), BURST):
            part = words[start : start + BURST]
            head = bytes([WRITE_FIXED if fixed else WRITE, len(part)]) + (address // 4).to_bytes(4, "big")
            await self.send(head + b"".join(word.to_bytes(4, "big") for word in part))

    async def read(self, address):
        answer = cocotb.start_soon(self.receive(4))
        await self.send(bytes([READ, 1]) + (address // 4).to_bytes(4, "big"))
        return int.from_bytes(await answer, "big")


async def late_clock(dut):
    """125 MHz, and the same behind it."""
    while True:
        for level in (1, 0):
            dut.clk125.value = level
            await Timer(SHIFT_PS, "ps")
            dut.clk125_late.value = level
            await Timer(WIRE_PS // 2 - SHIFT_PS, "ps")


def phy(dut, port):
    pins = [getattr(dut, f"{port}_{name}") for name in ("tx_data", "tx_ctl", "tx_clk", "rx_data", "rx_ctl", "rx_clk")]
    return RgmiiPhy(*pins, speed=1e9)


async def arrived(port, count):
    """Payloads of the next frames at a PHY; each with a right preamble and FCS."""
    payloads = []
    for _ in range(count):
        frame = await with_timeout(port.tx.recv(), 100, "us")
        assert frame.check_fcs() and frame.error is None
        payloads.append(bytes(frame.get_payload()).hex())
    return payloads


@cocotb.test()
async def card(dut):
    cocotb.start_soon(Clock(dut.clk, CORE_PS, "ps").start())
    line = Line(dut)
    dut.rst.value = 1
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 64)

    # The serial line: who is there, then the tables, then the commit.
    for address, value in CASE["reads_before"]:
        assert await line.read(address) == value, f"register {address:#x}"
    for address, words in CASE["writes"]:
        await line.write(address, words, fixed=True)
    for address, value in CASE["reads_after"]:
        assert await line.read(address) == value, f"register {address:#x}"
    assert int(dut.lights.value) == 0

    # Frames: production on the other port, copies to the network.
    cocotb.start_soon(late_clock(dut))
    ports = {name: phy(dut, name) for name in CASE["send"]}
    await Timer(5, "us")
    assert int(dut.lights.value) == LINK
    for name, frames in CASE["send"].items():
        for frame in frames:
            await ports[name].rx.send(GmiiFrame.from_payload(bytes.fromhex(frame)))
    got = {name: await arrived(port, len(CASE["due"][name])) for name, port in ports.items()}
    assert {name: sorted(frames) for name, frames in got.items()} == {
        name: sorted(frames) for name, frames in CASE["due"].items()
    }
    for name, frames in CASE["in_order"].items():
        assert [frame for frame in got[name] if frame in frames] == frames
    await Timer(2, "us")
    assert all(port.tx.empty() for port in ports.values()), "more frames than are due"
    assert int(dut.lights.value) == LINK | CASE["lights"]
