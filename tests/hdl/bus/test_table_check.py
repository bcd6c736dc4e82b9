"""CRC and count of table words, and the commits that they let through: against zlib, clock by clock."""

import random
import struct
import zlib

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.bus.table_check import TableCheck


def crc_of(words):
    """By the register map: place and word of each, lowest byte first; the bank is bit 26, the table bits 25 and 24."""
    return zlib.crc32(
        b"".join(struct.pack("<II", bank << 26 | table << 24 | index, word) for bank, table, index, word in words)
    )


class Bench:
    """The check, with table words as the NIC writes them: a clock after they were allowed."""

    def __init__(self):
        self.check = TableCheck()
        self.commits = self.refusals = 0

    def run(self, stimulus):
        simulator = Simulator(self.check)
        simulator.add_clock(1e-6)
        simulator.add_testbench(stimulus)
        simulator.add_testbench(self.watch, background=True)
        simulator.run()

    async def watch(self, ctx):
        check = self.check
        async for _, _, commit, refused in ctx.tick().sample(check.commit, check.refused):
            assert not (commit and refused)
            self.commits += commit
            self.refusals += refused

    async def word(self, ctx, bank, table, index, word):
        """``write.enable`` is high in the clock after this."""
        await ctx.tick()
        write = self.check.write
        for signal, value in ((write.bank, bank), (write.table, table), (write.index, index), (write.data, word)):
            ctx.set(signal, value)
        ctx.set(write.enable, 1)

    async def pulse(self, ctx, signal):
        """High in the clock in which the next word would be allowed."""
        ctx.set(signal, 1)
        await ctx.tick()
        ctx.set(signal, 0)
        ctx.set(self.check.write.enable, 0)

    async def settle(self, ctx):
        await ctx.tick()
        ctx.set(self.check.write.enable, 0)
        for _ in range(10):
            if not ctx.get(self.check.settling):
                return
            await ctx.tick()
        raise AssertionError("it never settles")

    async def decided(self, ctx):
        """Settled, and the watcher has seen it."""
        await self.settle(ctx)
        await ctx.tick()

    def sums(self, ctx):
        return ctx.get(self.check.crc), ctx.get(self.check.count)


def random_words(source, count):
    return [
        (source.getrandbits(1), source.randrange(4), source.getrandbits(24), source.getrandbits(32))
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_crc_and_count_of_any_words(seed):
    """Back to back and with gaps, restarts right before and right behind words; settled is settled."""
    source = random.Random(seed)
    bench = Bench()

    async def stimulus(ctx):
        words = []
        assert bench.sums(ctx) == (0, 0)
        for _ in range(40):
            if source.random() < 0.3:
                await bench.pulse(ctx, bench.check.restart)
                words = []
            for word in random_words(source, source.choice([0, 1, 2, 7])):
                if source.random() < 0.2:
                    await ctx.tick()
                    ctx.set(bench.check.write.enable, 0)
                await bench.word(ctx, *word)
                words.append(word)
            if source.random() < 0.5:
                await bench.settle(ctx)
                assert bench.sums(ctx) == (crc_of(words), len(words))

    bench.run(stimulus)


@pytest.mark.parametrize("what", ["bank", "table", "index", "word", "missing", "twice", "swapped"])
def test_any_single_mistake_changes_the_crc_or_the_commit(what):
    source = random.Random(what)
    right = random_words(source, 9)
    wrong = list(right)
    bank, table, index, word = wrong[4]
    if what == "missing":
        del wrong[4]
    elif what == "twice":
        wrong.insert(4, wrong[4])
    elif what == "swapped":
        wrong[4:6] = wrong[5], wrong[4]
    else:
        wrong[4] = {
            "bank": (1 - bank, table, index, word),
            "table": (bank, table ^ 2, index, word),
            "index": (bank, table, index ^ 1 << 23, word),
            "word": (bank, table, index, word ^ 1 << 31),
        }[what]
    bench = Bench()

    async def stimulus(ctx):
        ctx.set(bench.check.required, 1)
        ctx.set(bench.check.expected, crc_of(right))
        for number, words in enumerate((wrong, right), 1):
            await bench.pulse(ctx, bench.check.restart)
            for each in words:
                await bench.word(ctx, *each)
            await bench.pulse(ctx, bench.check.request)
            await bench.decided(ctx)
            assert (bench.commits, bench.refusals) == (number - 1, 1)

    bench.run(stimulus)


def test_a_commit_that_is_asked_for_twice_is_made_once():
    """Also of no words at all, whose CRC is what the registers show after a commit."""
    bench = Bench()

    async def stimulus(ctx):
        ctx.set(bench.check.required, 1)
        for number in (1, 2):
            await bench.pulse(ctx, bench.check.restart)
            for _ in range(3):
                await bench.pulse(ctx, bench.check.request)
            await bench.decided(ctx)
            assert (bench.commits, bench.refusals) == (number, 2 * number)

    bench.run(stimulus)


def test_without_a_check_every_commit_is_made_and_begins_anew():
    bench = Bench()

    async def stimulus(ctx):
        await bench.word(ctx, 1, 2, 3, 4)
        await bench.pulse(ctx, bench.check.request)
        await bench.decided(ctx)
        assert (bench.commits, bench.refusals) == (1, 0)
        assert bench.sums(ctx) == (0, 0)
        ctx.set(bench.check.busy, 1)
        await bench.word(ctx, 1, 2, 3, 4)
        await bench.pulse(ctx, bench.check.request)
        await bench.decided(ctx)
        assert (bench.commits, bench.refusals) == (1, 1)
        assert bench.sums(ctx) == (crc_of([(1, 2, 3, 4)]), 1)

    bench.run(stimulus)
