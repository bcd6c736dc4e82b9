"""The cocotb regression: ``python -m halfsilver.sim.cocotb_runner --all | --test NAME | --list``.

A name is a bench (``core``) or one of its tests (``core::sizes_and_pauses``). Every bench runs on each of its
builds, in a simulator process of its own, with its results in ``build/cocotb/<bench>-<width>/results.xml`` (JUnit).
A failed test is run once more with the same seed and waves, unless they were on already.
"""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from halfsilver.harness.arguments import Parser
from halfsilver.harness.errors import (
    EXIT_INTERRUPTED,
    EXIT_MISMATCH,
    EXIT_NOTHING,
    EXIT_OK,
    HalfsilverError,
    UsageError,
)
from halfsilver.harness.versions import verilator_version
from halfsilver.sim.benches import BENCHES, BUILD_VARIABLE, Bench, Build
from halfsilver.sim.cocotb_model import TOP, build_model, exclusive, simulate
from halfsilver.sim.model.verilog import block_verilog
from halfsilver.sim.places import BUILD, ROOT

__all__ = ["Outcome", "choose", "main", "run_bench", "run_on_model", "verilog_of"]

RUNS = BUILD / "cocotb"
"""Results, logs and waves."""

WAVES_VARIABLE = "WAVES"
SEED_LIMIT = 1 << 31

WHOLE_BENCH = "(the whole bench)"
"""What failed when the simulation did not come to an end."""

COUNTING = 6
"""The time that a model which counts what is exercised is given, in that of one which does not count."""


@dataclass(slots=True)
class Outcome:
    """What became of one bench on one build. ``failed``: test name -> message."""

    bench: str
    width: int
    seed: int
    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0
    results: Path = Path()
    log: Path = Path()
    waves: Path | None = None

    def lines(self) -> list[str]:
        """For people: one line if all is well, else what failed, where to look and how to repeat it."""
        where = f"{self.bench}, {self.width} bits"
        total = len(self.passed) + len(self.failed)
        lines = [f"{where}: {len(self.passed)} of {total} passed, {self.seconds:.0f} s, seed {self.seed}"]
        for test, message in self.failed.items():
            lines += [f"  FAILED {test}: {message}", f"    repeat: {self._again(test)}"]
        if self.failed:
            lines.append(f"  log: {self.log}")
        if self.waves is not None:
            lines.append(f"  waves: {self.waves}")
        return lines

    def _again(self, test: str) -> str:
        """The command that repeats a failure, to paste as it is: in the checkout, or with the Python of this run."""
        name = self.bench if test == WHOLE_BENCH else f"{self.bench}::{test}"
        if (ROOT / "Makefile").exists():
            return f"make -C {shlex.quote(str(ROOT))} cocotb TEST={name} WIDTH={self.width} SEED={self.seed} WAVES=1"
        python = shlex.quote(sys.executable)
        return f"{python} -m halfsilver.sim.cocotb_runner --test {name} --width {self.width} --seed {self.seed} --waves"


def run_bench(
    bench: Bench, build: Build, *, seed: int, test: str | None = None, waves: bool = False, coverage: Path | None = None
) -> Outcome:
    """Run a bench, or one test of it, on one build.

    Without ``waves`` the first failed test runs again with them. ``coverage``: where to write what was exercised.
    HalfsilverError if the model cannot be built or the simulator dies without results.
    """
    place = RUNS / f"{bench.name}-{build.width}{'-coverage' if coverage else ''}"
    with exclusive(place):
        outcome = _simulate(bench, build, place, seed, test, waves, coverage)
        if outcome.failed and not waves:
            first = next(iter(outcome.failed))
            again = _simulate(bench, build, place / "failed", seed, first, True)
            outcome.waves = again.waves
            if first not in again.failed:
                outcome.failed[first] += " (passed when it ran alone)"
    return outcome


def _simulate(
    bench: Bench, build: Build, place: Path, seed: int, test: str | None, waves: bool, coverage: Path | None = None
) -> Outcome:
    counts = coverage is not None
    model = build_model(build.name, verilog_of(build, source_lines=counts), waves=waves, coverage=counts)
    parameters = dict(build.parameters)
    return run_on_model(bench, model, parameters, place, seed=seed, test=test, waves=waves, coverage=coverage)


