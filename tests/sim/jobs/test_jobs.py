"""The farm: a job's limits, answers on disk, and a list of jobs that is done although a worker is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import pytest

from halfsilver.harness.errors import UsageError
from halfsilver.sim.jobs.job import DONE, FAILED, LATE, SOURCES, Answer, Job, run_job
from halfsilver.sim.jobs.lists import faults, mutants, sim_all, suites
from halfsilver.sim.jobs.records import Answers
from halfsilver.sim.lots import CAPTURES, captures
from halfsilver.sim.mutation.by_hand.faults import FAULTS
from halfsilver.sim.mutation.mutants import answered, part_of
from halfsilver.sim.mutation.records import CAUGHT, SURVIVED, Record, Records
from halfsilver.sim.mutation.regression import WIDTHS
from halfsilver.sim.places import version_of
from halfsilver.sim.traffic.farm import BUILDS

VERSION = version_of(SOURCES)
TIMEOUT = 120
WAIT = 60
"""Seconds for a process to come up, or for a job to begin."""


def python(text, name="it", seconds=30.0, **resources):
    return Job(name, ("python", "-c", text), seconds, resources)


def test_a_job_runs_in_a_folder_of_its_own(tmp_path):
    job = python("import os; os.mkdir('build'); open('build/farm.json', 'w').write('{\"a\": 1}'); print(os.getcwd())")
    first, second = (run_job(job, VERSION, str(tmp_path)) for _ in range(2))
    assert (first.result, first.status, first.report) == (DONE, 0, {"a": 1})
    assert first.output != second.output and str(tmp_path) in first.output


def test_a_worker_with_other_sources_runs_nothing(tmp_path):
    ran = tmp_path / "ran"
    answer = run_job(noting(ran, "it"), "another", str(tmp_path))
    assert answer.result == FAILED and "other sources" in answer.output and not ran.exists()


def test_a_job_that_fails(tmp_path):
    answer = run_job(python("print('why'); raise SystemExit(3)"), VERSION, str(tmp_path))
    assert (answer.result, answer.status, answer.output, answer.report) == (FAILED, 3, "why\n", None)


def test_a_job_out_of_time_ends_with_all_it_started(tmp_path):
    child = "import time; time.sleep(60)"
    words = (
        f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {child!r}]).pid, flush=True); {child}"
    )
    answer = run_job(python(words, seconds=1.0), VERSION, str(tmp_path))
    assert (answer.result, answer.status) == (LATE, None) and answer.seconds < 20
    end = time.monotonic() + 10
    while os.path.exists(f"/proc/{int(answer.output)}") and time.monotonic() < end:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{int(answer.output)}")


def test_answers_go_on_and_merge(tmp_path):
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    done = run_job(python("pass"), VERSION, str(tmp_path / "jobs"))
    done = replace(done, key="a")
    failed = replace(done, key="b", result=FAILED)
    first, second = Answers(one), Answers(other)
    first.add(done)
    first.add(failed)
    second.add(replace(failed, key="b", result=DONE))
    second.add(replace(failed, key="a"))
    with one.open("a") as file:
        file.write('{"key": "c", "na')  # a run that was killed while it wrote
    again = Answers(one)
    assert again.is_done("a") and not again.is_done("b") and again.of("c") is None
    again.merge(other)
    assert again.is_done("a") and again.is_done("b")


@pytest.mark.parametrize(
    "line", ["", "7", "{}", '{"name": "a", "words": ["b"], "seconds": 1, "second": 2}', '{"name": "a"}']
)
def test_what_is_no_job_is_refused(line):
    with pytest.raises(UsageError, match="name, resources, seconds, words"):
        Job.from_json(line)


def test_a_key_is_of_command_and_sources():
    job = python("pass")
    assert job.key("1") == replace(job, name="other", seconds=1.0).key("1")
    assert len({job.key("1"), job.key("2"), python("pass ").key("1")}) == 3


@pytest.fixture
def start(tmp_path):
    """Start a process that ends with the test."""
    started = []

    def run(*words, **options):
        process = subprocess.Popen(words, cwd=tmp_path, text=True, start_new_session=True, **options)
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(TIMEOUT)


def farm(start, *words):
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return start(sys.executable, "-m", "halfsilver.sim.jobs", *map(str, words), **quiet)


def wait_for(what):
    end = time.monotonic() + WAIT
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def write_jobs(path, jobs):
    lines = [{"name": job.name, "words": job.words, "seconds": job.seconds, "resources": job.resources} for job in jobs]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def farm_of_two(start, tmp_path):
    """A scheduler, which gives a job up at once when it loses its worker, and two workers; the second has a board."""

    def make():
        place = tmp_path / "scheduler.json"
        words = ("--port", "0", "--no-dashboard", "--scheduler-file", place)
        setting = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
        start(sys.executable, "-m", "distributed.cli.dask_scheduler", *words, env=os.environ | setting)
        scheduler = json.loads(wait_for(lambda: place.exists() and place.read_text()))["address"]
        worker = (sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--nthreads", "1", "--no-dashboard")
        return scheduler, start(*worker, "--no-nanny"), start(*worker, "--no-nanny", "--resources", "board-a=1")

    return make()


def test_one_of_two_workers_is_killed_in_the_middle_of_a_job(start, farm_of_two, tmp_path):
    """Its job is run again by the other; a board's jobs are only where the board is."""
    scheduler, victim, keeper = farm_of_two
    ran = tmp_path / "ran"
    jobs = [noting(ran, f"job {number}") for number in range(4)]
    jobs += [replace(noting(ran, f"board {number}"), resources={"board-a": 1}) for number in range(2)]
    write_jobs(tmp_path / "list.jsonl", jobs)
    run = farm(start, "--scheduler", scheduler, "--list", "list.jsonl", "--records", "answers.jsonl")

    wait_for(lambda: any(process == victim.pid for _, process in read_runs(ran)))
    os.killpg(victim.pid, signal.SIGKILL)
    shown, _ = run.communicate(timeout=TIMEOUT)
    assert run.returncode == 0 and "6 done" in shown, shown
    runs = read_runs(ran)
    names = [name for name, _ in runs]
    assert set(names) == {job.name for job in jobs} and len(names) == len(jobs) + 1
    twice = next(name for name in names if names.count(name) == 2)
    assert [process for name, process in runs if name == twice] == [victim.pid, keeper.pid]
    assert {process for name, process in runs if name.startswith("board")} == {keeper.pid}


