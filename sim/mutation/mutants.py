"""``make mutants``: faults in the gateware, and how many of them the tests catch.

Two lists. ``machine``: mutants of the netlist, drawn at random over all modules at 8, 32 and 64 bits
(``halfsilver.sim.mutation.campaign``). ``hand``: one changed expression each, of kinds that people write
(``halfsilver.sim.mutation.by_hand.faults``).
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from halfsilver.harness.errors import EXIT_INTERRUPTED, EXIT_MISMATCH, EXIT_OK, HalfsilverError, UsageError
from halfsilver.sim.jobs.records import Answers
from halfsilver.sim.mutation.by_hand import planting
from halfsilver.sim.mutation.campaign import Campaign
from halfsilver.sim.mutation.netlist import Mutant, Netlist, list_hash, prepare
from halfsilver.sim.mutation.records import Record, Records
from halfsilver.sim.mutation.regression import WIDTHS
from halfsilver.sim.mutation.summary import summary
from halfsilver.sim.places import BUILD, ROOT, shown

__all__ = ["DRAWN", "PUBLISHED", "REPORT", "answered", "main", "part_of"]

DRAWN = 1002
"""Mutants of the whole list: a third from each build."""

GOAL = 0.95
"""Caught of those not known to be equivalent; of the whole list."""

PLACE = BUILD / "mutants"
REPORT = BUILD / "mutants.json"
JOB_REPORT = BUILD / "farm.json"
"""Which the farm takes into a job's answer."""

PUBLISHED = ROOT / "docs" / "mutants.json"
STAGES = {
    "pump": Campaign.pump,
    "proofs": Campaign.prove,
    "washout": Campaign.wash_out,
    "long": Campaign.pump_long,
    "benches": Campaign.bench,
}
"""In their order; each takes what the one before has left open."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 0 if enough is caught (all of the hand list), 1 if not or if a control run fails."""
    parser = argparse.ArgumentParser(
        prog="python -m halfsilver.sim.mutation.mutants", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--list", choices=("machine", "hand"), default="machine", dest="which")
    parser.add_argument("--sample", type=int, metavar="N", help=f"the first N of the {DRAWN} mutants of the netlist")
    parser.add_argument(
        "--part",
        metavar="K/N",
        help="only every Nth of them, from the Kth on, as a job of the farm: all that is found "
        f"goes to {JOB_REPORT}, and exit code 0 does not say how much that is",
    )
    parser.add_argument(
        "--answers",
        type=Path,
        action="append",
        metavar="FILE",
        help="try nothing, but take in and sum up what the farm has answered; may be given again",
    )
    parser.add_argument("--width", choices=WIDTHS, action="append", help="only this build; may be given again")
    parser.add_argument("--to", choices=STAGES, default=[*STAGES][-1], help="last stage (default: %(default)s)")
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="one fault of the hand list; may be given again"
    )
    parser.add_argument("-j", "--jobs", type=int, default=2, metavar="N", help="at a time (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the list and of all traffic (default: %(default)s)")
    parser.add_argument("--publish", action="store_true", help=f"also write {PUBLISHED.relative_to(ROOT)}")
    options = parser.parse_args(arguments)
    try:
        if options.jobs < 1:
            raise UsageError(f"--jobs must be at least 1, not {options.jobs}")
        if options.which == "hand":
            if any((options.sample is not None, options.width, options.publish, options.part, options.answers)):
                raise UsageError("--sample, --width, --part, --answers and --publish are for the list of the machine")
            outcomes = planting.run(options.only or (), options.jobs, options.seed)
            return EXIT_OK if all(outcome.result == planting.CAUGHT for outcome in outcomes.values()) else EXIT_MISMATCH
        if options.only:
            raise UsageError("--only is for the list made by hand: --list hand")
        if options.sample is not None and not 1 <= options.sample <= DRAWN:
            raise UsageError(f"--sample must be 1 to {DRAWN}, not {options.sample}")
        part_of([], options.part)  # refuses one that is none, before the list is drawn
        return _machine(options)
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        goes_on = not options.only  # those are planted anew each time
        print("interrupted" + "; the next run goes on from here" * goes_on, file=sys.stderr)
        return EXIT_INTERRUPTED


