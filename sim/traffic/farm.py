"""``make sim-all``, second half: random traffic and upheavals on builds of every width and every extreme.

Each build meets sweeps and situations on one pair of engines, then enough frames that counters carry; then upheavals,
every address of its registers, and resets. A difference is reduced to the smallest situation that shows it.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from halfsilver.harness.arguments import Parser
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK, HalfsilverError
from halfsilver.harness.verdict import Verdict
from halfsilver.hdl.layout.frames import FLOOR_IPV6
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.traffic.pair import Pair
from halfsilver.sim.traffic.reduce import smallest
from halfsilver.sim.traffic.situations import Situation, carries, situations
from halfsilver.sim.traffic.sweeps import (
    check_bus,
    check_commits,
    check_counters,
    check_leftovers,
    check_pace,
    check_places,
    check_registers,
    check_resets,
    check_ring,
    check_tables,
    check_turns,
    quick,
)
from halfsilver.sim.traffic.upheavals import run_upheavals

__all__ = ["BUILDS", "main"]

UNEVEN_KEY = bytes(range(7, 47))
"""A hash key without a period: with one, much of the hash cancels where both ends are alike."""

_LEAST = NicParameters(enis=1, sessions=1, rules=1, extension_headers=1, copies=8, lookup_clocks=8)
BUILDS = {
    "8": replace(_LEAST, width=8),
    "16": NicParameters(width=16, enis=2, extension_headers=15, lookup_clocks=4),
    "32": NicParameters(
        width=32,
        enis=3,
        sessions=2,
        rules=5,
        extension_headers=3,
        copies=16,
        lookup_clocks=2,
        copies_leave="own",
        receivers=2,
    ),
    "64": NicParameters(),
    "64-key": NicParameters(
        enis=1, sessions=2, rules=3, hash_key=UNEVEN_KEY, copies=8, cut_copies=FLOOR_IPV6, receivers=16
    ),
    "64-guards": NicParameters(enis=3, sessions=2, rules=5, lookup_clocks=2, security_groups=128),
    "64-16-enis": NicParameters(enis=16, lookup_clocks=8),
    "64-40-rules": NicParameters(rules=40),
    "128": NicParameters(width=128, enis=1, copies=1024, queue_depth=32768, lookup_clocks=8, cut_copies=1500),
    "256": replace(_LEAST, width=256),
    "512": NicParameters(width=512, enis=2, sessions=2, rules=2),
    "512-guards": NicParameters(width=512, enis=2, sessions=1, rules=2, security_groups=5),
    "1024": replace(_LEAST, width=1024),
}
"""Every data width, every parameter at both ends of its range."""

UPHEAVALS_SHARE = 10
"""Situations for each upheaval, which takes longer."""

CARRIES = (66_000, 2_000)
"""Frames of one byte and of 9,216 bytes in each direction: past 16 bits of frames and 24 bits of bytes."""

RESETS = 60
"""Clock cycles at which frames are reset, and rule sets change."""

PLACES = 8
"""Times that places for copies are counted."""

LEFTOVERS = 3
"""Rule sets in banks that held something else."""

SEEDS = 1 << 32


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Exit code 0: all agree and every verdict was seen; 1: not."""
    parser = Parser(prog="python -m halfsilver.sim.traffic.farm", description=__doc__.partition("\n")[0])
    parser.add_argument("--build", choices=BUILDS, action="append", help="only this build; may be repeated")
    parser.add_argument("--situations", type=int, default=300, help="per build (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of everything random; default: a new one")
    options = parser.parse_args(arguments)
    if options.situations < 1:
        parser.error("--situations must be at least 1")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(SEEDS)
    print(f"seed {seed}", file=sys.stderr, flush=True)
    verdicts: Counter[Verdict] = Counter()
    failed = 0
    for name in options.build or BUILDS:
        try:
            found = _run_build(BUILDS[name], seed, options.situations, verdicts)
        except HalfsilverError as error:
            found = str(error)
        again = f"--build {name} --situations {options.situations} --seed {seed}"
        print(f"{name:12} {'DIFFERS' if found else 'agrees'}", flush=True)
        if found:
            failed += 1
            print(f"{found}\nagain: .venv/bin/python -m halfsilver.sim.traffic.farm {again}", flush=True)
    print("verdicts: " + ", ".join(f"{verdict} {count:,}" for verdict, count in verdicts.most_common()))
    missing = set(Verdict) - {Verdict.SAMPLED_OUT, Verdict.RATE_LIMITED} - set(verdicts)
    if missing:
        print(f"never seen, so not tested: {', '.join(sorted(map(str, missing)))}")
    return EXIT_MISMATCH if failed or missing else EXIT_OK


def _run_build(parameters: NicParameters, seed: int, count: int, verdicts: Counter[Verdict]) -> str:
    """What differs, in words; nothing if all agrees."""
    pair = Pair(parameters, seed=seed)
    try:
        last = carries(random.Random(seed), parameters, *CARRIES)
        cases = chain(quick(seed, parameters), situations(seed, count, parameters), [last])
        for number, situation in enumerate(cases):
            found = pair.differences(situation)
            if found:
                return f"situation {number}: {found[0]}\n{_reduced(pair, situation)}"
            assert pair.results is not None
            verdicts.update(record.verdict for record in pair.results[1].verdicts)
    finally:
        pair.close()
    run_upheavals(parameters, seed, -(-count // UPHEAVALS_SHARE))
    for check in (check_registers, check_bus, check_tables, check_ring, check_counters, check_pace, check_turns):
        check(parameters, seed)
    check_places(parameters, seed, PLACES)
    check_leftovers(parameters, seed, LEFTOVERS)
    check_commits(parameters, seed, range(RESETS), 0)
    check_resets(parameters, seed, range(RESETS))
    return ""


def _reduced(pair: Pair, situation: Situation) -> str:
    """The smallest situation that shows a difference, unless it takes those before it to show."""
    if not pair.differences(situation):
        return "it takes the situations before it to show"
    return str(smallest(situation, lambda less: bool(pair.differences(less))))


if __name__ == "__main__":
    sys.exit(main())
