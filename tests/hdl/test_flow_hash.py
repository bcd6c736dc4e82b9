"""FlowHash against Microsoft's published RSS verification values."""

import ipaddress
import random

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.match.flow_hash import FlowHash

MICROSOFT_KEY = bytes.fromhex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa")
pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
SYMMETRIC_KEY = bytes.fromhex("6d5a") * 20

# "Verifying the RSS hash calculation": source, destination, ports, hash with ports, hash of the addresses.
MICROSOFT = [
    ("66.9.149.187", "161.142.100.80", 2794, 1766, 0x51CCC178, 0x323E8FC2),
    ("199.92.111.2", "65.69.140.83", 14230, 4739, 0xC626B0EA, 0xD718262A),
    ("24.19.198.95", "12.22.207.184", 12898, 38024, 0x5C2B394A, 0xD2D0A5DE),
    ("38.27.205.30", "209.142.163.6", 48228, 2217, 0xAFC7327F, 0x82989176),
    ("153.39.163.191", "202.188.127.2", 44251, 1303, 0x10E828A2, 0x5D1809C5),
    ("3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x40207D3D, 0x2CC18CD5),
    ("3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0xDDE51BBF, 0x0F0C461C),
    ("3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024, 0x02D1FEEF, 0x4B61E985),
]


def run(key, flows, idle=0.0, seed=1):
    """Hash [(src, dst, sport, dport, protocol)]; check each latency. Unused address bits hold noise."""
    dut = FlowHash(key)
    rng = random.Random(seed)
    sent, hashes = [], []
    clock = 0

    async def tick(ctx):
        nonlocal clock
        _, _, valid, value = await ctx.tick().sample(dut.o.valid, dut.o.payload)
        if valid:
            assert clock - sent[len(hashes)] == FlowHash.LATENCY
            hashes.append(value)
        clock += 1

    async def feed(ctx):
        for src, dst, sport, dport, protocol in flows:
            while rng.random() < idle:
                ctx.set(dut.i.valid, 0)
                await tick(ctx)
            ipv6 = ipaddress.ip_address(src).version == 6
            for port, address in ((dut.i.payload.src, src), (dut.i.payload.dst, dst)):
                wire = ipaddress.ip_address(address).packed
                ctx.set(port, int.from_bytes(wire + rng.randbytes(16 - len(wire)), "little"))
            ctx.set(dut.i.payload.ipv6, ipv6)
            ctx.set(dut.i.payload.sport, sport)
            ctx.set(dut.i.payload.dport, dport)
            ctx.set(dut.i.payload.protocol, protocol)
            ctx.set(dut.i.valid, 1)
            sent.append(clock)
            await tick(ctx)
        ctx.set(dut.i.valid, 0)
        for _ in range(FlowHash.LATENCY + 1):
            await tick(ctx)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.run()
    assert len(hashes) == len(flows)
    return hashes


@pytest.mark.parametrize("idle", [0.0, 0.5])
def test_microsoft_vectors(idle):
    flows, expected = [], []
    for src, dst, sport, dport, with_ports, addresses in MICROSOFT:
        flows += [(src, dst, sport, dport, 0), (src, dst, 0, 0, 0)]
        expected += [with_ports, addresses]
    assert run(MICROSOFT_KEY, flows, idle) == expected


def test_protocol_is_xored():
    flows = [(*flow[:4], 17) for flow in MICROSOFT]
    assert run(MICROSOFT_KEY, flows) == [flow[4] ^ 17 for flow in MICROSOFT]


def test_periodic_key_by_hand():
    """One set bit of the input picks one 32-bit window of the key: 6d5a6d5a rotated by the bit's position."""
    flows = [
        ("128.0.0.0", "0.0.0.0", 0, 0, 0),  # position 0: the key itself
        ("64.0.0.0", "0.0.0.0", 0, 0, 0),  # position 1
        ("0.0.0.0", "0.128.0.0", 0, 0, 0),  # position 40, 8 modulo 16
        ("0.0.0.0", "0.0.0.0", 0x8000, 0, 0),  # position 64, 0 modulo 16
        ("0.0.0.0", "0.0.0.0", 0, 1, 0),  # position 95, 15 modulo 16
        ("::1", "::", 0, 0, 0),  # position 127
        ("::", "8000::", 0, 0, 0),  # position 128
        ("0.0.0.0", "0.0.0.0", 0, 0, 6),  # no bit, protocol only
    ]
    assert run(SYMMETRIC_KEY, flows) == [
        0x6D5A6D5A,
        0xDAB4DAB4,
        0x5A6D5A6D,
        0x6D5A6D5A,
        0x36AD36AD,
        0x36AD36AD,
        0x6D5A6D5A,
        6,
    ]


def test_default_key_gives_both_directions_the_same_hash():
    key = NicParameters().hash_key
    forward = [(*flow[:4], 6) for flow in MICROSOFT]
    backward = [(dst, src, dport, sport, protocol) for src, dst, sport, dport, protocol in forward]
    hashes = run(key, forward)
    assert hashes == run(key, backward, seed=2)
    assert len(set(hashes)) == len(hashes)


def test_periodic_and_general_build_agree():
    """The last key bit (319) meets no input bit (287 + 31 = 318): it changes the build, not the hash."""
    general = SYMMETRIC_KEY[:-1] + bytes([SYMMETRIC_KEY[-1] ^ 1])
    rng = random.Random(7)
    flows = [(*flow[:4], rng.randrange(256)) for flow in MICROSOFT]
    assert run(SYMMETRIC_KEY, flows) == run(general, flows)


@pytest.mark.parametrize("key", [b"", bytes(39), bytes(41), "6d5a" * 20, None])
def test_refuses_key(key):
    with pytest.raises(ValueError, match="must be 40 bytes"):
        FlowHash(key)
