"""Capture files: against scapy as the other reader and writer, the formats by hand, and real captures."""

import csv
import io
import struct

import pytest
from scapy.layers.l2 import Ether
from scapy.utils import PcapNgReader, RawPcapReader, RawPcapWriter, wrpcapng

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.reader import CaptureReader, open_capture
from halfsilver.harness.capture.writer import PcapngWriter
from halfsilver.harness.errors import UsageError
from halfsilver.sim.places import CAPTURES

FRAMES = [bytes(range(60)), b"\xff" * 61, b"\x00" * 1514, b"x"]
SECOND = 1_000_000_000


def read(data: bytes) -> tuple[list[CapturedFrame], CaptureReader]:
    reader = CaptureReader(io.BytesIO(data), "test.pcap")
    return list(reader), reader


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A pcapng block (draft-ietf-opsawg-pcapng section 3.1)."""
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 1, snaplen: int = 0, options: bytes = b"", order: str = "<") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options, order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def packet(data: bytes, clock: int = 0, index: int = 0, original: int | None = None, order: str = "<") -> bytes:
    fields = (index, clock >> 32, clock & 0xFFFFFFFF, len(data), len(data) if original is None else original)
    padded = data + bytes(-len(data) % 4)
    return block(6, struct.pack(order + "IIIII", *fields) + padded, order)


def pcap(magic: int = 0xA1B2C3D4, order: str = "<", link: int = 1, records: bytes = b"") -> bytes:
    return struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link) + records


def record(data: bytes, seconds: int = 1, fraction: int = 0, original: int | None = None, order: str = "<") -> bytes:
    return struct.pack(order + "IIII", seconds, fraction, len(data), original or len(data)) + data


@pytest.mark.parametrize("endianness", ["<", ">"])
@pytest.mark.parametrize(("nano", "unit"), [(False, 1000), (True, 1)])
def test_pcap_as_scapy_writes_it(tmp_path, endianness, nano, unit):
    path = tmp_path / "a.pcap"
    with RawPcapWriter(str(path), linktype=1, nano=nano, endianness=endianness) as writer:
        writer.write_header(None)
        for number, frame in enumerate(FRAMES):
            writer.write_packet(frame, sec=1_700_000_000 + number, usec=999_999 - number)
    with open_capture(path) as reader:
        assert list(reader) == [
            CapturedFrame(frame, (1_700_000_000 + number) * SECOND + (999_999 - number) * unit, len(frame))
            for number, frame in enumerate(FRAMES)
        ]
        assert (reader.damage, reader.short) == ([], 0)
        assert reader.size == reader.offset == path.stat().st_size


def test_pcapng_as_scapy_writes_it(tmp_path):
    path = tmp_path / "a.pcapng"
    packets = [Ether(frame) for frame in FRAMES[:3]]
    for number, each in enumerate(packets):
        each.time = 1_700_000_000 + number
        each.comments = [b"a comment"]
    wrpcapng(str(path), packets)
    with open_capture(path) as reader:
        frames = list(reader)
    assert [frame.data for frame in frames] == FRAMES[:3]
    assert [frame.timestamp for frame in frames] == [(1_700_000_000 + number) * SECOND for number in range(3)]


def test_scapy_reads_what_is_written(tmp_path):
    path = tmp_path / "out.pcapng"
    times = [1, 1_700_000_000_123_456_789, 2**63, 2**64 - 1]
    with open(path, "wb") as stream:
        writer = PcapngWriter(stream)
        for frame, time in zip(FRAMES, times, strict=True):
            writer.write(frame, time, f'{{"frame": {time}}}')
    found = list(PcapNgReader(str(path)))
    assert [bytes(each) for each in found] == FRAMES
    assert [each.comments for each in found] == [[f'{{"frame": {time}}}'.encode()] for time in times]
    assert [int(each.time * SECOND) for each in found[1:2]] == times[1:2]
    with open_capture(path) as reader:
        assert [frame.timestamp for frame in reader] == times


@pytest.mark.parametrize(
    ("options", "clock", "nanoseconds"),
    [
        (b"", 1_234_567, 1_234_567_000),  # microseconds unless told otherwise
        (option(9, b"\x09"), 1_234_567, 1_234_567),
        (option(9, b"\x03"), 7, 7_000_000),
        (option(9, b"\x00"), 7, 7 * SECOND),
        (option(9, b"\x94"), 3 << 19, SECOND * 3 // 2),  # 2^-20 s
        (option(9, b"\x0c"), 1999, 1),  # picoseconds, cut to nanoseconds
        (option(9, b"\x09") + option(14, struct.pack("<q", 100)), 5, 100 * SECOND + 5),
        (option(9, b"\x09") + option(14, struct.pack("<q", -100)), 5, 0),  # before 1970
        (option(2, b"eth0") + option(9, b"\x09") + option(0, b"") + option(9, b"\x06"), 8, 8),
    ],
)
def test_pcapng_clock(options, clock, nanoseconds):
    frames, reader = read(section() + interface(options=options) + packet(b"a" * 60, clock))
    assert (frames[0].timestamp, reader.damage) == (nanoseconds, [])


def test_pcapng_with_everything():
    """Two sections of different byte order, several interfaces, all three packet blocks, unknown blocks."""
    old = struct.pack("<HHIIII", 1, 0, 0, 42, 5, 70) + b"old!!" + bytes(3)
    data = (
        section()
        + interface(snaplen=8)
        + interface(options=option(9, b"\x09"))
        + block(5, b"statistics..")
        + packet(b"first", 1, 0)
        + block(0x0BAD, b"custom")
        + packet(b"second", 2, 1)
        + block(2, old)
        + block(3, struct.pack("<I", 100) + b"simple..")
    )
    data += (
        section(">") + interface(order=">", options=option(9, b"\x09", ">")) + packet(b"big endian", 3 << 40, order=">")
    )
    frames, reader = read(data)
    assert frames == [
        CapturedFrame(b"first", 1000, 5),
        CapturedFrame(b"second", 2, 6),
        CapturedFrame(b"old!!", 42, 70),
        CapturedFrame(b"simple..", 0, 100),
        CapturedFrame(b"big endian", 3 << 40, 10),
    ]
    assert (reader.damage, reader.short) == ([], 2)


def test_frame_check_sequence_is_removed():
    """pcapng if_fcslen (octets) and the P bit with FCS length (16-bit words) of a pcap header."""
    ng = section() + interface(options=option(13, b"\x04")) + packet(b"a" * 60 + b"FCS!") + packet(b"b" * 40, 0, 0, 64)
    header_with_fcs = pcap(
        link=1 | 1 << 26 | 2 << 28, records=record(b"a" * 60 + b"FCS!") + record(b"b" * 40, original=64)
    )
    for data in (ng, header_with_fcs):
        frames, _ = read(data)
        assert [(frame.data, frame.original_length) for frame in frames] == [(b"a" * 60, 60), (b"b" * 40, 60)]


def test_every_truncation_keeps_the_whole_frames_and_names_the_offset():
    pieces = [pcap(), *(record(frame) for frame in FRAMES[:2])]
    ng = [section(), interface(), *(packet(frame) for frame in FRAMES[:2])]
    for parts, whole_before in ((pieces, 1), (ng, 2)):
        data = b"".join(parts)
        starts = [sum(map(len, parts[:index])) for index in range(len(parts) + 1)]
        for length in range(4, len(data) + 1):
            frames, reader = read(data[:length])
            complete = sum(end <= length for end in starts[1:])
            assert len(frames) == max(0, complete - whole_before), length
            if length in starts:
                assert reader.damage == []
            else:
                assert [damage.offset for damage in reader.damage] == [max(s for s in starts if s < length)]


@pytest.mark.parametrize(
    ("data", "offset", "message"),
    [
        (
            pcap(records=record(b"a" * 60) + struct.pack("<IIII", 0, 0, 0x7FFFFFFF, 60)),
            100,
            "frame 2 claims 2147483647",
        ),
        (section() + interface() + struct.pack("<II", 6, 30) + bytes(40), 48, "block total length is 30"),
        (
            section() + interface() + struct.pack("<II", 6, 0xFFFFFFF0) + bytes(40),
            48,
            "block total length is 4294967280",
        ),
        (section() + interface() + struct.pack("<III", 0x0A0D0D0A, 28, 7) + bytes(40), 48, "byte-order magic"),
        (section() + interface() + packet(b"a" * 20)[:-4] + b"\x00" * 4, 48, "52 in front of the block, 0 behind"),
    ],
)
def test_damage_ends_reading(data, offset, message):
    _, reader = read(data)
    assert [damage.offset for damage in reader.damage] == [offset]
    assert message in str(reader.damage[0])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            block(6, struct.pack("<IIIII", 0, 0, 0, 100, 100) + bytes(20)),
            "claims 100 captured bytes, its block holds 20",
        ),
        (packet(b"a" * 20, index=3), "interface 3, but the section describes 1"),
        (block(6, b"tiny"), "too short"),
    ],
)
def test_damage_inside_one_block_costs_only_that_block(bad, message):
    head = section() + interface()
    frames, reader = read(head + packet(b"before") + bad + packet(b"after"))
    assert [frame.data for frame in frames] == [b"before", b"after"]
    assert [damage.offset for damage in reader.damage] == [len(head + packet(b"before"))]
    assert message in reader.damage[0].message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pcap(link=105), r"link type 105 \(IEEE802_11\); only Ethernet \(1\) can be mirrored, and .* LINUX_SLL2, LOOP"),
        (section() + interface(link=127) + packet(b"a" * 60), r"link type 127 \(IEEE802_11_RADIOTAP\) on interface 0"),
        (pcap(link=9999), r"link type 9999 \(unknown\)"),
        (b"GET / HTTP/1.1", "not a pcap or pcapng file, it starts with 47 45 54 20"),
        (b"ab", "not a pcap or pcapng file"),
    ],
)
def test_refused(data, message):
    with pytest.raises(UsageError, match=message):
        read(data)


def test_a_record_without_bytes_is_no_frame():
    for head, empty, whole in (
        (pcap(), record(b"", original=0), record(b"a" * 60)),
        (section() + interface(), packet(b""), packet(b"a" * 60)),
    ):
        frames, reader = read(head + whole + empty + whole)
        assert [len(frame.data) for frame in frames] == [60, 60]
        assert [damage.offset for damage in reader.damage] == [len(head + whole)]


def test_an_unused_interface_of_another_link_type_does_no_harm():
    frames, _ = read(section() + interface(link=127) + interface() + packet(b"a" * 60, index=1))
    assert len(frames) == 1


def test_empty_stream_has_no_frames():
    assert read(b"")[0] == []


def manifest() -> list[dict[str, str]]:
    path = CAPTURES / "MANIFEST.csv"
    if not path.exists():
        return []
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.skipif(not manifest(), reason=f"no captures in {CAPTURES} (set HALFSILVER_CAPTURES)")
def test_real_captures_have_the_frames_their_manifest_states():
    """Frame counts and bytes per file, counted by another tool when the collection was made."""
    counted = 0
    for row in manifest():
        with open_capture(CAPTURES / row["file"]) as reader:
            frames = list(reader)
        assert len(frames) == int(row["packets"]), row["file"]
        assert max(frame.original_length for frame in frames) == int(row["max_frame"]), row["file"]
        counted += len(frames)
    assert counted > 20_000


@pytest.mark.skipif(not manifest(), reason=f"no captures in {CAPTURES} (set HALFSILVER_CAPTURES)")
@pytest.mark.parametrize(
    "name",
    [
        "dev/mercury__emix.pcap",
        "vxlan/suricata-verify__AWS__vxlan.pcap",
        "dev/tcpdump__of13_ericsson.pcapng",
        "dev/gopacket__test008.pcapng",
    ],
)
def test_real_captures_as_scapy_reads_them(name):
    with RawPcapReader(str(CAPTURES / name)) as other, open_capture(CAPTURES / name) as reader:
        for (data, meta), frame in zip(other, reader, strict=True):
            assert frame.data == data
            if hasattr(meta, "sec"):
                assert frame.timestamp == meta.sec * SECOND + meta.usec * 1000
            else:
                clock = (meta.tshigh << 32) + meta.tslow
                assert frame.timestamp == clock * SECOND // meta.tsresol
