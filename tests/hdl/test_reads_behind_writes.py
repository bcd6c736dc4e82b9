"""The whole core, written and read with no clock between: a read shows what the write just before it has done."""

import binascii
import struct

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.nic import Nic

ADDRESS = {register.name: register.address for register in REGISTERS}
STATUS = next(register for register in REGISTERS if register.name == "STATUS")
PARAMETERS = NicParameters(width=8, enis=1, sessions=1, rules=1, lookup_clocks=8, verdict_ring=16)
WORD, INDEX = 0x12345678, 3
ANSWER_CLOCKS = 40


class Host:
    """The initiator of the register bus; each call goes on where the one before ended, without an idle clock."""

    def __init__(self, ctx, bus):
        self.ctx, self.bus = ctx, bus

    async def write(self, name, word):
        self._address(name, write=1, write_data=word)
        await self.ctx.tick()
        self.ctx.set(self.bus.write, 0)

    async def read(self, name):
        self._address(name, read=1)
        await self.ctx.tick()
        self.ctx.set(self.bus.read, 0)
        for _ in range(ANSWER_CLOCKS):
            if self.ctx.get(self.bus.read_valid):
                return self.ctx.get(self.bus.read_data)
            await self.ctx.tick()
        pytest.fail(f"no answer to a read of {name} in {ANSWER_CLOCKS} clocks")

    def _address(self, name, **values):
        self.ctx.set(self.bus.address, ADDRESS[name])
        for port, value in values.items():
            self.ctx.set(getattr(self.bus, port), value)


@pytest.mark.slow
def test_a_read_shows_what_the_write_before_it_did():
    nic = Nic(PARAMETERS)

    async def stimulus(ctx):
        host = Host(ctx, nic.bus)
        await ctx.tick().repeat(2000)
        await host.write("TABLE_CHECK", 0)
        assert await host.read("TABLE_COUNT") == 0
        await host.write("TABLE_ADDRESS", INDEX)
        await host.write("TABLE_DATA", WORD)
        assert await host.read("TABLE_COUNT") == 1
        await host.write("TABLE_DATA", WORD)
        crc = await host.read("TABLE_CRC")
        assert crc in words_crc(2)
        generation = STATUS.unpack(await host.read("STATUS"))["generation"]
        await host.write("COMMIT", 1)
        assert STATUS.unpack(await host.read("STATUS"))["generation"] == generation + 1
        assert await host.read("TABLE_COUNT") == 0
        await host.write("COMMIT", 1)
        assert await host.read("TABLE_CRC") == 0
        await host.write("TABLE_DATA", WORD)
        await host.write("TABLE_CHECK", 0)
        assert await host.read("TABLE_COUNT") == 0

    simulator = Simulator(nic)
    simulator.add_clock(1e-6)
    simulator.add_testbench(stimulus)
    simulator.run()


def words_crc(count):
    """Of the words in either bank, as the register map has it."""
    return [
        binascii.crc32(b"".join(struct.pack("<II", bank << 26 | INDEX + place, WORD) for place in range(count)))
        for bank in range(2)
    ]
