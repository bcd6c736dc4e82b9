"""``--jobs``: several processes judge, and nobody can tell from what comes out."""

import contextlib
import multiprocessing
import os
import signal

import pytest

from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.engines.jobs import GoldenJobs, Lot
from halfsilver.harness.errors import EnvironmentMissing
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS, Frame
from halfsilver.harness.verdict import Direction
from tests.harness.commands.cli_kit import FRAMES, files, mirror_it

LOTS = 7


@pytest.fixture
def policy(paths):
    return Policy.load(paths[1])


def lots():
    """All kinds of frames in both directions, some marked."""
    for number in range(LOTS):
        frames = [
            Frame(data, Direction((at + number) % 2), bad=at % 11 == 10, dropped=at % 5 == 4)
            for at, data in enumerate(FRAMES * (number + 1))
        ]
        yield Lot(number, frames, waits=number == 4)


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_several_judge_as_one_does(policy, jobs):
    alone = GoldenEngine()
    alone.configure(policy)
    with GoldenJobs(policy, DEFAULT_FLAGS, jobs, alone=1) as together:
        judged = list(together.judge(lots()))
    assert [lot.origin for lot, _ in judged] == list(range(LOTS))
    for lot, result in judged:
        assert result == alone.process(lot.frames)


def test_what_is_written_is_the_same(paths, capsys, monkeypatch):
    monkeypatch.setattr("halfsilver.harness.commands.frames.BATCH_FRAMES", 2)
    monkeypatch.setattr("halfsilver.harness.commands.judging.ALONE", 1)
    told = []
    for jobs in ("1", "2"):
        outputs = "-w", str(paths[2] / f"{jobs}.pcapng"), "--verdicts", str(paths[2] / f"{jobs}.jsonl")
        assert mirror_it(paths, "--jobs", jobs, "--json", *outputs) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    for ending in ("pcapng", "jsonl"):
        assert (paths[2] / f"1.{ending}").read_bytes() == (paths[2] / f"2.{ending}").read_bytes()


def test_a_short_capture_starts_no_process_and_a_pause_holds_nothing_back(policy):
    with GoldenJobs(policy, DEFAULT_FLAGS, 2, alone=1) as jobs:
        judging = jobs.judge(lots())
        next(judging)
        assert not multiprocessing.active_children()
        seen = [lot.origin for lot, _ in judging]
    assert seen == list(range(1, LOTS))
    assert not multiprocessing.active_children()


def test_results_come_before_a_stream_is_waited_for(policy):
    """Lot 4 is followed by nothing for now: all five are out before another one is asked for."""
    asked = []
    given = []

    def stream():
        for lot in lots():
            asked.append(lot.origin)
            if lot.origin == 5:
                assert given == [0, 1, 2, 3, 4]
            yield lot

    with GoldenJobs(policy, DEFAULT_FLAGS, 2, alone=1) as jobs:
        for lot, _ in jobs.judge(stream()):
            given.append(lot.origin)
            assert len(asked) - len(given) <= 2  # no more is read ahead than there are processes
    assert given == list(range(LOTS))


def test_a_process_that_dies_is_one_line_and_leaves_no_other(policy):
    with (
        pytest.raises(EnvironmentMissing, match=r"^a process that judged frames ended with code -9; --jobs 1 .*$"),
        GoldenJobs(policy, DEFAULT_FLAGS, 2, alone=1) as jobs,
    ):
        for _ in jobs.judge(lots()):
            for child in multiprocessing.active_children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--jobs", "0"), "argument --jobs: 0 processes judge nothing; 1 or more"),
        (("--jobs", "two"), "argument --jobs: 'two' is not a whole number; 1 or more"),
        (("--jobs", "2", "--engine", "verilator"), "--jobs is for --engine golden; verilator has one process"),
    ],
)
def test_what_cannot_be_is_refused(paths, capsys, options, message):
    before = files(paths[2])
    assert mirror_it(paths, *options) == 2
    assert message in capsys.readouterr().err
    assert files(paths[2]) == before
