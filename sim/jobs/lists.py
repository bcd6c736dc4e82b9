"""Lists of jobs: what ``make sim-all`` runs, one job for each lot of captures and each build."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from halfsilver.harness.errors import UsageError
from halfsilver.sim.farm import all_lots
from halfsilver.sim.jobs.job import PYTHON, Job
from halfsilver.sim.traffic.farm import BUILDS

__all__ = ["read_jobs", "sim_all"]

HOUR = 3600.0


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


def read_jobs(path: Path) -> list[Job]:
    """A file with one job a line, as JSON. UsageError for a line that is none, or if there is no job."""
    try:
        jobs: Iterable[Job] = [Job.from_json(line) for line in path.read_text().splitlines() if line.strip()]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    if not jobs:
        raise UsageError(f"{path} has no job: one line of JSON each, with name, words and seconds")
    return list(jobs)
