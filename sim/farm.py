"""``make sim-all``: every development capture against many random policies, golden model and gateware side by side.

What is run, and what must hold, is in ``halfsilver.sim.lots``. A table is printed, and everything is written to
``build/farm.json``; what is needed to look into a failure goes to ``build/farm``.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import fields, replace
from itertools import groupby
from multiprocessing import get_context
from typing import Any

from halfsilver.harness.arguments import Parser
from halfsilver.harness.commands.common import say
from halfsilver.harness.errors import EXIT_INTERRUPTED, EXIT_MISMATCH, EXIT_OK, HalfsilverError, UsageError
from halfsilver.harness.verdict import Verdict
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.build import build_nic
from halfsilver.sim.lots import CAPTURES, Lot, Outcome, captures, run_lot
from halfsilver.sim.places import BUILD, shown

__all__ = ["EXPECTED", "SEEDS", "all_lots", "main"]

REPORT = BUILD / "farm.json"

BUILDS = (1, 4)
"""Network interfaces of the builds; everything else of them is the default."""

FULL_RATE_SHARE = 4
"""At full rate a capture meets one policy for this many of the usual ones."""

SEEDS = 1 << 32

EXPECTED = frozenset(Verdict) - {Verdict.SAMPLED_OUT, Verdict.RATE_LIMITED}
"""Verdicts that a whole run must have seen, or it has tested less than it says."""

SUMS = ("frames", "policies", "decided", "mirrored", "rules", "below_quarter", "cycles")
REPORT_EVERY = 10
"""Seconds between two lines of progress where standard error is no terminal."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Exit code 0: all agree; 1: a difference, or verdicts that never occurred; 5: no captures."""
    parser = Parser(prog="python -m halfsilver.sim.farm", description=__doc__.partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--all", action="store_true", help="all captures on all builds, also at full rate")
    what.add_argument("--capture", metavar="NAME", help="one capture of captures/dev")
    parser.add_argument("--enis", type=int, choices=BUILDS, help="only the build with so many interfaces")
    parser.add_argument("--full-rate", action="store_true", help="only with frames back to back (congestion allowed)")
    parser.add_argument("--policies", type=int, default=20, help="per capture and build (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of everything random; default: a new one")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.policies < 1 or options.jobs < 1:
        parser.error("--policies and --jobs must be at least 1")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(SEEDS)
    say(f"seed {seed}")
    start = time.perf_counter()
    try:
        lots = _lots(options)
        for enis in sorted({lot.enis for lot in lots}):
            build_nic(NicParameters(enis=enis))
        outcomes = _run_all(lots, seed, options.jobs)
    except HalfsilverError as error:
        say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return _report(outcomes, seed, time.perf_counter() - start, EXPECTED if options.all else frozenset())


def _lots(options: argparse.Namespace) -> list[Lot]:
    builds = BUILDS if options.enis is None else (options.enis,)
    if options.all and not options.full_rate:
        return all_lots(options.policies, builds)
    lots = _at_usual_rate(options.policies, builds, options.capture)
    return [replace(lot, full_rate=options.full_rate) for lot in lots]


def all_lots(policies: int, builds: Sequence[int] = BUILDS) -> list[Lot]:
    """Every capture on these builds, and fewer policies at full rate."""
    lots = _at_usual_rate(policies, builds)
    return lots + [replace(lot, full_rate=True, policies=-(-lot.policies // FULL_RATE_SHARE)) for lot in lots]


def _at_usual_rate(policies: int, builds: Sequence[int], capture: str | None = None) -> list[Lot]:
    """One capture, or all, the largest first, so that the processes end together."""
    paths = [path for path in captures() if capture in (None, path.name)]
    if not paths:
        raise UsageError(f"no capture {capture} in {CAPTURES}")
    paths.sort(key=lambda path: -path.stat().st_size)
    return [Lot(path.name, enis, policies) for path in paths for enis in builds]


def _run_all(lots: Sequence[Lot], seed: int, jobs: int) -> list[Outcome]:
    """All outcomes; progress and failures are shown as they come."""
    outcomes = []
    start = shown = time.perf_counter()
    for outcome in _outcomes(lots, seed, jobs):
        outcomes.append(outcome)
        if outcome.failure:
            say(f"\nDIFFERENCE\n{outcome.failure}\n")
        frames, now = sum(each.frames for each in outcomes), time.perf_counter()
        line = f"{len(outcomes)}/{len(lots)} lots, {frames:,} frames, {now - start:.0f} s: {outcome.lot}"
        is_last = len(outcomes) == len(lots)
        if sys.stderr.isatty():
            print(f"\r{line:100.100}", end="\n" if is_last else "", file=sys.stderr, flush=True)
        elif is_last or now - shown >= REPORT_EVERY:
            shown = now
            say(line)
    return outcomes


def _outcomes(lots: Sequence[Lot], seed: int, jobs: int) -> Iterator[Outcome]:
    """Outcomes as they come, from ``jobs`` processes."""
    if jobs == 1 or len(lots) == 1:
        for lot in lots:
            yield run_lot(lot, seed)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(run_lot, lot, seed) for lot in lots]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _report(outcomes: Sequence[Outcome], seed: int, seconds: float, expected: frozenset[Verdict]) -> int:
    """Print the table, write the report, and return the exit code."""
    total = _sums(outcomes)
    verdicts = sum((outcome.verdicts for outcome in outcomes), Counter[str]())
    missing = sorted({str(verdict) for verdict in expected} - set(verdicts))
    failed = [outcome for outcome in outcomes if outcome.failure]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    answer: dict[str, Any] = {
        "seed": seed,
        "seconds": round(seconds, 1),
        "agree": not failed,
        "never_seen": missing,
        **total,
        "verdicts": dict(verdicts),
        "lots": [_as_json(outcome) for outcome in outcomes],
    }
    REPORT.write_text(json.dumps(answer, indent=2) + "\n")

    _print_table(outcomes)
    print(
        f"\n{total['frames']:,} frames under {total['policies']:,} policies in {seconds:.0f} s "
        f"({total['cycles']:,} clock cycles): {_share(total)} decided by {total['rules']:,} rules, "
        f"{total['mirrored']:,} mirrored"
    )
    print("verdicts: " + ", ".join(f"{name} {count:,}" for name, count in verdicts.most_common()))
    print(f"{total['below_quarter']} policies decide less than a quarter of their frames, but all that rules see")
    if missing:
        print(f"never seen, so not tested: {', '.join(missing)}")
    for outcome in failed:
        print(f"\nDIFFERENCE\n{outcome.failure}\n")
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} lots agree; seed {seed}; {shown(REPORT)}")
    return EXIT_MISMATCH if failed or missing else EXIT_OK


def _sums(outcomes: Sequence[Outcome]) -> dict[str, int]:
    return {name: sum(getattr(outcome, name) for outcome in outcomes) for name in SUMS}


def _share(sums: dict[str, int]) -> str:
    return f"{sums['decided'] / max(1, sums['frames']):.0%}"


def _as_json(outcome: Outcome) -> dict[str, Any]:
    """A lot's entry in the report."""
    numbers = {each.name: getattr(outcome, each.name) for each in fields(outcome) if each.name != "lot"}
    lot = outcome.lot
    return {"capture": lot.capture, "enis": lot.enis, "full_rate": lot.full_rate, **numbers}


def _print_table(outcomes: Sequence[Outcome]) -> None:
    """A row per capture, all its lots together."""
    print(f"{'capture':44} {'policies':>8} {'frames':>9} {'decided':>7} {'mirrored':>9}  result")

    def name(outcome: Outcome) -> str:
        return outcome.lot.capture

    for capture, group in groupby(sorted(outcomes, key=name), key=name):
        rows = list(group)
        sums = _sums(rows)
        print(
            f"{capture:44.44} {sums['policies']:8,} {sums['frames']:9,} {_share(sums):>7} {sums['mirrored']:9,}  "
            f"{'DIFFERS' if any(row.failure for row in rows) else 'agrees'}"
        )


if __name__ == "__main__":
    sys.exit(main())