def _leave(number: int, frame: object) -> None:
    """SIGTERM ends what was started, as Ctrl-C does."""
    raise KeyboardInterrupt


def _machine(options: argparse.Namespace) -> int:
    """All stages on the drawn mutants, or on a part of them."""
    share = DRAWN // len(WIDTHS)
    prepared = {build: prepare(build, WIDTHS[build], share, options.seed) for build in options.width or WIDTHS}
    whole = [mutant for turn in zip(*(mutants for _, mutants in prepared.values()), strict=True) for mutant in turn]
    chosen = part_of(whole[: options.sample], options.part)
    records = Records(PLACE / list_hash(whole) / "records.jsonl")
    if options.answers is None:
        _try(options, prepared, chosen, records)
    else:
        for path in options.answers:
            records.merge(answered(path, {mutant.key for mutant in whole}))
    if options.part is not None:
        found = {"records": [asdict(record) for record in records.about({mutant.key for mutant in chosen})]}
        JOB_REPORT.parent.mkdir(parents=True, exist_ok=True)
        JOB_REPORT.write_text(json.dumps(found) + "\n")
        print(f"{len(chosen)} mutants tried; what was found is in {shown(JOB_REPORT)}")
        return EXIT_OK
    return _conclude(options, chosen, whole, records)


def part_of(mutants: list[Mutant], part: str | None) -> list[Mutant]:
    """Every Nth, from the Kth on, for ``K/N``. UsageError if that is none."""
    if part is None:
        return mutants
    first, _, step = part.partition("/")
    if not (first.isdecimal() and step.isdecimal() and 1 <= int(first) <= int(step)):
        raise UsageError(f"--part {part}: must be K/N, such as 1/4, the first of four")
    return mutants[int(first) - 1 :: int(step)]


def answered(path: Path, keys: Collection[str]) -> list[Record]:
    """What the farm's jobs have found about these mutants. UsageError if it is nothing."""
    found = [
        Record(**record)
        for answer in Answers(path).all()
        for record in (answer.report or {}).get("records", [])
        if record["key"] in keys
    ]
    if not found:
        raise UsageError(
            f"{path}: has no answer about a mutant of this list: was it another seed, or another gateware?"
        )
    return found


def _try(
    options: argparse.Namespace,
    prepared: Mapping[str, tuple[Netlist, list[Mutant]]],
    chosen: Sequence[Mutant],
    records: Records,
) -> None:
    """All stages, as far as they are wanted."""
    campaigns = [
        Campaign(
            build, netlist, [mutant for mutant in chosen if mutant.build == build], records, options.seed, options.jobs
        )
        for build, (netlist, _) in prepared.items()
    ]
    for stage, run in STAGES.items():
        for campaign in campaigns:
            run(campaign)
        if stage == options.to:
            break


def _conclude(options: argparse.Namespace, chosen: list[Mutant], whole: list[Mutant], records: Records) -> int:
    """Say what is known; the exit code."""
    answer = summary(chosen, whole, records, options.seed)
    for survivor in answer["survivors"]:
        print(f"survived: {survivor['place']}  {survivor['module']}, {survivor['build']}: {survivor['change']}")
    reached = answer["score"] if answer["score"] is not None else 1.0
    print(
        f"{answer['planted']} planted, {answer['caught']} caught, {answer['equivalent']} equivalent: "
        f"{100 * reached:.1f} % of those that can be caught; seed {options.seed}"
    )
    for path in (REPORT, *([PUBLISHED] if options.publish else [])):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(answer, indent=2) + "\n")
        print(shown(path))
    return EXIT_OK if reached >= GOAL else EXIT_MISMATCH


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _leave)
    sys.exit(main())
