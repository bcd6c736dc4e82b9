"""cocotb bench of the MAC: each direction against known bytes; what the PHY shows is cocotbext-eth's, FCS are zlib's.

The PHY's clock is as its model makes it; core and transmit clock differ from it by up to 100 ppm of their own, drawn
for each test. The transmit clock's pin is shifted by 2 ns, the receive clock is not (the model changes data half a
period before the edge).
"""

import os
import random
import zlib

import cocotb
from cocotb.triggers import ClockCycles, Event, Timer, with_timeout
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
        self._wire_ps = 8000 * wire
        cocotb.start_soon(run_clock(dut.clk, CORE_PS * core))
        self.transmit(True)
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

    def transmit(self, on):
        """Start or stop the transmit clock."""
        if on:
            clock = run_clock(self.dut.clk125, self._wire_ps, self.dut.clk125_late)
            self._wire_clock = cocotb.start_soon(clock)
        else:
            self._wire_clock.cancel()

    async def reset(self, clocks):
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, clocks)
        self.dut.rst.value = 0

    async def start(self, manual=True):
        dut = self.dut
        dut.whole.value = 0
        dut.manual.value = manual
        dut.manual_status.value = 1 | SPEEDS[self.speed] << 1 | 1 << 3
        await self.reset(4)
        # The MAC sleeps for 128 clocks; then the speed goes to the wire's clocks.
        await ClockCycles(dut.clk, 160)
        await Timer({10: 60, 100: 8, 1000: 2}[self.speed], "us")

    async def received(self):
        """The next frame at the core: bytes and bad mark."""
        return read(await with_timeout(self.sink.recv(compact=False), self.time(3000), "ns"))

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


def read(frame):
    """Bytes and bad mark of an AXI4-Stream frame; verilog-ethernet's mark is tuser with tlast."""
    octets = bytes(octet for octet, keep in zip(frame.tdata, frame.tkeep, strict=True) if keep)
    return octets, bool(frame.tuser[-1] if isinstance(frame.tuser, list) else frame.tuser)


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