def run_on_model(
    bench: Bench,
    model: Path,
    parameters: Mapping[str, int],
    place: Path,
    *,
    seed: int,
    test: str | None = None,
    waves: bool = False,
    coverage: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Run a bench, or one test of it, on a model of these NicParameters, with its results in ``place``.

    ``coverage``: where a model that counts writes what was exercised; ``environment``: more variables for the
    simulation. HalfsilverError if the simulator dies without results.
    """
    place.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(
        bench.name, parameters["width"], seed, results=place / "results.xml", log=place / "simulation.log"
    )
    dump = place / "dump.vcd"
    for stale in (outcome.results, dump):
        stale.unlink(missing_ok=True)
    timeout = bench.timeout * (COUNTING if coverage else 1)
    start = time.monotonic()
    code = simulate(
        model,
        bench.module,
        place,
        seed=seed,
        results=outcome.results,
        log=outcome.log,
        waves=waves,
        coverage=coverage,
        timeout=timeout,
        environment={BUILD_VARIABLE: json.dumps(parameters), **(environment or {})},
        test_filter=None if test is None else rf"\.{re.escape(test)}$",
    )
    outcome.seconds = time.monotonic() - start
    if waves and dump.exists():
        outcome.waves = dump
    if code is None:
        outcome.failed[test or WHOLE_BENCH] = f"did not finish within {timeout:.0f} s"
    elif not outcome.results.exists():
        raise HalfsilverError(
            f"bench {bench.name}: the simulator ended with code {code} without results (log: {outcome.log})"
        )
    else:
        _read_results(outcome)
    return outcome


def _read_results(outcome: Outcome) -> None:
    for case in ET.parse(outcome.results).iter("testcase"):
        name = case.get("name", "")
        problem = next((case.find(tag) for tag in ("failure", "error") if case.find(tag) is not None), None)
        if problem is not None:
            message = (problem.get("message") or problem.text or "no message").strip()
            outcome.failed[name] = message.splitlines()[0][:300] if message else "no message"
        elif case.find("skipped") is None:
            outcome.passed.append(name)


def verilog_of(build: Build, *, source_lines: bool = False) -> str:
    """What a build's model is made of."""
    verilog, _ = block_verilog(build.block, dict(build.parameters), dict(build.options), TOP, source_lines=source_lines)
    return verilog


def choose(name: str | None, width: int | None) -> tuple[list[tuple[Bench, Build]], str | None]:
    """Benches and builds for the command line, and the test if one is named."""
    bench_name, _, test = (name or "").partition("::")
    benches = [bench for bench in BENCHES if not bench_name or bench.name == bench_name]
    if not benches:
        known = ", ".join(bench.name for bench in BENCHES)
        raise UsageError(f"there is no bench {bench_name!r}; there are {known}")
    chosen = [(bench, build) for bench in benches for build in bench.builds if width in (None, build.width)]
    if not chosen:
        widths = sorted({build.width for bench in benches for build in bench.builds})
        known = ", ".join(map(str, widths))
        raise UsageError(f"bench {bench_name or 'list'} has no build of {width} bits; there are {known}")
    if test and test not in benches[0].tests:
        raise UsageError(f"bench {bench_name} has no test {test!r}; there are {', '.join(benches[0].tests)}")
    return chosen, test or None


def _list() -> None:
    for bench in BENCHES:
        print(f"{bench.name}: {', '.join(str(build.width) for build in bench.builds)} bits")
        for test in bench.tests:
            print(f"  {bench.name}::{test}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit codes as in docs/reference/command_line.md."""
    parser = Parser(prog="python -m halfsilver.sim.cocotb_runner", description="Run cocotb benches.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--test", metavar="NAME", help="a bench, or bench::test")
    what.add_argument("--all", action="store_true", help="the whole regression")
    what.add_argument("--list", action="store_true", help="names of benches and tests")
    parser.add_argument("--width", type=int, metavar="BITS", help="only the builds of this data width")
    parser.add_argument("--seed", type=int, metavar="N", help="repeat a run; drawn and printed otherwise")
    parser.add_argument("--waves", action="store_true", help="write a VCD file; also with the variable WAVES=1")
    options = parser.parse_args(arguments)
    if options.list:
        _list()
        return EXIT_OK
    seed = random.randrange(SEED_LIMIT) if options.seed is None else options.seed
    waves = options.waves or os.environ.get(WAVES_VARIABLE, "0") not in ("", "0")
    print(f"seed {seed}, Verilator {verilator_version()}", flush=True)
    ran = failed = 0
    try:
        chosen, test = choose(options.test, options.width)
        for bench, build in chosen:
            outcome = run_bench(bench, build, seed=seed, test=test, waves=waves)
            print("\n".join(outcome.lines()), flush=True)
            ran += len(outcome.passed) + len(outcome.failed)
            failed += len(outcome.failed)
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    if not ran:
        print("error: nothing ran: no test has that name, or none of it is for this width", file=sys.stderr)
        return EXIT_NOTHING
    print(f"{ran} tests, {failed} failed, seed {seed}")
    return EXIT_MISMATCH if failed else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
