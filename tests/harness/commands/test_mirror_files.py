"""``halfsilver mirror`` and files: what it reads, in which format it writes, files that appear whole or not at all."""

import io
import itertools
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import time
import zlib
from pathlib import Path

import pytest
from scapy.utils import RawPcapReader

from halfsilver.harness.capture.reader import CaptureReader
from halfsilver.harness.capture.writer import PcapngWriter
from halfsilver.harness.output import atomic_output
from tests.harness.commands.cli_kit import (
    FRAMES,
    START,
    files,
    mirror_it,
    read_copies,
    run,
    start,
    write_capture,
    write_policy,
)


@pytest.mark.parametrize("name", ["out.pcap", "OUT.PCAP"])
def test_a_pcap_is_written_where_the_name_says_so(paths, capsys, name):
    """scapy's reader of pcap takes it; the same copies at the same nanoseconds, without comments."""
    assert mirror_it(paths, "-w", str(paths[2] / name)) == 0
    assert "pcap has no comments" in capsys.readouterr().err
    assert mirror_it(paths, "-w", str(paths[2] / "out.pcapng")) == 0
    assert "no comments" not in capsys.readouterr().err
    commented = read_copies((paths[2] / "out.pcapng").read_bytes())
    with RawPcapReader(str(paths[2] / name)) as reader:
        assert reader.nano and reader.linktype == 1
        plain = [(data, about.sec * 10**9 + about.usec, about.wirelen) for data, about in reader]
    assert plain == [(bytes(copy), int(copy.time * 10**9), len(copy)) for copy in commented]
    assert run("diff", str(paths[2] / name), str(paths[2] / "out.pcapng")) == 0


@pytest.mark.parametrize("name", ["out.cap", "out.pcapgn", "out.pcap.bz2", "out.gz", "out.cap.zst", "out.json"])
def test_a_capture_of_another_name_is_refused(paths, capsys, name):
    assert mirror_it(paths, "-w", str(paths[2] / name)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{name}: captures are written as .pcapng or .pcap" in line
    assert not (paths[2] / name).exists()


def test_a_time_that_a_pcap_cannot_hold(paths, capsys):
    """2^32 seconds after 1970: the copy is refused, and no file is left."""
    late = paths[2] / "late.pcapng"
    with late.open("wb") as stream:
        writer = PcapngWriter(stream)
        writer.write(FRAMES[0], (1 << 32) * 10**9)
    assert run("mirror", "-r", str(late), "-c", paths[1], "-w", str(paths[2] / "out.pcap")) == 2
    assert "after 2106" in capsys.readouterr().err and not (paths[2] / "out.pcap").exists()
    assert run("mirror", "-r", str(late), "-c", paths[1], "-w", str(paths[2] / "out.pcapng")) == 0


def test_standard_input_and_output(paths):
    with open(paths[0], "rb") as capture:
        process = start("mirror", "-r", "-", "-c", paths[1], "-w", "-", stdin=capture)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(read_copies(out)) == 2
    assert b"conserved" in errors


def await_copies(process, came: bytearray, count: int) -> None:
    """Reads on until ``came`` has so many whole copies; the limit is for a process that never writes them."""
    while sum(1 for _ in CaptureReader(io.BytesIO(came), "so far")) < count:
        assert select.select([process.stdout], [], [], 60)[0], "no copy came"
        more = os.read(process.stdout.fileno(), 1 << 16)
        assert more, "the output has ended"
        came += more


@pytest.mark.parametrize("kind", ["pcap", "gz"])
def test_copies_come_out_while_frames_still_come_in(paths, kind):
    """What is written next depends on the copies of what was written before: nothing may be held back.

    The pieces end within a frame, so that what came whole before it must not wait for its rest.
    """
    capture = Path(paths[0]).read_bytes()
    head, second, third = 24 + 16 + 254, 16 + 54, 16 + 42
    cuts = (0, head + 5, head + second + 20, len(capture))
    assert cuts[2] < head + second + third
    zipper = zlib.compressobj(wbits=31)
    process = start("mirror", "-r", "-", "-c", paths[1], "-w", "-", bufsize=0)
    came = bytearray()
    for copies, (begin, end) in zip((1, 2, 2), itertools.pairwise(cuts), strict=True):
        piece = capture[begin:end]
        if kind == "gz":
            piece = zipper.compress(piece) + zipper.flush(zlib.Z_SYNC_FLUSH)
        process.stdin.write(piece)
        await_copies(process, came, copies)
        assert process.poll() is None
    rest, errors = process.communicate(zipper.flush() if kind == "gz" else b"", timeout=60)
    assert process.returncode == 0 and b"offered 7" in errors
    assert len(read_copies(bytes(came) + rest)) == 2


def test_damaged_capture_is_used_up_to_the_damage(paths, capsys):
    with open(paths[0], "r+b") as capture:
        capture.truncate(24 + 16 + 254 + 16 + 54 + 16 + 3)  # third frame: 3 of its 42 bytes
    out = paths[2] / "out.pcapng"
    assert mirror_it(paths, "-w", str(out), "--json") == 1
    output = capsys.readouterr()
    assert json.loads(output.out)["verdicts"] == {"mirrored": 2}
    assert f"byte offset {24 + 16 + 254 + 16 + 54}: the file ends inside frame 3" in output.err
    assert len(read_copies(out.read_bytes())) == 2


def test_frames_captured_short_are_counted(paths, capsys):
    capture = Path(paths[0])
    data = bytearray(capture.read_bytes())
    data[24 + 12 : 24 + 16] = (1500).to_bytes(4, "little")  # length on the wire of frame 1
    capture.write_bytes(data)
    assert mirror_it(paths) == 0
    assert "1 frame captured with fewer bytes" in capsys.readouterr().err


def test_other_link_type_is_a_clear_error(paths, capsys):
    path = write_capture(paths[2], name="air.pcap", link=105)
    assert run("mirror", "-r", path, "-c", paths[1]) == 2
    assert "link type 105 (IEEE802_11)" in capsys.readouterr().err


def test_a_symbolic_link_to_the_input_is_not_overwritten(paths):
    link = paths[2] / "link.pcap"
    link.symlink_to(paths[0])
    assert mirror_it(paths, "-w", str(link)) == 2


def test_ctrl_c_while_waiting_for_input(paths):
    process = start("mirror", "-r", "-", "-c", paths[1], "-w", str(paths[2] / "out.pcapng"))
    before = {"in.pcap", "mirror.json"}
    deadline = time.monotonic() + 30
    while set(files(paths[2])) == before and time.monotonic() < deadline:
        time.sleep(0.05)  # until it has opened its output
    assert set(files(paths[2])) != before
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.strip()) == (130, b"interrupted")
    assert set(files(paths[2])) == before


