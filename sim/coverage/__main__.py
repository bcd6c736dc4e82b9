"""``make coverage``: what of the gateware the cocotb benches and a pump run over the example exercise.

Every bench runs on each of its builds with Verilator's branch and toggle counting; the native pump sends the example
capture through the exported top. The page is ``build/coverage/index.html``: per source file and line what was
exercised, and by name what was not. Sums are printed.
"""

from __future__ import annotations

import json
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from halfsilver.harness.arguments import Parser
from halfsilver.harness.commands.common import say
from halfsilver.harness.errors import EXIT_INTERRUPTED, EXIT_MISMATCH, EXIT_OK, HalfsilverError
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.benches import Bench, Build
from halfsilver.sim.build import build_library
from halfsilver.sim.cocotb_model import TOP
from halfsilver.sim.cocotb_runner import SEED_LIMIT, choose, run_bench, verilog_of
from halfsilver.sim.coverage.page import page, percent
from halfsilver.sim.coverage.points import Points, read_points
from halfsilver.sim.coverage.tally import Share, Tally, add_up, per_file
from halfsilver.sim.example import example_batch
from halfsilver.sim.model.verilog import block_verilog
from halfsilver.sim.places import BUILD, ROOT, shown
from halfsilver.sim.pump import Pacing, Pump

__all__ = ["main"]

PLACE = BUILD / "coverage"

PUMP_PARAMETERS = NicParameters(width=64, enis=4)
PUMP_PACINGS = (Pacing(input_stalls=1 / 16, output_stalls=1 / 16), Pacing(full_rate=True))
"""The example goes through once at leisure and once back to back."""

Runs = dict[str, list[Points]]
"""What was passed, by the Verilog it is in."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 0, 1 if a bench fails, or that of the error."""
    parser = Parser(
        prog="python -m halfsilver.sim.coverage", description="What of the gateware the regression exercises."
    )
    parser.add_argument("--test", metavar="NAME", help="only this bench, or bench::test, and no pump")
    parser.add_argument("--width", type=int, metavar="BITS", help="only the builds of this data width, and no pump")
    parser.add_argument("--seed", type=int, metavar="N", help="repeat a run; drawn and printed otherwise")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="benches at a time (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the sums as JSON")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    seed = random.randrange(SEED_LIMIT) if options.seed is None else options.seed
    say(f"seed {seed}")
    try:
        chosen, test = choose(options.test, options.width)
        runs, failures = _benches(chosen, test, seed, options.jobs)
        whole = options.test is None and options.width is None
        if whole:
            verilog, points = _pump(seed)
            runs[verilog].append(points)
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    tally = add_up(runs)
    what = ", ".join(f"{bench.name} ({build.width} bits)" for bench, build in chosen)
    about = f"Benches: {what}{'; the example through the native pump (64 bits)' * whole}. Seed {seed}."
    path = PLACE / "index.html"
    path.write_text(page(tally, ROOT, about))
    _report(tally, path, seed, options.json)
    return EXIT_MISMATCH if failures else EXIT_OK


def _benches(chosen: Sequence[tuple[Bench, Build]], test: str | None, seed: int, jobs: int) -> tuple[Runs, int]:
    """Runs of the benches, and how many failed: one that was ended has told nothing, and the others count."""
    PLACE.mkdir(parents=True, exist_ok=True)

    def run(bench: Bench, build: Build) -> tuple[str, Points | None, bool]:
        path = PLACE / f"{bench.name}-{build.width}.dat"
        path.unlink(missing_ok=True)
        outcome = run_bench(bench, build, seed=seed, test=test, coverage=path)
        say("\n".join(outcome.lines()))
        points = read_points(path) if path.exists() else None
        return verilog_of(build, source_lines=True), points, bool(outcome.failed) or points is None

    runs: Runs = defaultdict(list)
    failures = 0
    with ThreadPoolExecutor(jobs) as pool:
        for verilog, points, failed in pool.map(run, *zip(*chosen, strict=True)):
            if points is not None:
                runs[verilog].append(points)
            failures += failed
    if not runs:
        raise HalfsilverError("no bench wrote what it exercised")
    return runs, failures


def _pump(seed: int) -> tuple[str, Points]:
    """The whole example through the pump."""
    verilog, ports = block_verilog("export.AxiNic", asdict(PUMP_PARAMETERS), {}, TOP, source_lines=True)
    writes, frames = example_batch(PUMP_PARAMETERS)
    pump = Pump(build_library(verilog, TOP, ports, coverage=True, what="64 bit, 4 interfaces"), seed=seed)
    pump.write(writes)
    for pacing in PUMP_PACINGS:
        pump.run(frames, pacing)
    path = PLACE / "pump.dat"
    pump.write_coverage(path)
    pump.close()
    say(f"native pump, 64 bits: {len(frames) * len(PUMP_PACINGS):,} frames")
    return verilog, read_points(path)


def _report(tally: Tally, path: Path, seed: int, as_json: bool) -> None:
    sums = per_file(tally)
    kinds = sorted({kind for each in sums.values() for kind in each})
    total = {
        kind: Share(sum(each[kind].covered for each in sums.values()), sum(each[kind].total for each in sums.values()))
        for kind in kinds
    }
    if as_json:
        files = {name: {kind: _numbers(share) for kind, share in each.items()} for name, each in sums.items()}
        totals = {kind: _numbers(share) for kind, share in total.items()}
        missing = [
            {**asdict(place), **_numbers(share), "missing": share.missing}
            for place, share in sorted(tally.items())
            if not share.complete
        ]
        print(json.dumps({"seed": seed, "page": str(path), **totals, "files": files, "not_covered": missing}, indent=2))
        return
    width = max(map(len, sums), default=0)
    for name, each in {**sums, "all": total}.items():
        cells = [f"{kind} {share.covered:7,} of {share.total:7,} {percent(share):>6}" for kind, share in each.items()]
        print(f"{name:{width}}  {'  '.join(cells)}")
    print(f"what is not covered, by name: {shown(path)}")


def _numbers(share: Share) -> dict[str, int]:
    return {"covered": share.covered, "total": share.total}


if __name__ == "__main__":
    sys.exit(main())
