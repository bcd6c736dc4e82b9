"""Registers over AXI4-Lite: identity, access rules, and the order of the channels."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from halfsilver.hdl.layout.register_map import Access
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.version import VERSION_PARTS
from halfsilver.sim.benches.drivers.axi_lite import OKAY, SLVERR
from halfsilver.sim.benches.drivers.pace import always, bursts, now_and_then
from halfsilver.sim.benches.nic import PARAMETERS, WIDTH, start

PACES = (always, now_and_then(0.5), now_and_then(0.15), bursts(10))


@cocotb.test()
async def identity(dut: Any) -> None:
    """What the core says of itself is what it was built as."""
    bench = await start(dut)
    assert await bench.read("ID") == {"value": int.from_bytes(b"HSM1", "big")}
    assert tuple((await bench.read("VERSION")).values()) == VERSION_PARTS[::-1]
    assert await bench.read("SHAPE") == {"width": WIDTH, "enis": PARAMETERS.enis, "sessions": PARAMETERS.sessions}
    assert await bench.read("RULES") == {
        "rules": PARAMETERS.rules,
        "extension_headers": PARAMETERS.extension_headers,
        "chunk_bits": PARAMETERS.chunk_bits,
        "lookup_clocks": PARAMETERS.lookup_clocks,
        "matchers": PARAMETERS.matchers,
    }
    assert await bench.read("QUEUE") == {"depth": PARAMETERS.queue_depth}
    assert await bench.read("COPIES") == {"cut": PARAMETERS.cut_copies, "own": PARAMETERS.copies_leave == "own"}
    assert await bench.read("STATUS") == {"shadow_busy": 0, "active_bank": 0, "generation": 0}
    assert await bench.read("REFUSED_WRITES") == {"count": 0}


@cocotb.test()
async def access_rules(dut: Any) -> None:
    """Read-only registers ignore writes, write-only ones read as 0, and so do addresses without a register."""
    bench = await start(dut)
    before = {register.name: await bench.read(register.name) for register in REGISTERS}
    for register in REGISTERS:
        if register.access is Access.RO:
            await bench.access(bench.registers.write(register.address, 0xFFFFFFFF))
    for register in REGISTERS:
        if register.access is not Access.RW:
            assert await bench.read(register.name) == before[register.name], register.name
    taken = {register.address for register in REGISTERS}
    for address in sorted(set(range(0, 0x1000, 4)) - taken)[::37]:
        (value,) = await bench.access(bench.registers.read(address))
        assert value == 0, f"address {address:#x} reads {value:#x}"


@cocotb.test()
async def table_address_counts(dut: Any) -> None:
    """TABLE_ADDRESS reads back, counts up with every TABLE_DATA, and stays in its table."""
    bench = await start(dut)
    for table in range(4):
        index = random.getrandbits(23)
        bench.write("TABLE_ADDRESS", table=table, index=index)
        assert await bench.read("TABLE_ADDRESS") == {"table": table, "index": index}
        for _ in range(5):
            bench.write("TABLE_DATA", value=0)
        assert await bench.read("TABLE_ADDRESS") == {"table": table, "index": index + 5}


@cocotb.test()
async def partial_writes(dut: Any) -> None:
    """A write of fewer than four bytes is answered SLVERR and writes nothing."""
    bench = await start(dut)
    bench.write("COUNTER_ADDRESS", group=1, index=0x55)
    address = REGISTERS.address("COUNTER_ADDRESS")
    for strobes in range(15):
        access = bench.registers.write(address, 0xFFFFFFFF, strobes)
        await bench.testbench.until(lambda: bench.registers.idle, "a response")
        assert access.response == SLVERR, f"wstrb {strobes:#x} was answered {access.response}"
        assert await bench.read("COUNTER_ADDRESS") == {"group": 1, "index": 0x55}


@cocotb.test()
async def channels_in_any_order(dut: Any) -> None:
    """Address and data in either order, slow responses: every access is answered once, in order, with its value."""
    bench = await start(dut)
    index = 0
    for bench.registers.pace in PACES:
        reads = []
        for _ in range(150):
            if random.random() < 0.5:
                index = random.getrandbits(16)
                bench.write("COUNTER_ADDRESS", index=index)
            else:
                reads.append((bench.registers.read(REGISTERS.address("COUNTER_ADDRESS")), index))
        await bench.access()
        for access, expected in reads:
            assert access.response == OKAY and access.value == expected, f"{access}, not {expected:#x}"


@cocotb.test()
async def no_such_counter(dut: Any) -> None:
    """A counter that does not exist reads as 0."""
    bench = await start(dut)
    for group, index in ((0, 32), (1, 3), (1, 0xFFFF), (2, PARAMETERS.rules), (2, 0xFFFF), (3, 10)):
        bench.write("COUNTER_ADDRESS", group=group, index=index)
        for part in ("FRAMES_LOW", "FRAMES_HIGH", "BYTES_LOW", "BYTES_HIGH"):
            assert await bench.read(f"COUNTER_{part}") == {"value": 0}
