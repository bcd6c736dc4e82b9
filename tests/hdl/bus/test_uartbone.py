"""The uartbone bridge against a model of the protocol, LiteX's own core, and lines on bad days."""

import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from halfsilver.hdl.bus.register_file import RegisterFile
from halfsilver.hdl.bus.uart import SerialRate
from halfsilver.hdl.bus.uartbone import UartBone, UartBoneBridge
from tests.hdl.bus.uartbone_kit import BoneModel, command, listen, send

RESYNC = 60
GAP = 5


def stored(address):
    """What a read of an address gives in these tests."""
    return address * 0x01010101 & 0xFFFFFFFF ^ 0x5A5A5A5A


class BridgeBench:
    """A bridge, byte by byte, with registers that take their time; ``log`` of the bus, ``answer`` as it is taken."""

    def __init__(self, base=0, seed=0):
        self.bridge = UartBoneBridge(RESYNC, base)
        self.source = random.Random(seed)
        self.writes, self.answer = [], bytearray()

    def run(self, stimulus):
        simulator = Simulator(self.bridge)
        simulator.add_clock(1e-6)
        simulator.add_testbench(stimulus)
        for watcher in (self.registers, self.taker):
            simulator.add_testbench(watcher, background=True)
        simulator.run()

    async def registers(self, ctx):
        bus = self.bridge.bus
        due = None
        async for _, _, address, write, word, read in ctx.tick().sample(
            bus.address, bus.write, bus.write_data, bus.read
        ):
            assert not (write and read)
            ctx.set(bus.read_valid, 0)
            if write:
                self.writes.append((address, word))
            if due is not None:
                due[1] -= 1
                assert not read, "a read before the last one was answered"
                if not due[1]:
                    ctx.set(bus.read_valid, 1)
                    ctx.set(bus.read_data, stored(due[0]))
                    due = None
            if read:
                due = [address, self.source.randrange(1, 16)]

    async def taker(self, ctx):
        o, pause = self.bridge.o, 0
        async for _, _, valid, ready, octet in ctx.tick().sample(o.valid, o.ready, o.payload):
            if valid and ready:
                self.answer.append(octet)
            pause = pause - 1 if pause else self.source.choice([0, 0, 2, 8])
            ctx.set(o.ready, not pause)

    async def byte(self, ctx, octet):
        ctx.set(self.bridge.idle, 0)
        await ctx.tick().repeat(GAP)
        ctx.set(self.bridge.i.payload, octet)
        ctx.set(self.bridge.i.valid, 1)
        await ctx.tick()
        ctx.set(self.bridge.i.valid, 0)
        ctx.set(self.bridge.idle, 1)

    async def error(self, ctx):
        ctx.set(self.bridge.idle, 0)
        await ctx.tick().repeat(GAP)
        ctx.set(self.bridge.error, 1)
        await ctx.tick()
        ctx.set(self.bridge.error, 0)
        ctx.set(self.bridge.idle, 1)

    async def until_answered(self, ctx, count):
        for _ in range(100_000):
            if len(self.answer) >= count:
                return
            await ctx.tick()
        raise AssertionError(f"{count} bytes were due, {len(self.answer)} came")

    def faults(self, ctx):
        faults = self.bridge.faults
        return tuple(ctx.get(count) for count in (faults.framing, faults.refused, faults.abandoned))