def test_a_job_that_ends_its_workers_is_lost_and_the_others_are_not(start, tmp_path):
    write_jobs(
        tmp_path / "list.jsonl",
        [python("import os; os.kill(os.getppid(), 9)", "bad"), *(python(f"print({n})", f"good {n}") for n in range(3))],
    )
    run = farm(start, "--list", "list.jsonl", "--records", "answers.jsonl")
    shown, _ = run.communicate(timeout=TIMEOUT)
    assert run.returncode == 1 and "LOST bad: python -c import os" in shown
    assert "3 done" in shown and "1 lost" in shown


def noting(ran, name):
    """A job that takes a second, and notes its name and its worker's process in a file when it begins."""
    return python(
        f"import os, time; ran = open({str(ran)!r}, 'a');"
        f"print({name!r}, os.getppid(), sep=',', file=ran, flush=True); time.sleep(1)",
        name,
    )


def read_runs(ran):
    lines = ran.read_text().splitlines() if ran.exists() else []
    return [(name, int(process)) for name, process in (line.split(",") for line in lines if line.count(",") == 1)]


def test_a_run_goes_on_where_it_was(start, tmp_path):
    """On workers of its own. What failed is shown and run again; what is done is not."""
    gate = tmp_path / "gate"
    ran = tmp_path / "ran"
    write_jobs(
        tmp_path / "list.jsonl",
        [noting(ran, "one"), python(f"import os; print('shut'); assert os.path.exists({str(gate)!r})", "two")],
    )
    words = ("--list", "list.jsonl", "--records", "answers.jsonl")
    first = farm(start, *words)
    shown, _ = first.communicate(timeout=TIMEOUT)
    assert first.returncode == 1 and "FAILED two" in shown and "shut" in shown
    gate.touch()
    second = farm(start, *words)
    shown, _ = second.communicate(timeout=TIMEOUT)
    assert second.returncode == 0 and "2 jobs, 1 of them done before" in shown
    assert [name for name, _ in read_runs(ran)] == ["one"]


