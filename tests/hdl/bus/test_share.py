"""Several initiators on one register bus: nothing lost, nothing twice, every answer to the one who asked."""

import random

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.bus.share import BusShare


@pytest.mark.parametrize("initiators", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_accesses_of_each_initiator_arrive_once_and_in_order(initiators, seed):
    source = random.Random(seed)
    share = BusShare(initiators)
    wanted = [[] for _ in range(initiators)]
    seen = [[] for _ in range(initiators)]
    memory = {}

    def initiator(number):
        """Its own part of the addresses, so that what it reads is what it wrote last."""

        async def run(ctx):
            port, own = share.i[number], {}
            kinds = [source.random() < 0.6 for _ in range(60)]
            for writes, writes_next in zip(kinds, [*kinds[1:], True], strict=True):
                address = number << 8 | 4 * source.randrange(4)
                word = source.getrandbits(32)
                ctx.set(port.address, address)
                if writes:
                    ctx.set(port.write, 1)
                    ctx.set(port.write_data, word)
                    await ctx.tick()
                    ctx.set(port.write, 0)
                    wanted[number].append(("write", address, word))
                    own[address] = word
                    # The next write has to wait its turn; a read may follow at once.
                    pause = source.choice([initiators - 1, initiators, 9] if writes_next else [0, 0, 1, 9])
                    if pause:
                        await ctx.tick().repeat(pause)
                    continue
                ctx.set(port.read, 1)
                await ctx.tick()
                ctx.set(port.read, 0)
                ctx.set(port.address, 0xFFC)
                wanted[number].append(("read", address))
                for _ in range(200):
                    _, _, valid, value = await ctx.tick().sample(port.read_valid, port.read_data)
                    if valid:
                        break
                else:
                    raise AssertionError("no answer")
                assert value == own.get(address, 0)

        return run

    async def registers(ctx):
        bus, due = share.bus, None
        async for _, _, address, write, word, read in ctx.tick().sample(
            bus.address, bus.write, bus.write_data, bus.read
        ):
            assert not (write and read)
            ctx.set(bus.read_valid, 0)
            if write:
                memory[address] = word
                seen[address >> 8].append(("write", address, word))
            if due is not None:
                assert not read
                due[1] -= 1
                if not due[1]:
                    ctx.set(bus.read_valid, 1)
                    ctx.set(bus.read_data, due[2])
                    due = None
            if read:
                seen[address >> 8].append(("read", address))
                due = [address, source.randrange(1, 9), memory.get(address, 0)]

    simulator = Simulator(share)
    simulator.add_clock(1e-6)
    for number in range(initiators):
        simulator.add_testbench(initiator(number))
    simulator.add_testbench(registers, background=True)
    simulator.run()
    assert seen == wanted


def test_one_initiator_needs_no_share():
    with pytest.raises(ValueError, match="initiators must be at least 2, not 1"):
        BusShare(1)