def random_steps(source, base):
    """Commands, most of them good, with what a line can do to them; each a list of bytes, "error" and "silence"."""
    for _ in range(60):
        address = base + source.choice(
            [0, 4, 0x24, 0x7C, 0xFF8, 0xFFC, 0x1000, 0x4000_0024, source.randrange(0, 0x2000, 4)]
        )
        code, words = source.choice([1, 2, 3, 4]), source.choice([1, 1, 2, 3, 7])
        data = [source.getrandbits(32) for _ in range(words)] if code in (1, 3) else []
        step = list(command(code, address & 0x3_FFFF_FFFC, data, words))
        kind = source.random()
        if kind < 0.08:  # part of it, then nothing
            step = [*step[: source.randrange(1, len(step))], "silence"]
        elif kind < 0.16:
            step.insert(source.randrange(len(step)), "error")
            step += [*command(1, base + 8, [1]), "silence"]
        elif kind < 0.24:
            step = [source.choice([0, 5, 0x55, 0x80, 0xFF]), *step, "silence"]
        elif kind < 0.28:
            step = [code, 0, *step[2:], "silence"]
        elif kind < 0.32:
            step = ["error", *step, "silence"]
        yield step


@pytest.mark.parametrize("base", [0, 0xF000_1000])
@pytest.mark.parametrize("seed", range(3))
def test_any_commands_with_any_faults_do_what_the_protocol_says(seed, base):
    source = random.Random(seed)
    bench, model = BridgeBench(base, seed), BoneModel(stored, base)

    async def stimulus(ctx):
        for step in random_steps(source, base):
            for item in step:
                if item == "error":
                    model.error()
                    await bench.error(ctx)
                elif item == "silence":
                    model.silence()
                    await ctx.tick().repeat(RESYNC + 2)
                else:
                    model.byte(item)
                    await bench.byte(ctx, item)
            await bench.until_answered(ctx, len(model.answers))
            await ctx.tick().repeat(source.choice([1, 3, RESYNC // 2]))
        assert bench.faults(ctx) == (model.framing, model.refused, model.abandoned)

    bench.run(stimulus)
    assert bench.writes == model.writes
    assert bytes(bench.answer) == bytes(model.answers)
    assert len(model.writes) > 20 and len(model.answers) > 100
    assert model.framing and model.refused and model.abandoned


def test_a_pause_that_is_too_short_ends_nothing():
    bench = BridgeBench()

    async def stimulus(ctx):
        for octet in command(1, 0x20, [0x11223344]):
            await bench.byte(ctx, octet)
            await ctx.tick().repeat(RESYNC - 3)
        await ctx.tick().repeat(5)
        assert bench.faults(ctx) == (0, 0, 0)

    bench.run(stimulus)
    assert bench.writes == [(0x20, 0x11223344)]


def test_a_search_goes_on_while_the_line_is_not_idle():
    """Garbage without an end, or a break: nothing is taken for a command until there was silence."""
    bench = BridgeBench()

    async def stimulus(ctx):
        await bench.byte(ctx, 0x99)
        for _ in range(4):
            await ctx.tick().repeat(RESYNC - 3)
            await bench.byte(ctx, 0x01)
        ctx.set(bench.bridge.idle, 0)
        await ctx.tick().repeat(5 * RESYNC)
        ctx.set(bench.bridge.idle, 1)
        for octet in command(1, 0x20, [1]):
            await bench.byte(ctx, octet)
        await ctx.tick().repeat(RESYNC + 2)
        for octet in command(1, 0x20, [2]):
            await bench.byte(ctx, octet)
        await ctx.tick().repeat(5)

    bench.run(stimulus)
    assert bench.writes == [(0x20, 2)]


@pytest.mark.parametrize("disturbance", ["byte", "error"])
def test_what_comes_during_an_answer_is_lost_and_the_answer_is_not(disturbance):
    bench = BridgeBench()

    async def stimulus(ctx):
        for octet in command(2, 0x40, count=9):
            await bench.byte(ctx, octet)
        await bench.until_answered(ctx, 30)
        if disturbance == "error":
            await bench.error(ctx)
        for octet in command(1, 0x20, [1]):
            await bench.byte(ctx, octet)
        assert len(bench.answer) == 36
        for octet in command(1, 0x20, [2]):
            await bench.byte(ctx, octet)
        await ctx.tick().repeat(RESYNC + 2)
        for octet in command(1, 0x20, [3]):
            await bench.byte(ctx, octet)
        await ctx.tick().repeat(5)
        assert bench.faults(ctx) == (disturbance == "error", 0, 1)

    bench.run(stimulus)
    assert bytes(bench.answer) == b"".join(stored(0x40 + 4 * n).to_bytes(4, "big") for n in range(9))
    assert bench.writes == [(0x20, 3)]


def test_255_words_to_one_address_and_up_to_the_end_of_the_registers():
    bench = BridgeBench()
    data = [random.Random(9).getrandbits(32) for _ in range(255)]

    async def stimulus(ctx):
        for octet in command(3, 0x24, data) + command(1, 0xFF0, data[:6]):
            await bench.byte(ctx, octet)
        await ctx.tick().repeat(5)

    bench.run(stimulus)
    assert bench.writes == [(0x24, word) for word in data] + [(0xFF0 + 4 * n, data[n]) for n in range(4)]


def litex_core(data, answered):
    """LiteX's Stream2Wishbone on the same bytes: its writes, and its answer. ``answered`` bytes are waited for."""
    migen = pytest.importorskip("migen", reason="needs litex, which the extra test of the installation brings")
    from litex.soc.cores.uart import Stream2Wishbone

    core = Stream2Wishbone(clk_freq=1e6)
    writes, answer = [], bytearray()

    def drive():
        for octet in data:
            yield core.sink.data.eq(octet)
            yield core.sink.valid.eq(1)
            yield
            while not (yield core.sink.ready):
                yield
            yield core.sink.valid.eq(0)
        for _ in range(200_000):
            if len(answer) == answered and (yield core.fsm.state) == 0:
                return
            yield
        raise AssertionError("LiteX's core did not answer")

    @migen.passive
    def bus():
        while True:
            yield core.wishbone.ack.eq(0)
            if (yield core.wishbone.stb) and not (yield core.wishbone.ack):
                address = 4 * (yield core.wishbone.adr)
                if (yield core.wishbone.we):
                    writes.append((address, (yield core.wishbone.dat_w)))
                else:
                    yield core.wishbone.dat_r.eq(stored(address))
                yield core.wishbone.ack.eq(1)
                yield
                yield core.wishbone.ack.eq(0)
                yield
            yield

    @migen.passive
    def take():
        yield core.source.ready.eq(1)
        while True:
            yield
            if (yield core.source.valid):
                answer.append((yield core.source.data))

    migen.run_simulation(core, [drive(), bus(), take()])
    return writes, bytes(answer)


@pytest.mark.parametrize("seed", range(2))
def test_good_commands_do_the_same_to_litex_core(seed):
    source = random.Random(seed)
    data = b""
    answered = 0
    for _ in range(40):
        code, words = source.choice([1, 2, 3, 4]), source.choice([1, 2, 5])
        written = [source.getrandbits(32) for _ in range(words)] if code in (1, 3) else []
        data += command(code, source.randrange(0, 0xF00, 4), written, words)
        answered += 0 if written else 4 * words
    bench, model = BridgeBench(seed=seed), BoneModel(stored)

    async def stimulus(ctx):
        for octet in data:
            model.byte(octet)
            await bench.byte(ctx, octet)
            await bench.until_answered(ctx, len(model.answers))
        await ctx.tick().repeat(5)

    bench.run(stimulus)
    assert (bench.writes, bytes(bench.answer)) == litex_core(data, answered)


# The whole line


class LineBench:
    """Line, bridge and register file."""

    def __init__(self, rate, resync_seconds):
        self.rate, self.bit = rate, 1 / rate.baud
        self.bone = UartBone(rate, resync_seconds=resync_seconds)
        self.registers = RegisterFile()
        self.top = Module()
        self.top.submodules.bone = self.bone
        self.top.submodules.registers = self.registers
        wiring.connect(self.top, self.bone.bus, self.registers.bus)
        self.heard = []
        self.silence = 1.1 * self.bone.resync_clocks / rate.clock

    def run(self, stimulus):
        simulator = Simulator(self.top)
        simulator.add_clock(1 / self.rate.clock)

        async def hear(ctx):
            await listen(ctx, self.bone.tx, self.bit, self.heard)

        simulator.add_testbench(hear, background=True)
        simulator.add_testbench(stimulus)
        simulator.run()

    async def ask(self, ctx, address, count=1):
        del self.heard[:]
        await send(ctx, self.bone.rx, command(2, address, count=count), self.bit)
        await ctx.delay((40 * count + 15) * self.bit)
        return bytes(self.heard)


@pytest.mark.parametrize("clock, baud", [(25_000_000, 3_000_000), (62_500_000, 3_000_000), (1_000_000, 115_200)])
def test_registers_over_a_line(clock, baud):
    bench = LineBench(SerialRate(clock, baud), 0)

    async def stimulus(ctx):
        assert await bench.ask(ctx, 0) == b"HSM1"
        await send(ctx, bench.bone.rx, command(1, 0x030, [0x2000_BEEF]), bench.bit)
        assert await bench.ask(ctx, 0x02C, 3) == bytes.fromhex("00000000 2000BEEF 00000000")

    bench.run(stimulus)


@pytest.mark.parametrize("wrong", [0.25, 0.5, 0.8, 1.3, 2, 4])
def test_the_wrong_rate_writes_nothing_and_the_right_one_is_heard_after_a_silence(wrong):
    """0x55 and what a driver sends, at another rate than the card's: a few good bytes may come of it, no command."""
    bench = LineBench(SerialRate(25_000_000, 2_000_000), 0)

    async def stimulus(ctx):
        for _ in range(3):
            for data in (command(1, 0x030, [0x1000_1234, 0x55555555]), command(2, 0), b"\x55" * 5):
                await send(ctx, bench.bone.rx, data, bench.bit / wrong)
        await ctx.delay(bench.silence)
        assert await bench.ask(ctx, 0x030) == bytes(4)
        assert await bench.ask(ctx, 0) == b"HSM1"
        faults = bench.bone.faults
        assert ctx.get(faults.framing) + ctx.get(faults.refused) + ctx.get(faults.abandoned) > 0

    bench.run(stimulus)


@pytest.mark.parametrize("seed", range(4))
def test_a_line_of_noise_writes_nothing_and_is_forgotten_after_a_silence(seed):
    """Random levels of random length, none of which is a command with a sensible address but by 2**-36."""
    bench = LineBench(SerialRate(16_000_000, 2_000_000), 0)
    source = random.Random(seed)

    async def stimulus(ctx):
        for _ in range(300):
            ctx.set(bench.bone.rx, source.getrandbits(1))
            await ctx.delay(source.choice([0.1, 0.4, 1, 3]) * source.random() * bench.bit)
        ctx.set(bench.bone.rx, 1)
        await ctx.delay(bench.silence)
        assert await bench.ask(ctx, 0x030) == bytes(4)
        assert await bench.ask(ctx, 0) == b"HSM1"

    bench.run(stimulus)


def test_the_silence_is_litex_tenth_of_a_second_but_for_slow_lines():
    assert UartBone(SerialRate(25_000_000, 3_000_000)).resync_clocks == 2_500_000
    assert UartBone(SerialRate(25_000_000, 300)).resync_clocks == round(25_000_000 * 200 / 300)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((1, 0), "resync_clocks must be at least 2, not 1"),
        ((9, 0x800), "base must be a multiple of 0x1000 below 2\\*\\*32, not 2048"),
        ((9, 1 << 32), "base must be a multiple"),
    ],
)
def test_a_bridge_that_cannot_be(arguments, says):
    with pytest.raises(ValueError, match=says):
        UartBoneBridge(*arguments)
