"""cocotb bench of the MAC: each direction against known bytes; what the PHY shows is cocotbext-eth's, FCS are zlib's.

The PHY's clock is as its model makes it; core and transmit clock differ from it by up to 100 ppm of their own, drawn
for each test. The transmit clock's pin is shifted by 2 ns, the receive clock is not (the model changes data half a
period before the edge).
"""

import os
import random
import zlib

import cocotb
from cocotb.triggers import ClockCycles, Timer, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource
from cocotbext.eth import GmiiFrame, RgmiiPhy

WIDTH, LONGEST, STALL_CLOCKS = (int(os.environ[f"MAC_{name}"]) for name in ("WIDTH", "LONGEST", "STALL_CLOCKS"))
SPEEDS = {10: 0, 100: 1, 1000: 2}
RECEIVED = ("good", "preamble", "symbol", "runt", "giant", "fcs", "overflow", "stall")
SENT = ("good", "marked", "underrun", "discarded")
CORE_PS = {8: 8000 * (1 - 3e-4), 32: 16000, 64: 32000}[WIDTH]
"""Period of the core's clock. At 8 bits it must be faster than the wire's by more than 200 ppm."""
SHIFT_PS = 2000


async def run_clock(signal, period, late=None):
    """A clock of any period in ps, rounded edge by edge; ``late`` follows `SHIFT_PS` behind."""
    now, edges = 0, 0
    while True:
        signal.value = 1 - edges % 2
        if late is not None:
            await Timer(SHIFT_PS, "ps")
            now += SHIFT_PS
            late.value = 1 - edges % 2
        edges += 1
        then = round(edges * period / 2)
        await Timer(then - now, "ps")
        now = then


class Bench:
    """A MAC, its PHY and its core."""

    def __init__(self, dut, speed, random):
        self.dut, self.speed, self.random = dut, speed, random
        self.ppm = [random.choice((-100, 100, random.randint(-100, 100))) for _ in range(2)]
        core, wire = (1 + 1e-6 * ppm for ppm in self.ppm)
        dut._log.warning(f"{speed} Mb/s, core {self.ppm[0]} ppm, transmit {self.ppm[1]} ppm")
        cocotb.start_soon(run_clock(dut.clk, CORE_PS * core))
        cocotb.start_soon(run_clock(dut.clk125, 8000 * wire, dut.clk125_late))
        self.phy = RgmiiPhy(
            dut.rgmii_tx_data,
            dut.rgmii_tx_ctl,
            dut.rgmii_tx_clk,
            dut.rgmii_rx_data,
            dut.rgmii_rx_ctl,
            dut.rgmii_rx_clk,
            speed=speed * 1e6,
        )
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)

    async def start(self, manual=True):
        dut = self.dut
        dut.whole.value = 0
        dut.manual.value = manual
        dut.manual_status.value = 1 | SPEEDS[self.speed] << 1 | 1 << 3
        dut.rst.value = 1
        await ClockCycles(dut.clk, 4)
        dut.rst.value = 0
        # The receive clock must be seen and the speed must have reached the other clocks.
        await Timer({10: 60, 100: 8, 1000: 2}[self.speed], "us")

    async def received(self):
        """The next frame at the core: bytes and bad mark."""
        frame = await with_timeout(self.sink.recv(compact=False), self.time(3000), "ns")
        marks = frame.tuser
        octets = bytes(octet for octet, keep in zip(frame.tdata, frame.tkeep, strict=True) if keep)
        return octets, bool(marks[-1] if isinstance(marks, list) else marks)

    async def sent(self):
        """The next frame at the PHY."""
        return await with_timeout(self.phy.tx.recv(), self.time(3000), "ns")

    def time(self, octets):
        """ns."""
        return octets * 8 * 1000 // self.speed

    def counts(self):
        """All counters that are not 0."""
        found = {}
        for name, members in (("received", RECEIVED), ("sent", SENT)):
            value = int(getattr(self.dut, name).value)
            for place, member in enumerate(members):
                count = value >> 32 * place & 0xFFFFFFFF
                if count:
                    found[f"{name}.{member}"] = count
        return found


def frame_of(payload, *, fcs=0, preamble=bytes([0x55] * 7 + [0xD5])):
    """What is on the wire: zlib's FCS, spoilt by ``fcs``."""
    return GmiiFrame(preamble + payload + (zlib.crc32(payload) ^ fcs).to_bytes(4, "little"))


def sizes(speed, random):
    """Frames are dear at 10 Mb/s."""
    if speed == 10:
        return [60, 61]
    return [60, 61, 62, 63, random.randint(64, 600), *([1514] if speed == 1000 else [])]


@cocotb.test()
@cocotb.parametrize(speed=[1000, 100, 10])
async def frames_from_the_wire_reach_the_core(dut, speed):
    rng = random.Random(f"{cocotb.RANDOM_SEED}-{speed}")
    bench = Bench(dut, speed, rng)
    await bench.start()
    payloads = [rng.randbytes(size) for size in sizes(speed, rng)]
    for payload in payloads:
        await bench.phy.rx.send(frame_of(payload))
    for payload in payloads:
        assert await bench.received() == (payload, False)
    assert bench.counts() == {"received.good": len(payloads)}


@cocotb.test()
@cocotb.parametrize(speed=[1000, 100, 10])
async def frames_of_the_core_reach_the_wire(dut, speed):
    rng = random.Random(f"{cocotb.RANDOM_SEED}-{speed}")
    bench = Bench(dut, speed, rng)
    await bench.start()
    payloads = [rng.randbytes(size) for size in [1, 59, *sizes(speed, rng)]]
    for payload in payloads:
        await bench.source.send(AxiStreamFrame(payload, tuser=0))
    ends = []
    for payload in payloads:
        frame = await bench.sent()
        assert bytes(frame.get_preamble()) == bytes([0x55] * 7 + [0xD5])
        assert bytes(frame.get_payload()) == payload.ljust(60, b"\0")
        assert frame.check_fcs() and frame.error is None
        ends.append((frame.sim_time_start, frame.sim_time_end))
    octet = 8e6 / speed  # ps
    gaps = [(start - end) / octet for (_, end), (start, _) in zip(ends, ends[1:], strict=False)]
    assert all(7.9 < gap < 12.1 for gap in gaps), gaps
    await Timer(1, "us")
    assert bench.counts() == {"sent.good": len(payloads)}
