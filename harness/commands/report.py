"""``--report``: a page of the run for people, beside what the command prints."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from halfsilver.harness.commands.common import DirectionChooser, flags_of, open_golden
from halfsilver.harness.commands.lots import Observer
from halfsilver.harness.errors import UsageError
from halfsilver.harness.golden.narrate import describe
from halfsilver.harness.installation import missing_package
from halfsilver.harness.output import atomic_output, refuse_overwriting_input
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.page.gathering import Gatherer, Gathering, Sample
from halfsilver.harness.report.summary import RunSummary
from halfsilver.hdl.layout.version import VERSION

__all__ = ["Report", "add_report_argument"]

PAGE = "index.html"
SWITCHES = ("tap", "terminal_reject", "both_sides", "full_rate")
"""Options that a page names where they are on."""


def add_report_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--report",
        metavar="DIR",
        help=f"write a page of the run for people, DIR/{PAGE}: verdicts, sessions, rules, what was cut, samples",
    )


class Report:
    """The page of one run: made before it, shown every batch, written behind it; there is no folder for it before.

    EnvironmentMissing without the packages of the extra; UsageError if the folder cannot be one.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        try:
            from halfsilver.harness.report.page import page
        except ModuleNotFoundError as error:
            raise missing_package("--report", error, "report") from None
        self._page = page
        self._arguments = arguments
        self._folder = Path(arguments.report)
        self._path = str(self._folder / PAGE)
        if arguments.verdicts not in (None, "-") and Path(arguments.verdicts).resolve() == Path(self._path).resolve():
            raise UsageError(f"--report and --verdicts both write {self._path}; give them two names")
        refuse_overwriting_input("--report", self._path, {"-r": arguments.read, "-c": arguments.config})
        there = next(each for each in (self._folder, *self._folder.absolute().parents) if each.exists())
        if not arguments.report or not there.is_dir() or not os.access(there, os.W_OK):
            raise UsageError(f"--report {arguments.report or repr('')}: cannot be made a folder; name one to write to")

    def observe(self, policy: Policy) -> Observer:
        """What has to see the batches of the run."""
        self._gathering = Gathering()
        return Observer(Gatherer(policy), self._gathering.take_in)

    def write(self, summary: RunSummary, damaged: bool, hints: Sequence[str]) -> str:
        """Write the page; where it is. ``hints`` are lines on what would help."""
        arguments = self._arguments
        written = [("copies", arguments.write), ("verdicts", arguments.verdicts)]
        files = [(what, path) for what, path in written if path not in (None, "-")]
        about = self._page.About(
            capture=_name(arguments.read),
            facts=list(self._facts(summary)),
            walk=self._walk(summary),
            files=[(what, self._page.link(path, self._folder), path) for what, path in files],
            hints=hints,
            notes=["The capture is damaged: what could be read of it was judged."] if damaged else [],
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        with atomic_output(self._path) as stream:
            stream.write(self._page.render_page(summary, self._gathering, about).encode(errors="backslashreplace"))
        return self._path

    def _walk(self, summary: RunSummary) -> Callable[[Sample], Sequence[str]]:
        """How the law judges a frame, as ``halfsilver explain`` says it, by a model with the limits of the engine."""
        golden = open_golden(summary.policy, flags_of(self._arguments), summary.identity)
        choose = DirectionChooser(self._arguments.direction, summary.policy)
        return lambda sample: describe(golden.explain(choose.frame(sample.frame)))

    def _facts(self, summary: RunSummary) -> Iterator[tuple[str, str]]:
        arguments = self._arguments
        for path in arguments.read:
            yield "capture", path
        yield "policy", arguments.config
        for problem in summary.policy.warnings:
            yield problem.severity, f"{problem.where}: {problem.message}"
        yield "engine", summary.engine if summary.identity is None else summary.identity.detail
        if summary.cycles is not None:
            yield "clock cycles", f"{summary.cycles:,}"
        yield "seed", str(summary.seed)
        settings = [f"direction {arguments.direction}"]
        settings += [name.replace("_", " ") for name in SWITCHES if getattr(arguments, name)]
        settings += [f"segments of {arguments.segment:,} bytes"] if arguments.segment else []
        yield "settings", ", ".join(settings)
        yield "made by", f"halfsilver {VERSION}"


def _name(paths: Sequence[str]) -> str:
    """What to call what was read."""
    if len(paths) > 1:
        return f"{len(paths)} captures"
    return "standard input" if paths[0] == "-" else Path(paths[0]).name
