"""AXI4-Lite bridge: every order of the channels, every delay; a watcher checks the handshake in each clock."""

import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from halfsilver.hdl.bus.axi_lite import AxiLiteBridge
from halfsilver.hdl.bus.register_file import RegisterFile

OKAY, SLVERR = 0, 2
ID, TABLE_ADDRESS, TABLE_DATA, COUNTER_ADDRESS, NOTHING = 0x000, 0x020, 0x024, 0x030, 0x500
LIMIT = 100


class Bench:
    """Bridge and register file; ``writes`` and ``reads`` log what reached the register bus."""

    def __init__(self):
        self.bridge = AxiLiteBridge()
        self.registers = RegisterFile()
        self.axi = self.bridge.axi
        self.top = Module()
        self.top.submodules.bridge = self.bridge
        self.top.submodules.registers = self.registers
        wiring.connect(self.top, self.bridge.bus, self.registers.bus)
        self.writes = []
        self.reads = []

    def run(self, *testbenches):
        simulator = Simulator(self.top)
        simulator.add_clock(1e-6)
        for testbench in testbenches:
            simulator.add_testbench(testbench)
        simulator.add_testbench(self.watch, background=True)
        simulator.run()

    async def watch(self, ctx):
        """IHI 0022: valid holds until ready, what it carries is stable, and no response precedes its request."""
        axi, bus = self.axi, self.bridge.bus
        addresses = data = answered = asked = given = 0
        waiting = {}
        async for (
            _,
            _,
            address,
            write,
            word,
            read,
            aw,
            w,
            ar,
            bvalid,
            bready,
            bresp,
            rvalid,
            rready,
            rresp,
            rdata,
        ) in ctx.tick().sample(
            bus.address,
            bus.write,
            bus.write_data,
            bus.read,
            axi.awvalid & axi.awready,
            axi.wvalid & axi.wready,
            axi.arvalid & axi.arready,
            axi.bvalid,
            axi.bready,
            axi.bresp,
            axi.rvalid,
            axi.rready,
            axi.rresp,
            axi.rdata,
        ):
            if write:
                self.writes.append((address, word))
            if read:
                self.reads.append(address)
            assert not (write and read)
            for name, valid, ready, carried in (("b", bvalid, bready, (bresp,)), ("r", rvalid, rready, (rresp, rdata))):
                if name in waiting:
                    assert valid, f"{name}valid fell before {name}ready"
                    assert carried == waiting.pop(name), f"{name} changed while it waited"
                if valid and not ready:
                    waiting[name] = carried
            assert not bvalid or answered < min(addresses, data)
            assert not rvalid or given < asked
            addresses, data, asked = addresses + aw, data + w, asked + ar
            answered, given = answered + (bvalid & bready), given + (rvalid & rready)

    async def send(self, ctx, channel, delay, **values):
        """One transfer on AW, W or AR, begun after ``delay`` clocks."""
        await ctx.tick().repeat(delay) if delay else None
        for name, value in values.items():
            ctx.set(getattr(self.axi, name), value)
        valid, ready = getattr(self.axi, f"{channel}valid"), getattr(self.axi, f"{channel}ready")
        ctx.set(valid, 1)
        await self.accepted(ctx, ready)
        ctx.set(valid, 0)
        for name, value in values.items():
            ctx.set(getattr(self.axi, name), ~value & 0xF)

    async def receive(self, ctx, channel, delay, *names):
        """One transfer on B or R; ready comes ``delay`` clocks after valid, or is there first if that is None."""
        valid, ready = getattr(self.axi, f"{channel}valid"), getattr(self.axi, f"{channel}ready")
        if delay is None:
            ctx.set(ready, 1)
        for _ in range(LIMIT):
            if ctx.get(valid):
                break
            await ctx.tick()
        else:
            raise AssertionError(f"no {channel}valid")
        if delay:
            await ctx.tick().repeat(delay)
        values = [ctx.get(getattr(self.axi, name)) for name in names]
        ctx.set(ready, 1)
        await ctx.tick()
        ctx.set(ready, 0)
        return values

    async def accepted(self, ctx, ready):
        for _ in range(LIMIT):
            (is_ready,) = (await ctx.tick().sample(ready))[2:]
            if is_ready:
                return
        raise AssertionError("not accepted")

    def write_benches(self, transfers, responses):
        """One testbench per channel of a list of (address, word, strobes, AW delay, W delay, B delay)."""

        async def aw(ctx):
            for address, _, _, delay, _, _ in transfers:
                await self.send(ctx, "aw", delay, awaddr=address)

        async def w(ctx):
            for _, word, strobes, _, delay, _ in transfers:
                await self.send(ctx, "w", delay, wdata=word, wstrb=strobes)

        async def b(ctx):
            for *_, delay in transfers:
                responses.extend(await self.receive(ctx, "b", delay, "bresp"))

        return aw, w, b

    def read_benches(self, transfers, words):
        """Likewise of a list of (address, AR delay, R delay)."""

        async def ar(ctx):
            for address, delay, _ in transfers:
                await self.send(ctx, "ar", delay, araddr=address)

        async def r(ctx):
            for *_, delay in transfers:
                words.append(tuple(await self.receive(ctx, "r", delay, "rdata", "rresp")))

        return ar, r