@cocotb.test()
async def latency_is_as_stated(dut):
    """In ns at 1 Gb/s, over frames at random moments; the models' own marks of time."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, 1000, rng)
    await bench.start()
    came, went = [], []
    for _ in range(8):
        frame = frame_of(bytes(100))
        done = frame.tx_complete = Event()
        await bench.phy.rx.send(frame)
        beats = await bench.sink.recv(compact=False)
        await done.wait()
        came.append((beats.sim_time_start - done.data.sim_time_sfd) / 1000)
        accepted = AxiStreamFrame(bytes(100), tuser=0, tx_complete=Event())
        await bench.source.send(accepted)
        seen = await bench.sent()
        went.append((seen.sim_time_start - accepted.tx_complete.data.sim_time_start) / 1000)
        await Timer(rng.randint(300, 400), "ns")
    clock, octets = CORE_PS / 1000, WIDTH // 8
    start = {8: 11, 32: 4, 64: 3}[WIDTH]
    assert max(came) <= (octets + 10) * 8 + 7 * clock, came
    assert max(went) <= start * clock + 9 * 8, went


@cocotb.test()
async def bad_frames_are_marked_and_counted(dut):
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, 1000, rng)
    await bench.start()
    some = rng.randbytes(100)
    error = frame_of(some)
    error.error = [0] * len(error.data)
    error.error[50] = 1
    giant, longest = rng.randbytes(LONGEST + rng.randint(1, 40)), rng.randbytes(LONGEST)
    short = rng.randbytes(rng.randint(1, 59))
    nothing = GmiiFrame(bytes([0x55] * 7 + [0xD5]) + rng.randbytes(4))
    damaged = bytes([0x55] * 3 + [0x57] + [0x55] * 3 + [0xD5])
    no_start = bytes([0x55] * 7 + [0xD4])
    # What is sent, what the core gets (None: nothing), which counter.
    cases = [
        (frame_of(some), (some, False), "good"),
        (frame_of(some, fcs=1 << rng.randrange(32)), (some, True), "fcs"),
        (frame_of(short), (short, True), "runt"),
        (nothing, None, "runt"),
        (frame_of(longest), (longest, False), "good"),
        (frame_of(giant), (giant[:LONGEST], True), "giant"),
        (error, (some, True), "symbol"),
        (frame_of(some, preamble=damaged), (some, True), "preamble"),
        (frame_of(some, preamble=no_start), None, "preamble"),
        (frame_of(some, preamble=bytes([0x55] * 2 + [0xD5])), (some, False), "good"),
        (frame_of(some, preamble=bytes([0x55] * 11 + [0xD5])), (some, False), "good"),
        (GmiiFrame(bytes([0x55] * 5)), None, "preamble"),
    ]
    # The last is good, so that nothing can be left over.
    rng.shuffle(cases)
    cases.append((frame_of(some), (some, False), "good"))
    expected = {}
    for frame, _, counter in cases:
        expected[f"received.{counter}"] = expected.get(f"received.{counter}", 0) + 1
        await bench.phy.rx.send(frame)
    for _, passed, counter in cases:
        if passed is not None:
            assert await bench.received() == passed, counter
    await Timer(1, "us")
    assert bench.sink.empty()
    assert bench.counts() == expected


@cocotb.test()
async def bad_marks_become_bad_fcs(dut):
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, 1000, rng)
    await bench.start()
    cases = [(rng.randbytes(rng.choice((20, 60, 61, 200))), mark) for mark in (1, 0, 1, 1, 0)]
    for payload, mark in cases:
        await bench.source.send(AxiStreamFrame(payload, tuser=mark))
    for payload, mark in cases:
        frame = await bench.sent()
        assert bytes(frame.get_payload()) == payload.ljust(60, b"\0")
        fcs = zlib.crc32(payload.ljust(60, b"\0")) ^ (0xFFFFFFFF if mark else 0)
        assert bytes(frame.get_fcs()) == fcs.to_bytes(4, "little") and frame.error is None
    await Timer(1, "us")
    assert bench.counts() == {"sent.good": 2, "sent.marked": 3}


@cocotb.test()
async def a_core_that_is_late_cuts_the_frame_for_all_to_see(dut):
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, 1000, rng)
    await bench.start()
    first, second = rng.randbytes(600), rng.randbytes(100)
    await bench.source.send(AxiStreamFrame(first, tuser=0))
    await Timer(rng.randint(1500, 3000), "ns")
    bench.source.pause = True
    cut = await bench.sent()
    bench.source.pause = False
    await bench.source.send(AxiStreamFrame(second, tuser=0))
    whole = await bench.sent()
    octets = bytes(cut.get_payload())
    assert 60 < len(octets) < len(first) and first.startswith(octets)
    assert not cut.check_fcs() and cut.error[-4:] == [1] * 4 and not any(cut.error[:-4])
    assert bytes(whole.get_payload()) == second and whole.check_fcs() and whole.error is None
    await Timer(1, "us")
    assert bench.counts() == {"sent.underrun": 1, "sent.good": 1}


@cocotb.test()
async def a_reset_at_any_moment(dut):
    """Frames under way each way are lost without an end; what begins behind the reset is whole."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, 1000, rng)
    await bench.start()
    for _ in range(6):
        old, new = rng.randbytes(400), rng.randbytes(rng.randint(60, 100))
        await bench.phy.rx.send(frame_of(old))
        await bench.source.send(AxiStreamFrame(old, tuser=0))
        await Timer(rng.randint(300, 3500), "ns")
        await bench.reset(rng.randint(1, 3))
        await ClockCycles(dut.clk, 160)
        await Timer(5, "us")
        for queue in (bench.sink, bench.phy.tx):
            queue.clear()
        await bench.phy.rx.send(frame_of(new))
        await bench.source.send(AxiStreamFrame(new, tuser=0))
        assert await bench.received() == (new, False)
        frame = await bench.sent()
        assert bytes(frame.get_payload()) == new and frame.check_fcs() and frame.error is None
        await Timer(1, "us")
        counts = bench.counts()
        # The old frame ended behind the reset if it had not begun before.
        assert counts.pop("received.good") in (1, 2) and counts.pop("sent.good") in (1, 2) and not counts


class Pins:
    """The PHY's side of RGMII by hand, for what cocotbext-eth's model does not do: in-band status, clocks that stop."""

    def __init__(self, dut, period_ps):
        self.dut, self.period = dut, period_ps

    async def clock(self, low, high, ctl_low, ctl_high):
        """A clock; data change a quarter before its edges."""
        dut, quarter = self.dut, round(self.period / 4)
        dut.rgmii_rx_data.value, dut.rgmii_rx_ctl.value = low, ctl_low
        await Timer(quarter, "ps")
        dut.rgmii_rx_clk.value = 1
        await Timer(quarter, "ps")
        dut.rgmii_rx_data.value, dut.rgmii_rx_ctl.value = high, ctl_high
        await Timer(quarter, "ps")
        dut.rgmii_rx_clk.value = 0
        await Timer(quarter, "ps")

    async def idle(self, clocks, status):
        for _ in range(clocks):
            await self.clock(status, status, 0, 0)

    async def octets(self, octets):
        """At 1 Gb/s an octet per clock, else a nibble."""
        for octet in octets:
            if self.period == 8000:
                await self.clock(octet & 15, octet >> 4, 1, 1)
            else:
                for nibble in (octet & 15, octet >> 4):
                    await self.clock(nibble, nibble, 1, 1)


async def hand_made(dut, rng):
    """A bench whose PHY is `Pins`: the model's clock is stopped."""
    bench = Bench(dut, 1000, rng)
    bench.phy._clock_cr.cancel()
    dut.rgmii_rx_clk.value = 0
    await bench.start(manual=False)
    return bench


