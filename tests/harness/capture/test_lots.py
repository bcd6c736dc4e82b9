"""Lots of captures: whoever reads them one by one has all frames, in order, and all that is to be said of them."""

import gzip
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halfsilver.harness.capture.sources import frames_of, open_captures
from halfsilver.harness.errors import UsageError
from halfsilver.sim.places import CAPTURES


def as_whole(paths):
    with open_captures(paths) as captures:
        frames = list(captures)
        return frames, said(captures)


def as_lots(paths, records, octets):
    frames = []
    with open_captures(paths) as captures:
        for lot in captures.lots(records, octets):
            read, found = frames_of(lot.loaded() if records % 2 else lot, {})
            frames += read
            for each in found:
                captures.readers[each.capture].take_in(each)
        return frames, said(captures)


def said(captures):
    return [(each.name, each.short, each.lifted, list(map(str, each.damage))) for each in captures.readers]


def outcome(read, *arguments):
    try:
        return read(*arguments)
    except UsageError as error:
        return str(error)


def pcap(frames, order, link, fcs):
    head = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link | fcs << 26 | 1 << 29)
    return head + b"".join(
        struct.pack(order + "IIII", time, 0, len(data), len(data) + more) + data for time, data, more in frames
    )


def block(order, kind, body):
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def pcapng(frames, order, link, sections):
    data = b""
    for _ in range(sections):
        data += block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
        data += block(order, 1, struct.pack(order + "HHI", link, 0, 0))
        for number, (time, octets, more) in enumerate(frames):
            head = struct.pack(order + "IIIII", number % 9 == 8, 0, time, len(octets), len(octets) + more)
            data += block(order, 6, head + octets + bytes(-len(octets) % 4))
        order = {"<": ">", ">": "<"}[order]
    return data


FRAMES = st.lists(
    st.tuples(st.integers(0, 9), st.binary(min_size=0, max_size=40), st.integers(0, 3)), min_size=0, max_size=12
)
CAPTURE = st.one_of(
    st.builds(pcap, FRAMES, st.sampled_from("<>"), st.sampled_from([1, 1, 101, 113]), st.integers(0, 1)),
    st.builds(pcapng, FRAMES, st.sampled_from("<>"), st.sampled_from([1, 1, 101]), st.integers(1, 2)),
)


@st.composite
def files(draw):
    """Some captures: whole, compressed, cut off, or with a byte that is another one."""
    data = draw(CAPTURE)
    match draw(st.sampled_from(("whole", "whole", "gzip", "cut", "changed", "gzip cut"))):
        case "gzip":
            return gzip.compress(data)
        case "gzip cut":
            return gzip.compress(data)[: -draw(st.integers(1, 12))]
        case "cut":
            return data[: draw(st.integers(4, len(data)))]
        case "changed":
            at = draw(st.integers(4, len(data) - 1))
            return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
        case _:
            return data


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(files(), min_size=1, max_size=3), st.integers(1, 9), st.sampled_from((60, 10_000)))
def test_lots_have_what_the_captures_have(tmp_path, contents, records, octets):
    paths = [tmp_path / f"{number}.cap" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    names = list(map(str, paths))
    assert outcome(as_lots, names, records, octets) == outcome(as_whole, names)


@pytest.mark.skipif(not CAPTURES or not CAPTURES.is_dir(), reason="no captures (set HALFSILVER_CAPTURES)")
@pytest.mark.slow
def test_lots_of_real_captures():
    paths = [str(path) for path in sorted(CAPTURES.glob("*/*.pcap*"))[::6]]
    for path in paths:
        assert outcome(as_lots, [path], 50, 10**9) == outcome(as_whole, [path])
    assert outcome(as_lots, paths[:8], 100, 10**9) == outcome(as_whole, paths[:8])


def test_a_lot_ends_at_records_or_bytes_and_holds_no_more(tmp_path):
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap([(0, bytes(84), 0)] * 100, "<", 1, 0))
    with open_captures([str(path)]) as captures:
        lots = list(captures.lots(8, 100_000))
    assert [lot.portions[0].length for lot in lots] == [800] * 12 + [400]
    assert not any(lot.portions[0].data or lot.waits for lot in lots)  # places in a file, not bytes
    with open_captures([str(path)]) as captures:
        assert [lot.portions[0].length for lot in captures.lots(1000, 950)] == [1000] * 10
