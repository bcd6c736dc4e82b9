"""``python -m halfsilver.sim.jobs``: a list of jobs on a Dask scheduler, on another run's answers if there are any."""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from halfsilver.harness.arguments import Parser
from halfsilver.harness.commands.common import say
from halfsilver.harness.errors import EXIT_INTERRUPTED, EXIT_MISMATCH, EXIT_OK, HalfsilverError
from halfsilver.harness.installation import refuse_without
from halfsilver.sim.farm import EXPECTED, SEEDS
from halfsilver.sim.jobs.job import DONE, SOURCES, Job
from halfsilver.sim.jobs.lists import faults, mutants, read_jobs, sim_all, suites
from halfsilver.sim.jobs.records import Answers
from halfsilver.sim.places import BUILD, version_of

refuse_without("farm", "dask", "distributed")

from halfsilver.harness.engines.cluster import LOCAL, connect  # noqa: E402
from halfsilver.sim.jobs.cluster import answers  # noqa: E402

__all__ = ["main"]

SIM_ALL, MACHINE, HAND = LISTS = ("sim-all", "machine", "hand")
"""The latter two are the lists of ``make mutants``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: all jobs done, and sim-all saw every verdict; 1: not."""
    parser = Parser(prog="python -m halfsilver.sim.jobs", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--scheduler", default=LOCAL, metavar="tcp://HOST:PORT", help="default: one of this machine's own"
    )
    parser.add_argument("--workers", type=int, default=2, help="of this machine's own (default: %(default)s)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--of",
        choices=LISTS,
        default=SIM_ALL,
        help="what is run: as make sim-all, or as make mutants (default: %(default)s)",
    )
    which.add_argument(
        "--suite", action="append", metavar="ENGINE", help="the packet suite on this engine; may be given again"
    )
    which.add_argument("--list", type=Path, metavar="FILE", help="jobs of your own, one line of JSON each")
    parser.add_argument("--records", type=Path, default=BUILD / "jobs.jsonl", help="answers so far, and those to come")
    parser.add_argument("--merge", type=Path, action="append", default=[], metavar="FILE", help="answers of other runs")
    parser.add_argument("--policies", type=int, default=20, help="per capture and build (default: %(default)s)")
    parser.add_argument("--situations", type=int, default=300, help="per build (default: %(default)s)")
    parser.add_argument("--sample", type=int, help="of the mutants drawn by machine: the first so many; default: all")
    parser.add_argument("--seed", type=int, help="default: a new one for sim-all, 1 for mutants")
    options = parser.parse_args(arguments)
    if min(options.workers, options.policies, options.situations) < 1:
        parser.error("--workers, --policies and --situations must be at least 1")
    if options.sample is not None and options.of != MACHINE:
        parser.error("--sample is for --of machine")
    try:
        return _run(options)
    except HalfsilverError as error:
        say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    listed = _listed(options)
    version = version_of(SOURCES)
    jobs = {job.key(version): job for job in listed}
    records = Answers(options.records)
    for path in options.merge:
        records.merge(path)
    waiting = {key: job for key, job in jobs.items() if not records.is_done(key)}
    say(f"{len(jobs)} jobs, {len(jobs) - len(waiting)} of them done before")
    if waiting:
        with connect(options.scheduler, options.workers) as client:
            for number, answer in enumerate(answers(client, waiting, version, str(BUILD / "jobs")), 1):
                records.add(answer)
                say(f"{number}/{len(waiting)} {answer.name}: {answer.result}, {answer.seconds} s")
    return _report(jobs, records, all_verdicts=not (options.list or options.suite) and options.of == SIM_ALL)


def _listed(options: argparse.Namespace) -> list[Job]:
    """The jobs that are asked for; the seed, where there is one, is said."""
    if options.list is not None:
        return read_jobs(options.list)
    if options.suite is not None:
        return suites(options.suite)
    fresh = random.SystemRandom().randrange(SEEDS) if options.of == SIM_ALL else 1
    seed = options.seed if options.seed is not None else fresh
    say(f"seed {seed}")
    if options.of == MACHINE:
        return mutants(seed, options.sample)
    return faults(seed) if options.of == HAND else sim_all(seed, options.policies, options.situations)


def _report(jobs: Mapping[str, Job], records: Answers, *, all_verdicts: bool) -> int:
    """Print what is not done, and the sums; the exit code."""
    results = Counter[str]()
    verdicts = Counter[str]()
    for key, job in jobs.items():
        answer = records.of(key)
        assert answer is not None
        results[answer.result] += 1
        verdicts.update((answer.report or {}).get("verdicts", {}))
        if answer.result != DONE:
            print(f"\n{answer.result.upper()} {job.name}: {' '.join(job.words)}\nat {answer.where}\n{answer.output}")
    missing = sorted({str(verdict) for verdict in EXPECTED} - set(verdicts)) if all_verdicts else []
    if verdicts:
        print("verdicts: " + ", ".join(f"{name} {count:,}" for name, count in verdicts.most_common()))
    if missing:
        print(f"never seen, so not tested: {', '.join(missing)}")
    print(", ".join(f"{count} {result}" for result, count in results.items()))
    return EXIT_OK if set(results) <= {DONE} and not missing else EXIT_MISMATCH


if __name__ == "__main__":
    sys.exit(main())
