"""``--jobs``: several processes judge, and nobody can tell from what comes out."""

import contextlib
import gzip
import itertools
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapWriter

from halfsilver.harness.capture.writer import PcapngWriter
from halfsilver.harness.commands import judging
from halfsilver.harness.engines.jobs import Jobs
from halfsilver.harness.errors import EnvironmentMissing, UsageError
from tests.harness.commands.cli_kit import (
    FRAMES,
    ROUTER,
    WEB,
    files,
    mirror_it,
    run,
    start,
    write_capture,
    write_policy,
)

LOTS = 9


class Counting:
    """A judge of numbers: a lot of n has n frames, and is told its own number and that of its first frame."""

    def count(self, lot):
        self._lot = lot
        if lot.frames < 0:
            raise UsageError(f"lot of {lot.frames}")
        return lot.frames

    def judge(self, number, first):
        if self._lot.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return number, first, multiprocessing.parent_process() is None

    def close(self):
        pass


def lot(frames, *, waits=False, dies=False):
    return SimpleNamespace(frames=frames, waits=waits, dies=dies)


def counting(jobs, alone=1):
    return Jobs(Counting(), Counting, jobs, alone=alone)


@pytest.mark.slow
def test_lots_come_back_in_order_numbered_as_by_one():
    lots = [lot(number * 3 % 7, waits=number == 6) for number in range(LOTS)]
    firsts = [1, *itertools.accumulate((each.frames for each in lots[:-1]), initial=1)][1:]
    with counting(2) as jobs:
        judged = list(jobs.run(lots))
        assert len(multiprocessing.active_children()) == 2
    assert [part[:2] for part in judged] == list(enumerate(firsts))
    assert [number for number, _, here in judged if here] == [0, 6]  # the first one, and the one that waits
    assert not multiprocessing.active_children()


def test_one_process_and_a_short_capture_start_no_other():
    for jobs in (counting(1), counting(2, alone=LOTS)):
        with jobs:
            assert all(here for *_, here in jobs.run(lot(1) for _ in range(LOTS)))
            assert not multiprocessing.active_children()


@pytest.mark.slow
def test_no_more_is_read_ahead_than_twice_the_processes_and_nothing_is_held_back_where_a_stream_waits():
    asked = []
    given = []

    def stream():
        for number in range(LOTS):
            asked.append(number)
            assert len(asked) - len(given) <= 2 * 2 + 1
            yield lot(1, waits=number == 4)
            if number == 4:
                assert given == [0, 1, 2, 3, 4]

    with counting(2) as jobs:
        for number, *_ in jobs.run(stream()):
            given.append(number)
    assert given == list(range(LOTS))


@pytest.mark.slow
def test_a_process_that_dies_is_one_line_and_leaves_no_other():
    with (
        pytest.raises(EnvironmentMissing, match=r"^a process that judged frames ended with code -9; --jobs 1 .*$"),
        counting(2) as jobs,
    ):
        list(jobs.run(lot(1, dies=number == 3) for number in range(LOTS)))
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_an_error_comes_where_it_belongs():
    given = []
    with pytest.raises(UsageError, match="^lot of -5$"), counting(2) as jobs:
        for number, *_ in jobs.run(lot(-5 if at == 4 else 1) for at in range(LOTS)):
            given.append(number)
    assert given == [0, 1, 2, 3]


def small_lots(monkeypatch, records):
    monkeypatch.setattr(judging, "BATCH_FRAMES", records)
    monkeypatch.setattr(judging, "ALONE", 1)


def told(folder, capsys, name, jobs):
    """All that comes out of a run on one of the inputs: exit code, files, words."""
    reads, options = make_inputs(folder)[name]
    place = folder / "out"
    outputs = ["-w", place / "out.pcapng", "--verdicts", place / "out.jsonl", "--report", place]
    place.mkdir()
    code = run("mirror", "-r", *reads, "-c", write_policy(folder), "--jobs", str(jobs), *map(str, outputs), *options)
    written = {each.name: each.read_bytes() for each in place.iterdir()}
    shutil.rmtree(place)
    return code, written, capsys.readouterr()


