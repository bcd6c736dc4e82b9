"""Etherbone: LiteX's own client and packets, what must not be answered, and production that passes by."""

import random
import struct

import pytest
from scapy.layers.inet import IP, UDP, IPOption
from scapy.layers.l2 import ARP, Dot1Q, Ether

from halfsilver.hdl.bus.etherbone.divert import Divert
from halfsilver.hdl.bus.etherbone.server import EtherboneServer
from tests.hdl.bus.etherbone_kit import (
    CARD_IP,
    CARD_MAC,
    HOST_IP,
    HOST_MAC,
    PORT,
    EtherboneBench,
    arp_request,
    datagram,
    payload_of,
    stored,
)

WIDTHS = (8, 32, 64)
MAC = bytes.fromhex(CARD_MAC.replace(":", ""))
HEADER = bytes.fromhex("4e6f104400000000")


def record(writes=(), base=0, reads=(), returned=0, flags=0, enable=0x0F):
    """A record, by the table of the protocol."""
    octets = struct.pack(">BBBB", flags, enable, len(writes), len(reads))
    if writes:
        octets += struct.pack(f">{len(writes) + 1}I", base, *writes)
    if reads:
        octets += struct.pack(f">{len(reads) + 1}I", returned, *reads)
    return octets


# LiteX's client


class Wire:
    """What LiteX's CommUDP takes for its socket: each datagram goes through scapy and the simulation."""

    def __init__(self, bench):
        self.bench, self.received = bench, []

    def sendto(self, octets, address):
        assert address == (CARD_IP, PORT)
        self.received += map(payload_of, self.bench.exchange(datagram(bytes(octets))))

    def recvfrom(self, size):
        if not self.received:
            raise TimeoutError
        return self.received.pop(0), (CARD_IP, PORT)


@pytest.mark.parametrize("width", WIDTHS)
def test_litex_client_probes_writes_and_reads(width):
    comm_udp = pytest.importorskip("litex.tools.remote.comm_udp", reason="needs litex, of the extra test")
    source = random.Random(width)
    bench = EtherboneBench(width, source, base=0xF0000000)
    client = comm_udp.CommUDP(CARD_IP, PORT)
    client.socket = Wire(bench)
    assert client.probe(CARD_IP, PORT) == 1
    known = {}
    for write, count in [
        (1, 1),
        (0, 3),
        (1, 255),
        (0, 255),
        (1, 16),
        (1, 17),
        (0, 1),
        (1, 1),
        (0, 40),
        (1, 15),
        (0, 9),
    ]:
        first = 4 * source.randrange(0x400 - count)
        places = [first + 4 * number for number in range(count)]
        if write:
            words = [source.getrandbits(32) for _ in places]
            client.write(0xF0000000 + first, words if len(words) > 1 else words[0])
            known.update(zip(places, words, strict=True))
        else:
            expected = [known.get(place, stored(place)) for place in places]
            found = client.read(0xF0000000 + first, None if len(places) == 1 else len(places))
            assert found == (expected[0] if len(places) == 1 else expected)
    assert bench.registers == known


@pytest.mark.parametrize("width", WIDTHS)
def test_litex_packets_of_many_records(width):
    """Records that write and read, as LiteX's classes put them on the wire and take them off it."""
    etherbone = pytest.importorskip("litex.tools.remote.etherbone", reason="needs litex, of the extra test")
    source = random.Random(width)
    bench = EtherboneBench(width, source, ready=0.6)
    known = {}
    for _ in range(5):
        records, answers = [], []
        for _ in range(source.randrange(1, 7)):
            one = etherbone.EtherboneRecord()
            first = 4 * source.randrange(0x3F0)
            if source.random() < 0.6:
                words = [source.getrandbits(32) for _ in range(source.randrange(1, 9))]
                one.writes = etherbone.EtherboneWrites(base_addr=first, datas=iter(words))
                one.wcount = len(words)
                known.update((first + 4 * number, word) for number, word in enumerate(words))
            if source.random() < 0.6:
                places = [4 * source.randrange(0x400) for _ in range(source.randrange(1, 9))]
                one.reads = etherbone.EtherboneReads(addrs=places)
                one.reads.base_ret_addr = source.getrandbits(32)
                one.rcount = len(places)
                answers.append((one.reads.base_ret_addr, [known.get(place, stored(place)) for place in places]))
            records.append(one)
        packet = etherbone.EtherbonePacket()
        packet.records = records
        packet.encode()
        frames = bench.exchange(datagram(bytes(packet.bytes)))
        assert len(frames) == bool(answers)
        if answers:
            answer = etherbone.EtherbonePacket(init=payload_of(frames[0]))
            answer.decode()
            assert [(each.writes.base_addr, each.writes.get_datas()) for each in answer.records] == answers
    assert bench.registers == known


