"""Super-frames cut into segments: scapy and Wireshark say that each is right, and that they hold the same bytes."""

import random
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, Jumbo
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.segment import Segmenter
from halfsilver.harness.capture.writer import PcapngWriter

ETHER = Ether(src="0a:00:00:00:00:10", dst="0a:00:00:00:00:01")
PAYLOAD = random.Random(7).randbytes(40_001)
STAMPS = [("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]
TSHARK = shutil.which("tshark")


def frame_of(packet, original=None):
    data = bytes(packet)
    return CapturedFrame(data, 5, len(data) if original is None else original)


def ip_of(data):
    parsed = Ether(data)
    return parsed[IP] if IP in parsed else parsed[IPv6]


def assert_right(data):
    """Lengths and checksums as scapy computes them, when it builds the packet anew."""
    parsed = Ether(data)
    network = ip_of(data)
    assert (network.len if network.version == 4 else network.plen + 40) == len(network)
    built = parsed.copy()
    for layer, names in ((IP, ("len", "chksum")), (IPv6, ("plen",)), (TCP, ("chksum",))):
        if layer in built:
            for name in names:
                built[layer].delfieldval(name)
    assert bytes(built) == data


def super_frame(network, sequence=1_000, flags="A", options=(), tags=(), payload=PAYLOAD):
    packet = ETHER
    for tag in tags:
        packet = packet / tag
    return packet / network / TCP(sport=443, dport=1000, seq=sequence, flags=flags, options=list(options)) / payload


def segments_of(packet, mtu=1500):
    segmenter = Segmenter(mtu)
    pieces = list(segmenter(frame_of(packet)))
    assert (segmenter.cut, segmenter.segments, segmenter.left) == (1, len(pieces), 0)
    assert all(piece.timestamp == 5 and not piece.cut for piece in pieces)
    return [piece.data for piece in pieces]


@pytest.mark.parametrize("mtu", [576, 1500, 9001])
@pytest.mark.parametrize("network", [IP(src="10.0.0.10", dst="192.0.2.1", id=65_530, flags="DF"), IPv6(src="fd00::1")])
@pytest.mark.parametrize("options", [(), STAMPS])
@pytest.mark.parametrize("tags", [(), (Dot1AD(vlan=3), Dot1Q(vlan=7))])
def test_segments_are_right_and_hold_the_same_bytes(mtu, network, options, tags):
    sequence = 2**32 - 20_000
    pieces = segments_of(super_frame(network, sequence, "PFCA", options, tags), mtu)
    whole = b""
    for number, data in enumerate(pieces):
        assert_right(data)
        parsed, packet = Ether(data), ip_of(data)
        assert len(packet) == mtu or (number == len(pieces) - 1 and len(packet) < mtu)
        assert parsed[TCP].seq == (sequence + len(whole)) % 2**32
        flags = "A" + "C" * (number == 0) + "PF" * (number == len(pieces) - 1)
        assert set(str(parsed[TCP].flags)) == set(flags)
        if IP in parsed:
            assert (packet.id, packet.flags) == ((65_530 + number) % 2**16, "DF")
        assert [tag.vlan for tag in (parsed.getlayer(Dot1AD), parsed.getlayer(Dot1Q)) if tag] == [
            tag.vlan for tag in tags
        ]
        whole += bytes(parsed[TCP].payload)
    assert whole == PAYLOAD


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # of a machine that is busy
@given(length=st.integers(1, 6000), mtu=st.integers(576, 3000), sequence=st.integers(0, 2**32 - 1))
def test_any_length_is_cut_without_loss(length, mtu, sequence):
    packet = super_frame(IP(src="10.0.0.1"), sequence, payload=PAYLOAD[:length])
    pieces = Segmenter(mtu)(frame_of(packet))
    assert len(pieces) == -(-length // (mtu - 40)) and all(len(piece.data) <= mtu + 14 for piece in pieces)
    assert b"".join(bytes(Ether(piece.data)[TCP].payload) for piece in pieces) == PAYLOAD[:length]


def test_packets_whose_length_field_is_too_small_for_them():
    """0, as for more than 65,535 bytes; over IPv6 with the option of RFC 2675, which no segment has."""
    large = PAYLOAD * 2
    for network in (
        IP(src="10.0.0.10", len=0),
        IPv6(src="fd00::1", plen=0),
        IPv6(src="fd00::1", plen=0) / IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=80_030)]),
    ):
        pieces = segments_of(super_frame(network, payload=large))
        for data in pieces:
            assert_right(data)
        assert IPv6ExtHdrHopByHop not in Ether(pieces[0])
        assert b"".join(bytes(Ether(data)[TCP].payload) for data in pieces) == large