def make_inputs(folder):
    """Captures of all kinds, by name: files to read, and options."""
    many = FRAMES * 9
    plain = write_capture(folder, many)
    later = write_capture(folder, many[3:], name="later.pcap")
    packed, ended, broken = folder / "in.pcap.gz", folder / "ended.pcap.gz", folder / "broken.pcap"
    packed.write_bytes(gzip.compress(Path(plain).read_bytes()))
    ended.write_bytes(packed.read_bytes()[:-30])
    broken.write_bytes(Path(plain).read_bytes()[:-5])
    other = folder / "in.pcapng"
    with other.open("wb") as stream:
        writer = PcapngWriter(stream)
        for number, frame in enumerate(many):
            writer.write(frame, number, *["halfsilver:dropped"][: number % 5 == 0])
    cut = folder / "cut.pcap"
    with RawPcapWriter(str(cut), linktype=1, nano=True) as writer:
        writer.write_header(None)
        for frame in many:
            writer.write_packet(frame[:50], sec=5, usec=5, caplen=len(frame[:50]), wirelen=len(frame))
    long_one = bytes(Ether(src=ROUTER, dst=WEB) / IP(src="10.0.9.9", dst="10.0.0.10") / TCP(dport=443) / bytes(9000))
    super_frames = write_capture(folder, [long_one, *FRAMES] * 4, name="super.pcap")
    inputs = {
        "plain": ([plain], ()),
        "pcapng": ([other], ()),
        "compressed": ([packed], ()),
        "cut-off": ([ended], ()),
        "damaged": ([broken], ()),
        "cut-frames": ([cut], ()),
        "several": ([plain, later, packed], ("--both-sides",)),
        "super-frames": ([super_frames], ("--segment",)),
        "tap": ([plain], ("--tap", "--json")),
    }
    return {name: (list(map(str, reads)), options) for name, (reads, options) in inputs.items()}


INPUTS = ["plain", "pcapng", "compressed", "cut-off", "damaged", "cut-frames", "several", "super-frames", "tap"]


@pytest.mark.parametrize("name", INPUTS)
def test_where_lots_end_is_seen_nowhere(tmp_path, capsys, monkeypatch, name):
    whole = told(tmp_path, capsys, name, 1)
    small_lots(monkeypatch, 5)
    assert told(tmp_path, capsys, name, 1) == whole
    assert whole[0] == (1 if name in ("cut-off", "damaged") else 0)
    assert set(whole[1]) == {"out.pcapng", "out.jsonl", "index.html"} and all(whole[1].values())
    if name == "plain":
        assert "copies: 18 in " in whole[2].out
    if name == "super-frames":
        assert ": 4 super-frames offered as 28 segments" in whole[2].err


@pytest.mark.slow
@pytest.mark.parametrize(("name", "jobs"), [("several", 2), ("several", 3), ("cut-off", 2), ("super-frames", 2)])
def test_what_comes_out_of_several_processes_is_the_same(tmp_path, capsys, monkeypatch, name, jobs):
    small_lots(monkeypatch, 20)
    assert told(tmp_path, capsys, name, jobs) == told(tmp_path, capsys, name, 1)


@pytest.mark.slow
def test_a_run_whose_process_is_killed_leaves_no_output(paths, capsys, monkeypatch):
    small_lots(monkeypatch, 1)
    take_in = judging._take_in

    def kill(*arguments):
        take_in(*arguments)
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)

    monkeypatch.setattr(judging, "_take_in", kill)
    before = files(paths[2])
    outputs = "-w", str(paths[2] / "out.pcapng"), "--verdicts", str(paths[2] / "out.jsonl")
    assert mirror_it(paths, "--jobs", "2", *outputs) == 3
    said = capsys.readouterr()
    assert not said.out and said.err.splitlines() == [
        "error: a process that judged frames ended with code -9; --jobs 1 needs no other one"
    ]
    assert files(paths[2]) == before
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_an_interrupt_is_one_line_and_ends_all_processes(tmp_path):
    capture = write_capture(tmp_path, FRAMES * 8000)
    policy = write_policy(tmp_path)
    before = files(tmp_path)
    run = start(
        "mirror", "-r", capture, "-c", policy, "-w", str(tmp_path / "out.pcapng"), "--jobs", "2", start_new_session=True
    )
    while not (workers := workers_of(run.pid)) and run.poll() is None:
        time.sleep(0.001)
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out, err) == (130, b"", b"interrupted\n")
    assert files(tmp_path) == before
    assert workers and not any(Path(f"/proc/{worker}").exists() for worker in workers)


def workers_of(process):
    """The processes that judge for this one."""
    found = []
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        with contextlib.suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--jobs", "0"), "argument --jobs: 0 processes judge nothing; 1 or more"),
        (("--jobs", "two"), "argument --jobs: 'two' is not a whole number; 1 or more"),
        (("--jobs", "2", "--engine", "virtual"), "--jobs is for --engine golden or verilator; virtual is only one"),
        (
            ("--jobs", "2", "--engine", "verilator", "--full-rate"),
            "--full-rate has one process, in which the queues go on from frame to frame; leave out --jobs",
        ),
    ],
)
def test_what_cannot_be_is_refused(paths, capsys, options, message):
    before = files(paths[2])
    assert mirror_it(paths, *options) == 2
    assert message in capsys.readouterr().err
    assert files(paths[2]) == before