@pytest.mark.parametrize("width", WIDTHS)
def test_the_bytes_that_litex_server_sends(width):
    """Written out: a probe, a write, and a read of two words with its answer."""
    bench = EtherboneBench(width, random.Random(0))

    def ask(text):
        return [payload_of(frame).hex() for frame in bench.exchange(datagram(bytes.fromhex(text)))]

    assert ask("4e6f114400000000 00000000") == ["4e6f12440000000000000000"]
    assert ask("4e6f104400000000 000f0100 00000004cafe0001") == []
    assert bench.writes == [(4, 0xCAFE0001)]
    assert ask("4e6f104400000000 000f0002 00000007 00000004 00000100") == [
        "4e6f104400000000" + "000f0200" + "00000007" + "cafe0001" + f"{stored(0x100):08x}"
    ]


@pytest.mark.parametrize("width", WIDTHS)
def test_all_words_to_one_address(width):
    bench = EtherboneBench(width, random.Random(0))
    words = list(range(200))
    bench.exchange(datagram(HEADER + record(words, 0x24, flags=0x40)))
    assert bench.writes == [(0x24, word) for word in words]


# ARP


@pytest.mark.parametrize("width", WIDTHS)
def test_arp_is_answered_and_passes_on(width):
    bench = EtherboneBench(width, random.Random(0))
    (answer,) = bench.exchange(arp_request())
    reply = Ether(answer)
    assert (reply.src, reply.dst, len(answer)) == (CARD_MAC, HOST_MAC, 60)
    assert (reply[ARP].op, reply[ARP].hwsrc, reply[ARP].psrc) == (2, CARD_MAC, CARD_IP)
    assert (reply[ARP].hwdst, reply[ARP].pdst) == (HOST_MAC, HOST_IP)
    others = [arp_request("10.42.0.3"), arp_request(op=2), arp_request(ptype=0x86DD), arp_request()[:40]]
    assert bench.exchange(*others) == []
    assert bench.passed.frames == [arp_request(), *others]
    to_us = Ether(src=HOST_MAC, dst=CARD_MAC) / ARP(op=1, hwsrc=HOST_MAC, psrc=HOST_IP, pdst=CARD_IP)
    assert len(bench.exchange(bytes(to_us).ljust(60, b"\0"))) == 1


# What must not be answered

WRITE = HEADER + record([1], 0x24)
READ = HEADER + record(reads=[0x24], returned=1)


def spoilt(frame, at, mask):
    return frame[:at] + bytes([frame[at] ^ mask]) + frame[at + 1 :]


def layered(between):
    return bytes(Ether(src=HOST_MAC, dst=CARD_MAC) / between / UDP(sport=40000, dport=PORT) / (WRITE + READ[8:]))


GOOD = datagram(WRITE + READ[8:])
NOT_ANSWERED = {
    "IPv4 checksum": spoilt(GOOD, 24, 0x01),
    "IPv4 header, not its checksum": spoilt(GOOD, 22, 0x40),
    "UDP checksum": spoilt(GOOD, 40, 0x01),
    "a byte of the data": spoilt(GOOD, 61, 0x10),
    "the source address, which is in both checksums": spoilt(GOOD, 26, 0x01),
    "IPv4 options": layered(IP(src=HOST_IP, dst=CARD_IP, options=[IPOption(b"\x01\x01\x01\x00")])),
    "a fragment with more to come": datagram(WRITE, IP_flags="MF"),
    "a later fragment": datagram(WRITE, IP_frag=1),
    "TCP": datagram(WRITE, IP_proto=6),
    "another IPv4 address": datagram(WRITE, IP_dst="10.42.0.3"),
    "another port": datagram(WRITE, UDP_dport=PORT + 1),
    "UDP length too short": datagram(WRITE, UDP_len=8 + len(WRITE) - 4),
    "UDP length too long": datagram(WRITE, UDP_len=8 + len(WRITE) + 4),
    "lengths beyond the frame": datagram(WRITE, IP_len=28 + len(WRITE) + 16, UDP_len=8 + len(WRITE) + 16, UDP_chksum=0),
    "an odd number of bytes": datagram(WRITE + b"\0"),
    "a VLAN tag": layered(Dot1Q(vlan=1) / IP(src=HOST_IP, dst=CARD_IP)),
    "IPv6's type": datagram(WRITE, Ether_type=0x86DD),
    "no Etherbone header": datagram(HEADER[:4]),
    "another magic": datagram(b"\x4e\x6e" + WRITE[2:]),
    "another version": datagram(b"\x4e\x6f\x20" + WRITE[3:]),
    "64-bit words": datagram(b"\x4e\x6f\x10\x48" + WRITE[4:]),
    "an answer": datagram(b"\x4e\x6f\x12" + WRITE[3:]),
    "a frame that is cut short": GOOD[:50],
    "a runt": GOOD[:20],
    "a record with fewer words than it says": datagram(HEADER + record([1, 2], 0x24)[:-4]),
    "a record with fewer reads than it says": datagram(HEADER + record(reads=[0, 4])[:-4]),
    "255 writes and nothing else": datagram(HEADER + bytes([0, 0x0F, 255, 0])),
}


