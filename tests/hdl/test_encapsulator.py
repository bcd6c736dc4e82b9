"""The encapsulator against packets built and parsed by scapy: lengths, pauses, throughput, latency."""

import random
import struct
from dataclasses import dataclass, replace
from ipaddress import ip_address

import pytest
from amaranth.sim import Simulator
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, in6_chksum
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw
from scapy.utils import checksum as scapy_checksum

from halfsilver.hdl.encapsulator.descriptor import CopyDescriptor
from halfsilver.hdl.encapsulator.encapsulator import Encapsulator
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.tables import Table

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")

WIDTHS = [8, 16, 32, 64, 128, 256, 512, 1024]
ENIS = 2
SLOTS = NicParameters(enis=ENIS).session_slots


@dataclass(frozen=True)
class Session:
    """One template: MACs and addresses as bytes on the wire (4 or 16 per address)."""

    dst_mac: bytes
    src_mac: bytes
    src: bytes
    dst: bytes
    vni: int

    @property
    def outer6(self):
        return len(self.src) == 16

    def words(self):
        """The 32-bit words the host writes, first byte on the wire lowest; unused address words: noise."""
        macs = struct.unpack("<3I", self.dst_mac + self.src_mac)
        noise = bytes.fromhex("deadbeef") * 3
        addresses = struct.unpack("<8I", (self.src + noise)[:16] + (self.dst + noise)[:16])
        return [*macs, self.vni, *addresses, self.seed()]

    def seed(self):
        """The sum over the constant part of the checksummed bytes, spelled out byte by byte."""
        if self.outer6:
            vxlan = bytes([8, 0, 0, 0]) + self.vni.to_bytes(3, "big") + b"\0"
            return ones_sum(self.src + self.dst + bytes([0, 17]) + (4789).to_bytes(2, "big") + vxlan)
        return ones_sum(bytes.fromhex("4500000000000000ff110000") + self.src + self.dst)


@dataclass(frozen=True)
class Copy:
    slot: int
    inner: bytes
    source_port: int


