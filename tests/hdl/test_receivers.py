# amaranth: UnusedElaboratable=no
"""Which receiver a copy goes to: the matcher against the golden model, in both banks; and its outer headers."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import IPv4Address

from amaranth.sim import Simulator

from halfsilver.harness.golden.flow_hash import Toeplitz, flow_hash
from halfsilver.harness.golden.parse import Headers, Kind
from halfsilver.harness.golden.spread import Spread
from halfsilver.harness.nic.image import policy_image
from halfsilver.harness.records import DEFAULT_FLAGS
from halfsilver.hdl.encapsulator.template_memory import TemplateMemory
from halfsilver.hdl.layout.outer import TEMPLATE_SEED_WORD, template_index
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.tables import Table
from halfsilver.hdl.match.matcher import Matcher
from tests.harness.golden.golden_kit import ENI_0, ENI_1, interface, outer, policy, rule, session

BUILD = NicParameters(width=8, enis=2, sessions=2, rules=1, lookup_clocks=4, receivers=11)
TCP, UDP = 6, 17


def ways(source, count):
    """So many receivers anywhere."""
    addresses = source.sample(range(1 << 24, 1 << 31), count)
    return tuple(replace(outer(mtu_limit=None), destination=IPv4Address(each)) for each in addresses)


def spread(source, protocol, number, count):
    """A session that mirrors this protocol to ``count`` receivers."""
    receivers = ways(source, count)
    return replace(
        session([rule(protocol=protocol)], number=number, to=receivers[0]), receivers=receivers if count > 1 else ()
    )


def drawn(source):
    """A policy of two interfaces with two sessions each, of 1 to all receivers."""
    counts = source.sample([1, 2, 3, BUILD.receivers], 4)
    pairs = [
        (spread(source, TCP, 1, counts[n]), spread(source, UDP, 2, counts[n + 1])) for n in range(0, len(counts), 2)
    ]
    return policy(*(interface(*pair, address=mac) for pair, mac in zip(pairs, (ENI_0, ENI_1), strict=True)))


def test_the_receiver_is_the_golden_models():
    source = random.Random(17)
    toeplitz, banks = Toeplitz(BUILD.hash_key), [drawn(source), drawn(source)]
    dut, found, wanted = Matcher(BUILD), [], []

    async def drive(ctx):
        for bank, each in enumerate(banks):
            for (table, index), word in written(each):
                for name, value in (("enable", 1), ("table", table), ("bank", bank), ("index", index), ("data", word)):
                    ctx.set(getattr(dut.write, name), value)
                await ctx.tick()
        ctx.set(dut.write.enable, 0)
        await ctx.tick().repeat(4)
        for _ in range(50):
            eni, protocol, bank = source.randrange(2), source.choice((TCP, UDP)), source.randrange(2)
            ends = [source.getrandbits(32) for _ in range(2)]
            ports = source.getrandbits(16), source.getrandbits(16)
            headers = Headers(
                Kind.IPV4, source=ends[0], destination=ends[1], protocol=protocol, fragment=False, ports=ports
            )
            chosen = banks[bank].interfaces[eni].sessions[protocol == UDP]
            number = flow_hash(toeplitz, headers)
            to = Spread(chosen.outers).receiver(number) if chosen.receivers else chosen.outer
            wanted.append(chosen.outers.index(to))
            ctx.set(dut.i, summary(eni, headers))
            ctx.set(dut.i_bank, bank)
            ctx.set(dut.i_valid, 1)
            await ctx.tick()
            ctx.set(dut.i_valid, 0)
            await ctx.tick().repeat(BUILD.lookup_clocks - 1)
        await ctx.tick().repeat(dut.latency + 4)

    async def watch(ctx):
        async for _, _, valid, mirrored in ctx.tick().sample(dut.o_valid, dut.o.mirrored):
            if valid:
                assert mirrored
                found.append(ctx.get(dut.o_receiver))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    assert found == wanted and len(set(found)) > 6


def written(rules):
    """The words of a policy that are not 0, as all are at first."""
    return [each for each in policy_image(rules, DEFAULT_FLAGS, BUILD).items() if each[1]]


def summary(eni, headers):
    """A frame of 100 bytes to an interface, as the intake has it."""
    mac = bytes.fromhex((ENI_0, ENI_1)[eni].replace(":", ""))
    wire = {
        name: int.from_bytes(address.to_bytes(4, "big"), "little")
        for name, address in (("source", headers.source), ("destination", headers.destination))
    }
    fields = {"protocol": headers.protocol, "has_protocol": 1, "has_ports": 1}
    ports = dict(zip(("source_port", "destination_port"), headers.ports, strict=True))
    known = {"mac": int.from_bytes(mac, "little"), "kind": 2, **wire, **fields, **ports}
    return {"headers": known, "length": 100, "fits": 1}


def test_each_receiver_has_an_outer_header_of_its_own_in_each_bank():
    """Read by {bank, receiver, ENI, session}, written by the index of docs/tables.md."""
    dut, index = TemplateMemory(1, 1, 2), template_index(1, 2)
    places = [
        (bank, receiver, eni, number) for bank in (0, 1) for receiver in range(4) for eni in (0, 1) for number in (0, 2)
    ]

    async def bench(ctx):
        for mark, (bank, receiver, eni, number) in enumerate(places):
            at = index.pack(word=TEMPLATE_SEED_WORD, session=number, eni=eni, receiver=receiver)
            for name, value in (("enable", 1), ("table", Table.OUTER), ("bank", bank), ("index", at), ("data", mark)):
                ctx.set(getattr(dut.write, name), value)
            await ctx.tick()
        ctx.set(dut.write.enable, 0)
        ctx.set(dut.seed_enable, 1)
        for mark, (bank, receiver, eni, number) in enumerate(places):
            ctx.set(dut.seed_index, ((bank * 4 + receiver) * 2 + eni) * 4 + number)
            await ctx.tick()
            assert ctx.get(dut.seed) == mark

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