UP = {speed: 1 | code << 1 | 1 << 3 for speed, code in SPEEDS.items()}
PERIOD = {1000: 8000, 100: 40000, 10: 400000}


@cocotb.test()
async def in_band_status_sets_the_speed(dut):
    """Up at each speed, half duplex, down: what status says, and a frame each way at that speed."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = await hand_made(dut, rng)
    assert int(dut.status.value) & 1 == 0, "no receive clock, no link"
    payload = rng.randbytes(60)
    speeds = rng.sample([1000, 100, 10], 3)
    for speed in speeds:
        pins = Pins(dut, PERIOD[speed])
        await pins.idle(100, UP[speed])
        assert int(dut.status.value) == UP[speed] | 1 << 4
        await pins.octets(frame_of(payload).data)
        await pins.idle(4, UP[speed])
        assert await receive_while(bench, pins.idle(40, UP[speed])) == (payload, False)
        bench.phy.tx.mii_mode = speed != 1000
        await bench.source.send(AxiStreamFrame(payload, tuser=0))
        # The transmitter's clock does not need the PHY's.
        bench.speed = speed
        frame = await bench.sent()
        assert bytes(frame.get_payload()) == payload and frame.check_fcs() and frame.error is None
        octets = (frame.sim_time_end - frame.sim_time_start) / (8e6 / speed)
        assert 70 < octets < 72.5, octets
        if speed != 10:
            await pins.idle(100, UP[speed] & ~8)
            assert int(dut.status.value) == UP[speed] & ~8 | 1 << 4, "half duplex"
    before = int(dut.status.value)
    await pins.idle(60, 0)
    assert int(dut.status.value) & 15 == before & 14, "the speed stays while there is no link"
    assert bench.counts() == {"received.good": 3, "sent.good": 3}


async def receive_while(bench, other):
    task = cocotb.start_soon(other)
    result = await bench.received()
    await task
    return result


@cocotb.test()
async def a_link_that_flaps_within_a_frame(dut):
    """Down in the middle of a frame that comes, and of one that goes; what is to go meanwhile is dropped."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = await hand_made(dut, rng)
    pins = Pins(dut, 8000)
    await pins.idle(100, UP[1000])
    first, second, third = (rng.randbytes(300) for _ in range(3))
    await bench.source.send(AxiStreamFrame(first, tuser=0))
    await pins.octets(frame_of(second).data[: rng.randint(100, 200)])
    await pins.idle(100, UP[1000] & ~1)
    assert int(dut.status.value) & 1 == 0
    octets, bad = await bench.received()
    assert bad and second.startswith(octets[:-4]) and len(octets) > 80
    frame = await receive_sent_while(bench, pins.idle(400, UP[1000] & ~1))
    assert bytes(frame.get_payload()) == first and frame.check_fcs(), "the frame that was on its way ends"
    for _ in range(3):
        await bench.source.send(AxiStreamFrame(third, tuser=0))
    await pins.idle(1400, UP[1000] & ~1)
    assert bench.phy.tx.empty() and bench.source.idle(), "dropped, and the core did not wait"
    await pins.idle(100, UP[1000])
    await bench.source.send(AxiStreamFrame(second, tuser=0))
    await pins.octets(frame_of(third).data)
    frame = await receive_sent_while(bench, pins.idle(400, UP[1000]))
    assert bytes(frame.get_payload()) == second and frame.check_fcs()
    assert await bench.received() == (third, False)
    assert bench.counts() == {"received.fcs": 1, "received.good": 1, "sent.good": 2, "sent.discarded": 3}


async def receive_sent_while(bench, other):
    task = cocotb.start_soon(other)
    frame = await bench.sent()
    await task
    return frame


@cocotb.test()
async def a_receive_clock_that_stops_and_comes_back(dut):
    """Within a frame: the core gets an end, marked bad, in bounded time; the next frame is whole. The other direction
    goes on until the link counts as down."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = await hand_made(dut, rng)
    pins = Pins(dut, 8000)
    await pins.idle(100, UP[1000])
    first, second = rng.randbytes(400), rng.randbytes(200)
    wire = bytes(frame_of(first).data)
    stop = rng.randint(80, 300)
    await pins.octets(wire[:stop])
    await ClockCycles(dut.clk, STALL_CLOCKS + 20)
    octets, bad = read(bench.sink.recv_nowait(compact=False))
    assert bad and octets[-1] == 0 and first.startswith(octets[:-1]) and len(octets) > stop - 8 - 30
    await ClockCycles(dut.clk, STALL_CLOCKS)
    assert int(dut.status.value) & 0b10001 == 0, "no clock, no link"
    await pins.octets(wire[stop:])
    await pins.idle(100, UP[1000])
    assert int(dut.status.value) & 0b10001 == 0b10001
    await pins.octets(frame_of(second).data)
    assert await receive_while(bench, pins.idle(40, UP[1000])) == (second, False)
    assert bench.sink.empty()
    assert bench.counts() == {"received.stall": 1, "received.good": 1}
