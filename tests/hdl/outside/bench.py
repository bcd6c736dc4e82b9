"""The exported core under cocotbext-axi, loaded by the driver beside this file; expected bytes are scapy's."""

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource
from scapy.all import IP, TCP, UDP, VXLAN, Ether, Raw, raw

from tests.hdl.outside.driver import OwnDriver, OwnRule, OwnSession

MAC, PEER, COLLECTOR = "02:00:00:00:00:10", "02:00:00:00:00:99", "02:00:00:00:00:40"
HOST, OTHER, BLOCKED, RECEIVER = "10.0.1.10", "198.51.100.7", "203.0.113.200", "10.0.3.40"
LIMIT, VNI, PORT = 96, 0xABCDE, 0xC123
MIRRORED, NO_ENI, REJECTED, NO_MATCH = 0, 2, 7, 8

INGRESS = [
    OwnRule(accept=False, source="203.0.113.192/26", destination="0.0.0.0/0", protocol=6),
    OwnRule(accept=True, source="0.0.0.0/0", destination="10.0.1.0/24", protocol=6, destination_ports=(80, 443)),
]
EGRESS = [OwnRule(accept=True, source="10.0.1.10/32", destination="0.0.0.0/0", protocol=17, source_ports=(53, 53))]


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(text):
    return bytes(map(int, text.split(".")))


def incoming(source, port, length=60, to=MAC):
    packet = Ether(dst=to, src=PEER) / IP(src=source, dst=HOST) / TCP(sport=40000, dport=port)
    return raw(packet / Raw(bytes(range(256)) * 6))[:length]


def outgoing(port, length=60):
    packet = Ether(dst=PEER, src=MAC) / IP(src=HOST, dst=OTHER) / UDP(sport=port, dport=5353) / Raw(bytes(1500))
    return raw(packet)[:length]


FROM_NET = [
    (incoming(OTHER, 79), NO_MATCH),
    (incoming(OTHER, 80), MIRRORED),
    (incoming(OTHER, 443, 1514), MIRRORED),
    (incoming(OTHER, 444), NO_MATCH),
    (incoming(BLOCKED, 80), REJECTED),
    (incoming("203.0.113.191", 80, 97), MIRRORED),
    (incoming(OTHER, 80, to="02:00:00:00:00:11"), NO_ENI),
]
FROM_HOST = [(outgoing(53, 200), MIRRORED), (outgoing(54), NO_MATCH)]


def copy_of(frame):
    """What must leave, as scapy builds it; the law's section on the outer packet."""
    outer = Ether(dst=COLLECTOR, src=MAC) / IP(src=HOST, dst=RECEIVER, ttl=255, id=0, flags=0)
    return raw(outer / UDP(sport=PORT, dport=4789, chksum=0) / VXLAN(vni=VNI, flags=8) / Raw(frame[:LIMIT]))


def is_copy(frame):
    """Bit 1 of tuser, which is the same in the whole frame."""
    (user,) = set(frame.tuser) if isinstance(frame.tuser, list) else {frame.tuser}
    return bool(user & 2)


async def records(dut, into):
    while True:
        await RisingEdge(dut.clk)
        if int(dut.m_axis_verdict_tvalid.value):
            beat = int(dut.m_axis_verdict_tdata.value)
            keep = int(dut.m_axis_verdict_tkeep.value) if hasattr(dut, "m_axis_verdict_tkeep") else 0xFFFF
            for at in range(0, len(dut.m_axis_verdict_tdata) // 8, 16):
                assert keep >> at & 0xFFFF in (0, 0xFFFF)
                if keep >> at & 1:
                    into.append(beat >> 8 * at & (1 << 128) - 1)


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def a_policy_written_by_the_pages(dut):
    cocotb.start_soon(Clock(dut.clk, 8, unit="ns").start())
    dut.s_axis_net_drop.value = 0
    dut.rst.value = 1
    registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
    sources = [
        AxiStreamSource(AxiStreamBus.from_prefix(dut, f"s_axis_{end}"), dut.clk, dut.rst) for end in ("net", "host")
    ]
    to_host, to_net = (
        AxiStreamSink(AxiStreamBus.from_prefix(dut, f"m_axis_{end}"), dut.clk, dut.rst) for end in ("host", "net")
    )
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 4)

    async def read(address):
        return int.from_bytes((await registers.read(address, 4)).data, "little")

    async def write(address, word):
        await registers.write(address, word.to_bytes(4, "little"))

    driver = OwnDriver(read, write)
    built = await driver.identify()
    assert (built["width"], built["enis"], built["major"]) == (len(dut.s_axis_net_tdata), 1, 0)
    session = OwnSession((INGRESS, EGRESS), LIMIT, VNI, mac(MAC), mac(COLLECTOR), ip(HOST), ip(RECEIVER))
    assert await driver.load(mac(MAC), [session], (PORT, 0)) == 1

    verdicts = []
    cocotb.start_soon(records(dut, verdicts))
    copies, passed = [], []
    for source, frames in zip(sources, (FROM_NET, FROM_HOST), strict=True):
        for frame, verdict in frames:
            await source.send(AxiStreamFrame(frame))
            production = await (to_host if frames is FROM_NET else to_net).recv()
            passed.append((bytes(production.tdata), is_copy(production)))
            if verdict == MIRRORED:
                copy = await to_net.recv()
                assert is_copy(copy)
                copies.append(bytes(copy.tdata))
    await ClockCycles(dut.clk, 400)
    assert to_net.empty() and to_host.empty()
    assert passed == [(frame, False) for frame, _ in FROM_NET + FROM_HOST]
    offered = [(0, *each) for each in FROM_NET] + [(1, *each) for each in FROM_HOST]
    assert copies == [copy_of(frame) for _, frame, verdict in offered if verdict == MIRRORED]

    seen = [(each >> 80 & 0xFF, each >> 64 & 0xFF, each >> 32 & 0xFFFF, each >> 48 & 0xFFFF) for each in verdicts]
    assert seen == [
        (direction, verdict, len(frame), min(LIMIT, len(frame)) if verdict == MIRRORED else 0)
        for direction, frame, verdict in offered
    ]
    assert {each >> 112 for each in verdicts} == {1}

    await driver.snapshot()
    for direction in range(2):
        for verdict in range(16):
            its = [frame for way, frame, each in offered if (way, each) == (direction, verdict)]
            octets = sum(min(LIMIT, len(frame)) if verdict == MIRRORED else len(frame) for frame in its)
            assert await driver.counter(0, direction * 16 + verdict) == (len(its), octets)
    for direction in range(2):
        its = [frame for way, frame, verdict in offered if (way, verdict) == (direction, MIRRORED)]
        assert await driver.counter(1, direction * 4) == (len(its), sum(min(LIMIT, len(frame)) for frame in its))
        for port in ((0, 3), (2, 1))[direction]:
            its = [frame for way, frame, _ in offered if way == direction]
            assert await driver.counter(3, 2 * port) == (len(its), sum(map(len, its)))
    assert await driver.counter(3, 2 * 4) == (len(copies), sum(map(len, copies)))
    assert (await driver.counter(2, 0))[0] == 1 and (await driver.counter(2, 1))[0] == 3
    assert (await driver.counter(2, 1 * 4 * 16))[0] == 1
