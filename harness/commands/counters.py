"""``halfsilver counters``: what the NIC counts, after a capture has passed through an engine."""

from __future__ import annotations

import argparse
import json

from halfsilver.harness.commands.common import Subparsers, recording, say
from halfsilver.harness.commands.judging import add_judging_arguments, exit_code, judge_capture, refuse_options
from halfsilver.harness.errors import EXIT_MISMATCH
from halfsilver.harness.report.counters import balances, counters_to_json, render_counters
from halfsilver.harness.report.summary import RunSummary

__all__ = ["add", "run"]


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "counters",
        help="what the NIC counts of a capture",
        description="Offer a capture to an engine and show its counters, but for those that are zero: frames and bytes "
        "by verdict, by session (copies sent, and skipped for want of room), by rule and by port, and AWS's eight "
        "metrics. Of gateware they are read from its registers.",
    )
    add_judging_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 1 if sums do not meet, engines disagree or the capture is damaged. NothingRan if it is empty."""
    refuse_options(arguments)
    with recording(arguments) as recorder:
        summary, damaged = judge_capture(arguments, recorder)
        return _print(arguments, summary, damaged)


def _print(arguments: argparse.Namespace, summary: RunSummary, damaged: bool) -> int:
    sums = balances(summary.counters, summary.offered, guarded=summary.policy.guarded)
    if arguments.json:
        document = {
            "engine": summary.engine,
            "seed": summary.seed,
            "offered": {str(way): count for way, count in summary.offered.items()},
            **counters_to_json(summary.counters, summary.policy),
            "conserved": summary.conserved and all(each.holds for each in sums),
        }
        print(json.dumps(document, indent=2))
    else:
        print("\n\n".join([render_counters(summary.counters, summary.policy), "\n".join(map(str, sums))]))
    say(f"engine {summary.engine}, seed {summary.seed}")
    for difference in summary.differences:
        say(f"different from the golden model: {difference.describe()}")
    return exit_code(summary, damaged) if all(each.holds for each in sums) else EXIT_MISMATCH
