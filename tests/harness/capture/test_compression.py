"""Compressed captures: by content, in portions, as other programs compress them, and damaged in any way."""

import gzip
import io
import shutil
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from halfsilver.harness.capture.compression import packed
from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.reader import CaptureReader
from halfsilver.harness.errors import EnvironmentMissing, UsageError
from tests.harness.capture.test_capture import FRAMES, interface, packet, pcap, read, record, section

PCAP = pcap(records=b"".join(record(frame) for frame in FRAMES))
PCAPNG = section() + interface() + b"".join(packet(frame) for frame in FRAMES)


def compress(data: bytes, ending: str) -> bytes:
    """As ``-w`` does."""
    stream = io.BytesIO()
    with packed(stream, f"a.pcap{ending}") as inside:
        inside.write(data)
    return stream.getvalue()


@pytest.mark.parametrize("ending", [".gz", ".zst", ".GZ"])
@pytest.mark.parametrize("capture", [PCAP, PCAPNG], ids=["pcap", "pcapng"])
def test_what_is_compressed_is_read_by_its_content(capture, ending):
    plain, _ = read(capture)
    data = compress(capture, ending)
    assert data != capture and compress(capture, ending) == data
    for form in (data, data + bytes(512), compress(capture[:50], ending) + compress(capture[50:], ending)):
        frames, reader = read(form)
        assert (frames, reader.damage, reader.offset) == (plain, [], len(capture))
        assert reader.consumed == len(form)


@pytest.mark.parametrize(("tool", "ending"), [("gzip", ".gz"), ("zstd", ".zst")])
@pytest.mark.tools
def test_other_programs_compress_and_unpack_the_same(tmp_path, tool, ending):
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool} on this machine")
    theirs = subprocess.run([tool, "-c"], input=PCAP, stdout=subprocess.PIPE, check=True).stdout
    assert read(theirs)[0] == read(PCAP)[0]
    ours = compress(PCAP, ending)
    assert subprocess.run([tool, "-dc"], input=ours, stdout=subprocess.PIPE, check=True).stdout == PCAP


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_what_is_cut_off_or_has_garbage_behind_it_is_read_as_far_as_it_goes(ending):
    data = compress(PCAP, ending)
    for length in range(4, len(data)):
        frames, reader = read(data[:length])
        (damage,) = reader.damage
        assert "not whole" in damage.message and frames == read(PCAP)[0][: len(frames)]
    frames, reader = read(data + b"garbage!")
    assert frames == read(PCAP)[0]
    assert [damage.offset for damage in reader.damage] == [len(PCAP)] and "damaged" in reader.damage[0].message


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_what_unpacks_to_much_is_unpacked_in_portions(ending):
    """20 MB of frames: never more than some portions at once."""
    data = compress(pcap(records=record(bytes(65_000)) * 300), ending)
    assert len(data) < 200_000
    reader = CaptureReader(io.BytesIO(data), "large")
    tracemalloc.start()
    assert sum(len(frame.data) for frame in reader) == 19_500_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_compressed_with_nothing_inside_is_an_empty_capture():
    assert read(gzip.compress(b""))[0] == []
    with pytest.raises(UsageError, match="not a pcap or pcapng"):
        read(gzip.compress(b"GET / HTTP/1.1"))


def test_zstandard_without_its_package_is_one_line(monkeypatch):
    data = compress(PCAP, ".zst")
    for name in ("backports", "backports.zstd", "compression", "compression.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EnvironmentMissing, match="Zstandard.*not installed.*zstd"):
        read(data)
    with pytest.raises(EnvironmentMissing):
        compress(PCAP, ".zst")
    assert read(compress(PCAP, ".gz"))[0] == read(PCAP)[0]


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, and none now and then."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data, self._step = io.BytesIO(data), step

    def read(self, size=-1):
        return self._data.read(min(size, self._step))


FORMS = [PCAP, PCAPNG, *(compress(data, ending) for data in (PCAP, PCAPNG) for ending in (".gz", ".zst"))]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # of a machine that is busy
@given(
    form=st.sampled_from(FORMS),
    edits=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=8),
    cut=st.integers(0, 4000),
    step=st.integers(1, 5000),
)
@example(form=PCAP, edits=[], cut=4000, step=1)
def test_whatever_comes_is_frames_damage_or_one_line(form, edits, cut, step):
    """Bytes changed and cut off anywhere, and coming in pieces of any size."""
    data = bytearray(form)
    for at, value in edits:
        if at < len(data):
            data[at] = value
    reader = CaptureReader(Trickle(bytes(data[:cut]), step), "odd")
    try:
        frames = list(reader)
    except UsageError as error:
        assert "\n" not in str(error) and "odd" in str(error)
        return
    assert all(isinstance(frame, CapturedFrame) and frame.data for frame in frames)
    assert all("\n" not in str(damage) for damage in reader.damage)
    if not edits and cut >= len(form):
        assert (len(frames), reader.damage) == (len(FRAMES), [])