@pytest.mark.parametrize(
    ("packet", "original", "left"),
    [
        (super_frame(IP(src="10.0.0.1")), 50_000, 1),  # captured short
        (bytes(super_frame(IP(src="10.0.0.1")))[:96], 3_000, 1),
        (ETHER / IP() / UDP(sport=1, dport=2) / PAYLOAD, None, 1),
        (super_frame(IP(src="10.0.0.1", flags="MF")), None, 1),
        (super_frame(IP(src="10.0.0.1"), payload=PAYLOAD[:1460]), None, 0),
        (super_frame(IP(), tags=(Dot1AD(vlan=3), Dot1Q(vlan=7)), payload=PAYLOAD[:1460]), None, 0),
        (super_frame(IP(), tags=(Dot1Q(vlan=7),), payload=PAYLOAD[:1460]), 1_519, 1),
        (ETHER / IP(len=40) / TCP() / PAYLOAD[:3000], None, 0),  # what is behind the packet is no segment
        (ETHER / IP() / UDP() / PAYLOAD[:3000], None, 1),
        (ETHER / IPv6() / IPv6ExtHdrDestOpt() / TCP() / PAYLOAD[:3000], None, 1),
        (ETHER / IP() / TCP(dataofs=4) / PAYLOAD[:3000], None, 1),
        (ETHER / IPv6() / TCP(dataofs=3) / PAYLOAD[:3000], None, 1),
        (ETHER / IP(len=50) / TCP(dataofs=15) / PAYLOAD[:3000], None, 1),  # beyond the packet
        (ETHER / PAYLOAD, None, 1),
        (ETHER / IP(len=60_000) / TCP() / PAYLOAD[:3000], None, 1),
        (bytes(ETHER / IP(proto=6))[:30] + PAYLOAD[:3000], None, 1),
    ],
)
def test_what_cannot_be_cut_stays_as_it_is(packet, original, left):
    segmenter = Segmenter(1500)
    frame = frame_of(packet, original)
    assert segmenter(frame) == (frame,)
    assert (segmenter.cut, segmenter.left) == (0, left)


def test_without_an_mtu_what_no_wire_carries_is_counted():
    segmenter = Segmenter()
    for length in (9_216 - 54, 9_217 - 54):
        frame = frame_of(super_frame(IP(src="10.0.0.1"), payload=PAYLOAD[:length]))
        assert segmenter(frame) == (frame,)
    assert segmenter.left == 1


@pytest.mark.tools
@pytest.mark.skipif(TSHARK is None, reason="tshark is missing (apt install tshark)")
def test_wireshark_finds_no_fault_and_reassembles_the_same_stream(tmp_path):
    networks = IP(src="10.0.0.10", dst="192.0.2.1"), IPv6(src="fd00::1", dst="fd00::2")
    four, six = (segments_of(super_frame(network, options=STAMPS)) for network in networks)
    path = tmp_path / "segments.pcapng"
    with path.open("wb") as stream:
        writer = PcapngWriter(stream)
        for number, data in enumerate(four + six):
            writer.write(data, number * 1000)
    checks = [word for name in ("ip", "tcp") for word in ("-o", f"{name}.check_checksum:TRUE")]
    fields = ("ip.checksum.status", "tcp.checksum.status", "tcp.analysis.flags", "_ws.malformed", "tcp.payload")
    command = [TSHARK, "-n", "-r", path, *checks, "-T", "fields", *(f"-e{field}" for field in fields)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    rows = [line.split("\t") for line in found.splitlines()]
    assert [row[:4] for row in rows] == [["1", "1", "", ""]] * len(four) + [["", "1", "", ""]] * len(six)
    assert bytes.fromhex("".join(row[4] for row in rows)) == PAYLOAD * 2
