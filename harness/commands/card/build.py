"""``halfsilver build``: a board's bitstream, with the tools from PyPI, and a report of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from halfsilver.boards import BOARDS
from halfsilver.boards.report import Report
from halfsilver.harness.commands.card.program import BUILDS
from halfsilver.harness.commands.common import Subparsers, say
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK, UsageError
from halfsilver.harness.installation import missing_package, revision

__all__ = ["add", "conclude", "run"]

SEEDS = "1,2,3"


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "build",
        help="make a board's bitstream",
        description=f"Make a board's bitstream and a report in {BUILDS}/BOARD, below the current directory. The same "
        "commit and tools give the same bitstream, and its card says which it is. Exit code 1 if a clock misses, or if "
        "the median of three seeds or more has less margin than the board wants; then there is no bitstream, and the "
        "report says why.",
    )
    parser.add_argument("board", metavar="BOARD", choices=tuple(BOARDS), help=f"one of {', '.join(BOARDS)}")
    parser.add_argument(
        "--seeds",
        default=SEEDS,
        metavar="N,N...",
        help="place and route with each, and take the one with the best margin (default: %(default)s)",
    )
    parser.add_argument(
        "--smoke", action="store_true", help="the smallest card of the board, as BOARD-smoke: a quick trial of the flow"
    )
    parser.add_argument(
        "--etherbone",
        action="store_true",
        help="the registers at the port to the host as well, as BOARD-etherbone: who is there can change the rules",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    try:
        seeds = [int(seed) for seed in arguments.seeds.split(",")]
    except ValueError:
        raise UsageError(
            f"--seeds {arguments.seeds}: wanted are numbers with commas between, such as {SEEDS}"
        ) from None
    try:
        from halfsilver.boards.card_build import design_of
        from halfsilver.boards.flow import build
    except ModuleNotFoundError as error:
        raise missing_package("a bitstream", error, "synth") from None
    design = design_of(BOARDS[arguments.board], smoke=arguments.smoke, etherbone=arguments.etherbone)
    return conclude(build(design, seeds, Path(BUILDS, design.name), say, revision=revision()), as_json=arguments.json)


def conclude(report: Report, *, as_json: bool) -> int:
    """Print it; the exit code, with a line for each problem where it is not 0."""
    print(report.to_json() if as_json else report.to_text(), end="")
    for problem in report.problems:
        say(f"{report.board}: {problem}")
    return EXIT_MISMATCH if report.problems else EXIT_OK
