"""Lists of jobs: what ``make sim-all`` and ``make mutants`` run, and the packet suite on engines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from pathlib import Path

from halfsilver.harness.engines.registry import BOARD, entry_of
from halfsilver.harness.errors import UsageError
from halfsilver.sim.farm import all_lots
from halfsilver.sim.jobs.job import PYTHON, Job
from halfsilver.sim.mutation.by_hand.faults import FAULTS
from halfsilver.sim.mutation.mutants import DRAWN
from halfsilver.sim.mutation.regression import WIDTHS
from halfsilver.sim.traffic.farm import BUILDS

__all__ = ["faults", "mutants", "read_jobs", "sim_all", "suites"]

HOUR = 3600.0
MUTANTS_PER_JOB, FAULTS_PER_JOB = 84, 8
CONFORMANCE = ("-m", "pytest", "--pyargs", "halfsilver.harness.suite.conformance", "--import-mode=importlib")


def sim_all(seed: int, policies: int, situations: int) -> list[Job]:
    """Every capture on both builds, also at full rate, and random traffic on every build."""
    jobs = []
    for lot in all_lots(policies):
        words = [PYTHON, "-m", "halfsilver.sim.farm", "--capture", lot.capture, "--enis", str(lot.enis)]
        words += ["--policies", str(lot.policies), "--seed", str(seed), *(["--full-rate"] if lot.full_rate else [])]
        jobs.append(Job(str(lot), tuple(words), HOUR))
    for build in BUILDS:
        words = [PYTHON, "-m", "halfsilver.sim.traffic.farm", "--build", build]
        words += ["--situations", str(situations), "--seed", str(seed)]
        jobs.append(Job(f"traffic, {build}", tuple(words), 2 * HOUR))
    return jobs


def mutants(seed: int, sample: int | None) -> list[Job]:
    """The mutants of the netlist, so many of each build in a job; each compiles a model of its own."""
    of_each = ceil((sample or DRAWN) / len(WIDTHS))
    parts = ceil(of_each / MUTANTS_PER_JOB)
    program = (PYTHON, "-m", "halfsilver.sim.mutation.mutants", "-j", "1", "--seed", str(seed))
    some = () if sample is None else ("--sample", str(of_each))
    return [
        Job(f"mutants, {width} bit, {part}", (*program, "--width", width, "--part", part, *some), 12 * HOUR)
        for width in WIDTHS
        for part in (f"{number}/{parts}" for number in range(1, parts + 1))
    ]


def faults(seed: int) -> list[Job]:
    """The faults planted by hand, some of one build in a job, as each job begins with a control run of that."""
    jobs = []
    for build in dict.fromkeys(fault.build for fault in FAULTS):
        names = [fault.name for fault in FAULTS if fault.build == build]
        for start in range(0, len(names), FAULTS_PER_JOB):
            words = [PYTHON, "-m", "halfsilver.sim.mutation.mutants", "--list", "hand", "-j", "1", "--seed", str(seed)]
            for name in names[start : start + FAULTS_PER_JOB]:
                words += ["--only", name]
            jobs.append(Job(f"faults, {build}, from {names[start]}", tuple(words), 4 * HOUR))
    return jobs


def suites(engines: Sequence[str]) -> list[Job]:
    """The packet suite on each engine, with a JUnit report; a board's where that board is (``board-NAME``)."""
    jobs = []
    for name in engines:
        entry_of(name)  # refuses one that is none
        words = (PYTHON, *CONFORMANCE, "-p", "no:cacheprovider", "--junitxml", "report.xml", "--hil-engine", name)
        board = {f"board-{name.removeprefix(BOARD)}": 1.0} if name.startswith(BOARD) else {}
        jobs.append(Job(f"suite, {name}", words, 4 * HOUR, board))
    return jobs


def read_jobs(path: Path) -> list[Job]:
    """A file with one job a line, as JSON. UsageError for a line that is none, or if there is no job."""
    try:
        jobs: Iterable[Job] = [Job.from_json(line) for line in path.read_text().splitlines() if line.strip()]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    if not jobs:
        raise UsageError(f"{path} has no job: one line of JSON each, with name, words and seconds")
    return list(jobs)