@pytest.fixture(scope="module")
def bench():
    return EtherboneBench(32, random.Random(3))


@pytest.mark.parametrize("what", NOT_ANSWERED)
def test_nothing_comes_of(bench, what):
    """No write, no answer, and a good one behind it has both."""
    del bench.writes[:]
    assert bench.exchange(NOT_ANSWERED[what]) == []
    assert bench.writes == []
    assert len(bench.exchange(GOOD)) == 1
    assert bench.writes == [(0x24, 1)]


def test_a_frame_that_is_marked_bad(bench):
    del bench.writes[:]
    assert bench.exchange(GOOD, bad=True) == []
    assert bench.writes == []


def test_a_datagram_without_a_checksum(bench):
    del bench.writes[:]
    assert len(bench.exchange(datagram(WRITE + READ[8:], UDP_chksum=0))) == 1
    assert bench.writes == [(0x24, 1)]


def test_a_record_that_does_not_fit_ends_the_datagram_and_those_before_it_count(bench):
    del bench.writes[:]
    payload = HEADER + record([7], 0x30) + record(reads=[0x30], returned=9) + record([1, 2], 0x24)[:-4]
    (answer,) = bench.exchange(datagram(payload))
    assert payload_of(answer) == HEADER + record([7], 9)
    assert bench.writes == [(0x30, 7)]


def test_what_is_not_for_whole_registers_writes_nothing_and_reads_0(bench):
    del bench.writes[:]
    records = [
        record([1], 0x24, [0x24], 1, enable=0x03),
        record([2], 0x24, [0x24], 2, flags=0x20),
        record([3], 0x24, [0x24], 3, flags=0x02),
        record([4, 5], 0xFFC, [0x1000, 0xFFFFF024], 4),
    ]
    (answer,) = bench.exchange(datagram(HEADER + b"".join(records)))
    assert payload_of(answer) == HEADER + record([0], 1) + record([0], 2) + record([0], 3) + record([0, 0], 4)
    assert bench.writes == [(0xFFC, 4)]


# Many at once, and production


def test_a_frame_that_comes_too_soon_is_dropped_and_counted():
    bench = EtherboneBench(32, random.Random(0))
    long = datagram(HEADER + record(range(250), 0x0))
    assert bench.exchange(long, GOOD, GOOD) == []
    assert len(bench.writes) == 250
    assert len(bench.exchange(GOOD)) == 1


@pytest.mark.parametrize("width", (8, 16, 32, 64, 512))
@pytest.mark.parametrize("ready", (1.0, 0.5))
def test_all_but_our_own_frames_pass_unchanged_and_in_order(width, ready):
    """Frames of any length from one byte on, back to back, with addresses near ours; ours are gone."""
    source = random.Random(f"{width} {ready}")
    bench = EtherboneBench(width, source, ready=ready)
    near = [MAC, MAC, b"\xff" * 6, MAC[:5] + b"\x02", b"\x03" + MAC[1:], b"\x33\x33" + MAC[2:], bytes(6)]
    frames = []
    for _ in range(60):
        size = source.choice([1, 2, 3, 4, 5, 6, 7, 8, 12, 14, 60, 64, 65, source.randrange(1, 200)])
        frames.append((source.choice(near) + source.randbytes(200))[:size])
    bench.exchange(*frames)
    assert bench.passed.frames == [frame for frame in frames if frame[:6] != MAC]
    assert any(len(frame) >= 6 and frame[:6] == MAC for frame in frames)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((24, MAC, CARD_IP), "width"),
        ((32, MAC[:5], CARD_IP), "a MAC address is 6 bytes, not "),
        ((32, b"\x01" + MAC[1:], CARD_IP), "01:48:53:4d:00:01 is not the address of one station"),
        ((32, MAC, "10.0.0.256"), "10.0.0.256"),
        ((32, MAC, CARD_IP, 0), "port must be 1 to 65535, not 0"),
        ((32, MAC, CARD_IP, PORT, 4), "base must be a multiple of 0x1000 below 2\\*\\*32, not 4"),
    ],
)
def test_a_server_that_cannot_be(arguments, says):
    with pytest.raises(ValueError, match=says):
        EtherboneServer(*arguments)


def test_no_address_to_divert():
    with pytest.raises(ValueError, match="not the address of one station"):
        Divert(32, bytes(6))