def ones_sum(octets):
    """RFC 1071: 16-bit words, end-around carry, an odd byte padded with zero; not inverted."""
    octets += bytes(len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def random_session(rng, outer6):
    octets = 16 if outer6 else 4
    return Session(
        rng.randbytes(6), rng.randbytes(6), rng.randbytes(octets), rng.randbytes(octets), rng.randrange(1, 1 << 24)
    )


def random_copies(rng, lengths):
    return [Copy(rng.randrange(2 * SLOTS), rng.randbytes(length), rng.randrange(1 << 16)) for length in lengths]


def built_by_scapy(session, copy):
    source, destination = str(ip_address(session.src)), str(ip_address(session.dst))
    ethernet = Ether(dst=session.dst_mac.hex(":"), src=session.src_mac.hex(":"))
    vxlan = VXLAN(flags=8, vni=session.vni) / Raw(copy.inner)
    if session.outer6:
        ip = IPv6(src=source, dst=destination, hlim=255)
        return bytes(ethernet / ip / UDP(sport=copy.source_port, dport=4789) / vxlan)
    ip = IP(src=source, dst=destination, id=0, flags=0, ttl=255)
    return bytes(ethernet / ip / UDP(sport=copy.source_port, dport=4789, chksum=0) / vxlan)


def check_by_scapy(outer, session, copy):
    """Read the outer headers field by field, as a receiver does; the copy behind them is only compared."""
    packet = Ether(outer)
    udp, vxlan = packet[UDP], packet[VXLAN]
    if session.outer6:
        ip = packet[IPv6]
        assert (ip.version, ip.tc, ip.fl, ip.nh, ip.hlim) == (6, 0, 0, 17, 255)
        assert ip.plen == len(copy.inner) + 16
        assert udp.chksum != 0
        assert in6_chksum(17, ip, outer[54:]) == 0
    else:
        ip = packet[IP]
        assert (ip.version, ip.ihl, ip.tos, ip.id, int(ip.flags), ip.frag) == (4, 5, 0, 0, 0, 0)
        assert (ip.ttl, ip.proto, ip.len) == (255, 17, len(copy.inner) + 36)
        assert scapy_checksum(outer[14:34]) == 0
        assert udp.chksum == 0
    assert (packet.dst, packet.src) == (session.dst_mac.hex(":"), session.src_mac.hex(":"))
    assert (ip.src, ip.dst) == (str(ip_address(session.src)), str(ip_address(session.dst)))
    assert (udp.sport, udp.dport, udp.len) == (copy.source_port, 4789, len(copy.inner) + 16)
    assert (int(vxlan.flags), vxlan.reserved1, vxlan.vni, vxlan.reserved2) == (8, 0, session.vni, 0)
    assert outer[70 if session.outer6 else 50 :] == copy.inner


@dataclass
class Outcome:
    packets: list  # bytes of each outer packet
    beats: list  # clock of every beat accepted at o
    accepted: list  # clock in which each descriptor was accepted
    done: list  # (clock, bank) of each done pulse
    lasts: list  # clock in which each packet's last beat was accepted


def run(width, sessions, copies, idle=0.0, backpressure=0.0, seed=1, before=(), enis=ENIS):
    """Write the templates (first those of ``before``), send the copies, collect the outer packets.

    Checks on the way that a beat offered stays as it is until it is taken.
    """
    dut = Encapsulator(NicParameters(width=width, enis=enis))
    slots = NicParameters(enis=enis).session_slots
    rng_copy, rng_in, rng_out = (random.Random(seed + n) for n in range(3))
    outcome = Outcome([], [], [], [], [])
    step = width // 8
    limit = 3000 + 20 * sum(4 + (70 + len(copy.inner)) // step for copy in copies)
    clock = -1
    written = False

    async def write_templates(ctx):
        nonlocal written
        ctx.set(dut.write.enable, 1)
        ctx.set(dut.write.table, Table.OUTER)
        for slot, session in enumerate([*before, *sessions]):
            for word, value in enumerate(session.words()):
                ctx.set(dut.write.bank, slot // slots % 2)
                ctx.set(dut.write.index, slot % slots * 16 + word)
                ctx.set(dut.write.data, value)
                await ctx.tick()
        ctx.set(dut.write.enable, 0)
        written = True

    async def count_clocks(ctx):
        nonlocal clock
        async for _ in ctx.tick():
            clock += 1
            assert clock < limit, f"stuck after {len(outcome.packets)} of {len(copies)} packets"

    async def send_descriptors(ctx):
        while not written:
            await ctx.tick()
        for copy in copies:
            while rng_copy.random() < idle:
                await ctx.tick()
            ctx.set(
                dut.i_copy.payload,
                {
                    "slot": copy.slot,
                    "length": len(copy.inner),
                    "source_port": copy.source_port,
                    "payload_sum": ones_sum(copy.inner),
                    "outer6": sessions[copy.slot].outer6,
                },
            )
            ctx.set(dut.i_copy.valid, 1)
            await ctx.tick().until(dut.i_copy.ready)
            outcome.accepted.append(clock)
            ctx.set(dut.i_copy.valid, 0)
            ctx.set(dut.i_copy.payload, CopyDescriptor.from_bits(rng_copy.getrandbits(55)))

    async def send_bytes(ctx):
        for copy in copies:
            for at in range(0, len(copy.inner), step):
                while rng_in.random() < idle:
                    await ctx.tick()
                piece = copy.inner[at : at + step]
                beat = piece + rng_in.randbytes(step - len(piece))
                ctx.set(dut.i.payload.data, int.from_bytes(beat, "little"))
                ctx.set(dut.i.payload.count, len(piece))
                ctx.set(dut.i.payload.last, at + step >= len(copy.inner))
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
                ctx.set(dut.i.valid, 0)

    async def collect(ctx):
        packet = b""
        waiting = None
        while len(outcome.packets) < len(copies):
            ready = rng_out.random() >= backpressure
            ctx.set(dut.o.ready, ready)
            _, _, valid, beat = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            now = (beat.data, beat.count, beat.last)
            assert waiting is None or (valid and waiting == now), "a beat changed or went before it was taken"
            waiting = now if valid and not ready else None
            if not (valid and ready):
                continue
            outcome.beats.append(clock)
            assert not beat.bad and not beat.drop
            assert 1 <= beat.count <= step and (beat.last or beat.count == step)
            packet += beat.data.to_bytes(step, "little")[: beat.count]
            if beat.last:
                outcome.packets.append(packet)
                outcome.lasts.append(clock)
                packet = b""
        for _ in range(30):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            assert not valid

    async def watch_done(ctx):
        async for _, _, done, bank in ctx.tick().sample(dut.done, dut.done_bank):
            if done:
                outcome.done.append((clock, bank))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_process(count_clocks)
    simulator.add_testbench(write_templates)
    simulator.add_testbench(send_descriptors)
    simulator.add_testbench(send_bytes)
    simulator.add_testbench(collect)
    simulator.add_testbench(watch_done, background=True)
    simulator.run()
    return outcome


def check(sessions, copies, outcome, slots=SLOTS):
    assert len(outcome.packets) == len(copies)
    for number, (copy, packet) in enumerate(zip(copies, outcome.packets, strict=True)):
        session = sessions[copy.slot]
        assert packet.hex() == built_by_scapy(session, copy).hex(), f"copy {number}, {len(copy.inner)} bytes"
        check_by_scapy(packet, session, copy)
    assert outcome.done == [(clock + 1, copy.slot // slots) for clock, copy in zip(outcome.lasts, copies, strict=True)]


def sessions_of_both_families(rng, slots=SLOTS):
    return [random_session(rng, slot % 2 == 1) for slot in range(2 * slots)]


@pytest.mark.parametrize("pauses", [(0.0, 0.0), (0.3, 0.3)], ids=["back-to-back", "pauses"])
@pytest.mark.parametrize("width", [8, 64, 512])
def test_every_length(width, pauses):
    rng = random.Random(width)
    sessions = sessions_of_both_families(rng)
    lengths = [*range(14, 201), 512, 1500, 9216]
    rng.shuffle(lengths)
    copies = random_copies(rng, lengths)
    check(sessions, copies, run(width, sessions, copies, *pauses))


@pytest.mark.parametrize("pauses", [(0.0, 0.5), (0.5, 0.0), (0.7, 0.7)])
@pytest.mark.parametrize("width", WIDTHS)
def test_pauses(width, pauses):
    rng = random.Random(width)
    sessions = sessions_of_both_families(rng)
    lengths = [rng.choice([14, 15, 64, 65, 78, 79, rng.randrange(14, 300)]) for _ in range(40)]
    copies = random_copies(rng, lengths)
    check(sessions, copies, run(width, sessions, copies, *pauses, seed=width))


@pytest.mark.parametrize("outer6", [False, True], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_idle_clock_between_copies(width, outer6):
    """Every length that can end anywhere in a beat, the shortest ones many times: not one clock is lost."""
    rng = random.Random(width)
    sessions = [random_session(rng, outer6) for _ in range(2 * SLOTS)]
    endings = [14 + n for n in range(min(width // 8, 64) + 1)]
    copies = random_copies(rng, [14] * 20 + endings + [15] * 10 + [150])
    outcome = run(width, sessions, copies)
    check(sessions, copies, outcome)
    prefix = 70 if outer6 else 50
    beats = sum(-(-(prefix + len(copy.inner)) // (width // 8)) for copy in copies)
    assert outcome.beats == list(range(outcome.beats[0], outcome.beats[0] + beats))


@pytest.mark.parametrize("width", WIDTHS)
def test_no_idle_clock_between_families(width):
    rng = random.Random(width)
    sessions = sessions_of_both_families(rng)
    copies = random_copies(rng, [rng.choice([14, 15, 16, 20, 60]) for _ in range(60)])
    outcome = run(width, sessions, copies)
    check(sessions, copies, outcome)
    assert outcome.beats == list(range(outcome.beats[0], outcome.beats[0] + len(outcome.beats)))


@pytest.mark.parametrize(("width", "latency"), [(8, 16), (16, 16), (32, 16), (64, 10), (128, 8), (512, 8)])
def test_documented_latency(width, latency):
    rng = random.Random(width)
    sessions = sessions_of_both_families(rng)
    for slot in (0, 1):
        outcome = run(width, sessions, [Copy(slot, rng.randbytes(60), 0xFF80)])
        assert outcome.beats[0] - outcome.accepted[0] == latency


@pytest.mark.parametrize("width", [8, 64, 512])
def test_ipv6_checksum_is_never_zero(width):
    """A copy whose last two bytes make the sum 0xffff: its complement 0 is sent as 0xffff (RFC 8200 8.1)."""
    rng = random.Random(width)
    sessions = sessions_of_both_families(rng)
    copies = []
    for slot in (1, 3):
        copy = Copy(slot, rng.randbytes(60) + b"\0\0", 0xFF85)
        without = Ether(built_by_scapy(sessions[slot], copy))[UDP].chksum
        copies.append(replace(copy, inner=copy.inner[:60] + without.to_bytes(2, "big")))
        assert Ether(built_by_scapy(sessions[slot], copies[-1]))[UDP].chksum == 0xFFFF
    check(sessions, copies, run(width, sessions, copies))


@pytest.mark.parametrize("width", [8, 64, 512])
def test_carries_of_both_checksums(width):
    """Addresses, ports and bytes of all ones carry in every addition."""
    ones = Session(b"\xff" * 6, b"\xff" * 6, b"\xff" * 4, b"\xff" * 4, 0xFFFFFF)
    sessions = [ones, replace(ones, src=b"\xff" * 16, dst=b"\xff" * 16)] * SLOTS
    copies = [Copy(slot, b"\xff" * length, 0xFFFF) for slot in (0, 1) for length in (14, 15, 1501)]
    check(sessions, copies, run(width, sessions, copies))


def test_template_can_be_replaced():
    """Every template is written twice; the second counts."""
    rng = random.Random(5)
    first, second = sessions_of_both_families(rng), sessions_of_both_families(rng)
    for width in (8, 64, 512):
        copies = random_copies(rng, [40] * 8)
        check(second, copies, run(width, second, copies, before=first))


@pytest.mark.parametrize("enis", [1, 16])
def test_builds_for_other_numbers_of_interfaces(enis):
    """Each session of each interface and bank has a template of its own."""
    rng, slots = random.Random(enis), NicParameters(enis=enis).session_slots
    sessions = sessions_of_both_families(rng, slots)
    copies = [Copy(slot, rng.randbytes(40), rng.randrange(1 << 16)) for slot in range(2 * slots)]
    rng.shuffle(copies)
    check(sessions, copies, run(64, sessions, copies, enis=enis), slots)


def test_refuses_width():
    parameters = NicParameters()
    object.__setattr__(parameters, "width", 48)
    with pytest.raises(ValueError, match="power of two from 8 to 1024"):
        Encapsulator(parameters)
