# amaranth: UnusedElaboratable=no
"""A guard's answer, from hits: the first entry of the network ACL, and any rule of the security groups."""

import random

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.match.guard import Guard

RULES = 11
STATED = 3
"""Clocks from the hits to the answer."""


def refused(hits, accepts, entries, acl, groups):
    first = next((place for place in range(entries) if hits >> place & 1), None)
    denied = acl and (first is None or not accepts >> first & 1)
    return denied or (groups and not any(hits >> place & 1 for place in range(entries, RULES)))


def test_any_hits_of_any_guard_one_a_clock():
    source = random.Random(1)
    dut, wanted = Guard(RULES), []

    async def clocks(ctx):
        for number in range(3000):
            sparse = source.getrandbits(RULES) & source.getrandbits(RULES) & source.getrandbits(RULES)
            hits, accepts = source.choice((0, sparse, source.getrandbits(RULES))), source.getrandbits(RULES)
            entries, acl, groups = source.choice((0, 1, 5, RULES)), source.random() < 0.7, source.random() < 0.7
            binds = source.random() < 0.9
            ctx.set(dut.i_hits, hits)
            ctx.set(dut.i_accepts, accepts)
            ctx.set(dut.i_word, {"entries": entries, "acl": acl, "groups": groups})
            ctx.set(dut.i_binds, binds)
            wanted.append(bool(binds and refused(hits, accepts, entries, acl, groups)))
            if number >= STATED:
                assert ctx.get(dut.o_refused) == wanted[number - STATED]
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(clocks)
    simulator.run()
    assert 500 < sum(wanted) < 2500


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="at least 1 rule"):
        Guard(0)