def test_ctrl_c_ends_a_stream_and_what_came_is_written(paths):
    """The last frame has come in part; the writer goes on, and its end stays open."""
    out, lines = paths[2] / "out.pcapng", paths[2] / "v.jsonl"
    outputs = ("-w", str(out), "--verdicts", str(lines))
    process = start("mirror", "-r", "-", "-c", paths[1], *outputs, bufsize=0)
    process.stdin.write(Path(paths[0]).read_bytes()[:-5])
    deadline = time.monotonic() + 30
    while not any(part.stat().st_size > 300 for part in paths[2].glob(".v.jsonl*")) and time.monotonic() < deadline:
        time.sleep(0.05)  # until it has judged them
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    output, errors = process.stdout.read(), process.stderr.read()
    assert b"offered 6" in output and b"interrupted: the input ends here" in errors
    assert (len(lines.read_text().splitlines()), len(read_copies(out.read_bytes()))) == (6, 2)
    process.stdin.close()


def test_a_writer_that_ends_with_it_is_read_to_its_end(paths):
    """As tcpdump, which writes what it holds when it is interrupted."""
    process = start("mirror", "-r", "-", "-c", paths[1], "--verdicts", str(paths[2] / "v.jsonl"), bufsize=0)
    capture = Path(paths[0]).read_bytes()
    process.stdin.write(capture[:300])
    deadline = time.monotonic() + 30
    while not any(part.stat().st_size for part in paths[2].glob(".v.jsonl*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(capture[300:], timeout=30)
    assert process.returncode == 130 and b"offered 7" in output and b"damaged" not in errors


@pytest.mark.parametrize("full", ["-w", "--verdicts"])
def test_a_full_disk_is_said_with_the_name_of_the_file(paths, capsys, full):
    """/dev/full takes nothing; the other file is as it was."""
    other = {"-w": "--verdicts", "--verdicts": "-w"}[full]
    assert mirror_it(paths, full, "/dev/full", other, str(paths[2] / "other.pcapng")) == 3
    assert capsys.readouterr().err.splitlines()[-1] == "error: /dev/full: No space left on device"
    assert set(files(paths[2])) == {"in.pcap", "mirror.json"}


def test_a_file_that_cannot_be_finished_is_named(tmp_path):
    """Not by the name it has until then."""
    path, limits = str(tmp_path / "out"), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="too large") as raised, atomic_output(path) as stream:
            stream.write(b"x")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert raised.value.filename == path and not files(tmp_path)


def test_reader_of_the_pipe_goes_away(tmp_path):
    capture = write_capture(tmp_path, FRAMES[:2] * 5000)
    process = start("mirror", "-r", capture, "-c", write_policy(tmp_path), "-w", "-")
    process.stdout.read(100)
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(timeout=60) == 141
    assert errors == b""


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is missing (apt install tshark)")
@pytest.mark.parametrize("name", ["out.pcapng", "out.pcapng.gz", "out.pcap.zst"])
def test_wireshark_reads_what_is_written(paths, name):
    """The copies, and in a pcapng why they are there; also when they come out of standard output."""
    out = paths[2] / name
    assert mirror_it(paths, "-w", str(out)) == 0
    fields = ["-T", "fields", "-e", "frame.len", "-e", "vxlan.vni", "-e", "frame.comment"]
    command = ["tshark", "-n", "-r", str(out), *fields]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    assert [line.split("\t")[:2] for line in found] == [["150", "42"], ["104", "42"]]
    if "pcapng" in name:
        assert "mirrored by rule 20, session 1, 100 of 254 bytes" in found[0] and '"verdict": "mirrored"' in found[0]


def test_frames_without_ethernet_are_mirrored_by_their_addresses(paths, capsys):
    """The same verdicts as with their headers; that they were given some is said once."""
    assert mirror_it(paths, "--json") == 0
    verdicts = json.loads(capsys.readouterr().out)["verdicts"]
    raw = write_capture(paths[2], [frame[14:] for frame in FRAMES[:3]], name="raw.pcap", link=101)
    out = str(paths[2] / "out.pcapng")
    assert run("mirror", "-r", raw, "-c", paths[1], "-w", out, "--json") == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["verdicts"] == {"mirrored": verdicts["mirrored"], "rejected": 1}
    (line,) = output.err.splitlines()
    assert "3 frames without Ethernet header (RAW) got one" in line
    inner = [bytes(copy)[50:] for copy in read_copies(Path(out).read_bytes())]
    assert [data[14:] for data in inner] == [FRAMES[0][14:100], FRAMES[1][14:]]
    assert run("explain", "-r", raw, "-c", paths[1], "-n", "2") == 0
    assert "egress" in capsys.readouterr().out


def test_several_captures_are_one_run(paths, capsys):
    """A folder is what is in it, and an output in it is not read again."""
    folder = paths[2] / "captures"
    folder.mkdir()
    for number, frame in enumerate(FRAMES):
        write_capture(folder, [frame], name=f"{len(FRAMES) - number}.pcap", start=START + number)
    (folder / "README").write_text("where these come from")
    assert mirror_it(paths, "--json") == 0
    verdicts = json.loads(capsys.readouterr().out)["verdicts"]
    assert run("mirror", "-r", str(folder), "-c", paths[1], "-w", str(folder / "out.pcap"), "--json") == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["verdicts"] == verdicts and "1 file left out, not a capture" in output.err
    assert run("mirror", "-r", str(folder), "-c", paths[1], "-w", str(folder / "out.pcap")) == 2
    assert "is the file that -r reads" in capsys.readouterr().err
    each = [str(folder / f"{number}.pcap") for number in range(1, 8)]
    assert run("mirror", "-r", *each[:3], "-c", paths[1], "-r", *each[3:], "--json") == 0
    assert json.loads(capsys.readouterr().out)["verdicts"] == verdicts
    assert run("explain", "-r", *each, "-c", paths[1], "-n", "3") == 0
    assert "rejected" in capsys.readouterr().out