@pytest.mark.parametrize("b_delay", [None, 0, 3])
@pytest.mark.parametrize(("aw_delay", "w_delay"), [(0, 0), (0, 1), (1, 0), (0, 5), (5, 0), (2, 3)])
def test_address_and_data_in_any_order(aw_delay, w_delay, b_delay):
    bench, responses = Bench(), []
    values = [0x10000001, 0x20000002, 0x00FFFFFF]
    bench.run(
        *bench.write_benches([(TABLE_ADDRESS, value, 0xF, aw_delay, w_delay, b_delay) for value in values], responses)
    )
    assert bench.writes == [(TABLE_ADDRESS, value) for value in values]
    assert responses == [OKAY] * 3


@pytest.mark.parametrize("strobes", range(16))
def test_only_whole_words_are_written(strobes):
    bench, responses = Bench(), []
    bench.run(
        *bench.write_benches([(COUNTER_ADDRESS, 7, strobes, 0, 0, 0), (COUNTER_ADDRESS, 9, 0xF, 0, 0, 0)], responses)
    )
    whole = strobes == 0xF
    assert bench.writes == [(COUNTER_ADDRESS, 7)] * whole + [(COUNTER_ADDRESS, 9)]
    assert responses == [OKAY if whole else SLVERR, OKAY]


@pytest.mark.parametrize("r_delay", [None, 0, 4])
def test_reads(r_delay):
    bench, words = Bench(), []
    bench.run(
        *bench.read_benches(
            [(ID, 0, r_delay), (ID + 2, 0, r_delay), (TABLE_DATA, 1, r_delay), (NOTHING, 0, r_delay)], words
        )
    )
    assert words == [(0x48534D31, OKAY), (0x48534D31, OKAY), (0, OKAY), (0, OKAY)]
    assert len(bench.reads) == 4


def test_a_write_to_no_register_is_ignored():
    bench, responses, words = Bench(), [], []
    bench.run(
        *bench.write_benches([(NOTHING, 0xFFFFFFFF, 0xF, 0, 0, 0), (ID, 0xFFFFFFFF, 0xF, 0, 0, 0)], responses),
        *bench.read_benches([(ID, 20, 0), (TABLE_ADDRESS, 0, 0), (COUNTER_ADDRESS, 0, 0)], words),
    )
    assert responses == [OKAY, OKAY]
    assert words == [(0x48534D31, OKAY), (0, OKAY), (0, OKAY)]


def test_a_read_after_the_response_sees_the_write():
    bench, seen = Bench(), []

    async def manager(ctx):
        for value in (0x3, 0x10000005, 0x2000FFFF):
            await bench.send(ctx, "aw", 0, awaddr=COUNTER_ADDRESS)
            await bench.send(ctx, "w", 0, wdata=value, wstrb=0xF)
            assert await bench.receive(ctx, "b", None, "bresp") == [OKAY]
            await bench.send(ctx, "ar", 0, araddr=COUNTER_ADDRESS)
            seen.extend(await bench.receive(ctx, "r", None, "rdata"))

    bench.run(manager)
    assert seen == [0x3, 0x10000005, 0x2000FFFF]


@pytest.mark.parametrize("seed", range(4))
def test_reads_and_writes_at_once(seed):
    source = random.Random(seed)

    def delay():
        return source.choice([0, 0, 0, 1, 2, 5])

    def patience():
        return source.choice([None, 0, 0, 1, 4])

    writes = [
        (
            source.choice([TABLE_ADDRESS, TABLE_DATA, COUNTER_ADDRESS, NOTHING]),
            source.getrandbits(32),
            source.choice([0xF, 0xF, 0xF, 0x3]),
            delay(),
            delay(),
            patience(),
        )
        for _ in range(60)
    ]
    reads = [(source.choice([ID, NOTHING]), delay(), patience()) for _ in range(60)]
    bench, responses, words = Bench(), [], []
    bench.run(*bench.write_benches(writes, responses), *bench.read_benches(reads, words))
    assert bench.writes == [(address, word) for address, word, strobes, *_ in writes if strobes == 0xF]
    assert responses == [OKAY if strobes == 0xF else SLVERR for _, _, strobes, *_ in writes]
    assert words == [(0x48534D31 if address == ID else 0, OKAY) for address, *_ in reads]
    assert bench.reads == [address for address, *_ in reads]