def test_the_packet_suite_as_jobs(start, tmp_path):
    """It runs anywhere, and a board's only where that board is."""
    versa, golden = suites(["board:versa", "golden"])
    assert versa.resources == {"board-versa": 1} and golden.resources == {}
    run = farm(start, "--workers", "1", "--suite", "golden", "--records", "answers.jsonl")
    shown, _ = run.communicate(timeout=TIMEOUT)
    assert run.returncode == 0 and "1 done" in shown, shown
    (answer,) = Answers(tmp_path / "answers.jsonl").all()
    assert re.search(r"1\d\d passed, \d+ skipped", answer.output)
    report = Path(answer.where.partition(":")[2], "report.xml").read_text()
    assert 'name="halfsilver.engine.golden"' in report


def test_no_scheduler_is_said_in_one_line(start, tmp_path):
    write_jobs(tmp_path / "list.jsonl", [python("pass")])
    run = farm(start, "--scheduler", "tcp://127.0.0.1:9", "--list", "list.jsonl")
    shown, _ = run.communicate(timeout=TIMEOUT)
    assert run.returncode == 3 and "error: no Dask scheduler at tcp://127.0.0.1:9" in shown
    assert "Traceback" not in shown


def test_the_lists_of_mutants():
    """Each mutant and each fault is in one job."""
    jobs = mutants(7, None)
    parts = [(job.words[job.words.index("--width") + 1], job.words[job.words.index("--part") + 1]) for job in jobs]
    assert sorted(parts) == sorted((width, f"{part}/4") for width in WIDTHS for part in range(1, 5))
    drawn = list(range(334))
    assert sorted(number for _, part in parts[:4] for number in part_of(drawn, part)) == drawn
    assert [job.words[-2:] for job in mutants(7, 9)] == [("--sample", "3")] * 3
    named = [word for job in faults(7) for before, word in pairwise(job.words) if before == "--only"]
    assert sorted(named) == sorted(fault.name for fault in FAULTS)


def test_what_the_farm_found_of_mutants_is_taken_in(tmp_path):
    """Of the list's mutants, by all jobs; once, and one that is settled stays so."""
    records = [Record(key, "pump", result, "", "1") for key, result in (("a", CAUGHT), ("b", SURVIVED), ("z", CAUGHT))]
    answers = Answers(tmp_path / "answers.jsonl")
    for number, record in enumerate(records):
        answers.add(Answer(str(number), "job", DONE, 0, 1.0, "here", "", {"records": [asdict(record)]}))
    known = Records(tmp_path / "records.jsonl")
    known.add(replace(records[1], result=CAUGHT, by="ours"))
    known.merge(answered(tmp_path / "answers.jsonl", {"a", "b"}))
    assert {record.key: record.by for record in known.about({"a", "b", "z"})} == {"a": "", "b": "ours"}
    known.merge(answered(tmp_path / "answers.jsonl", {"a", "b"}))
    assert len((tmp_path / "records.jsonl").read_text().splitlines()) == 2
    with pytest.raises(UsageError, match="has no answer about a mutant of this list"):
        answered(tmp_path / "answers.jsonl", {"c"})


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "1/", "/2", "a/b", "1/2/3"])
def test_what_is_no_part_is_refused(part):
    with pytest.raises(UsageError, match="must be K/N"):
        part_of([], part)


def test_the_list_of_sim_all(tmp_path):
    """Every capture on both builds, at both rates, and every build of random traffic."""
    if CAPTURES is None or not CAPTURES.is_dir():
        pytest.skip(f"no captures in {CAPTURES}")
    jobs = sim_all(7, 20, 300)
    assert len(jobs) == 4 * len(captures()) + len(BUILDS) == len({job.key("") for job in jobs})
    assert all(job.words[-2:] == ("--seed", "7") or "--full-rate" in job.words for job in jobs)
