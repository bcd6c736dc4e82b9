"""What a run is worth saying: its sums, as JSON for programs and as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from halfsilver.harness.engine import Identity, Result
from halfsilver.harness.engines.registry import REFERENCE
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Counters, Port, Tally
from halfsilver.harness.report.compare import Difference
from halfsilver.harness.report.counters import counters_to_json
from halfsilver.harness.report.run_sums import FateSum, RunSums
from halfsilver.harness.report.tables import share, table
from halfsilver.harness.verdict import Direction, Verdict

__all__ = ["RunSummary", "RunTally", "agreement", "render_run"]

KEPT_DIFFERENCES = 20
"""Differences kept in full; all are counted."""


@dataclass(kw_only=True)
class RunTally:
    """The sums of a run, or of a part of it, batch by batch.

    ``sums``: what the records say, frame by frame; ``counters``: what the engine counted itself.
    ``passed``: production frames that came out as they went in; None where the engine carries none.
    ``noise``: frames of others on the engine's wires. ``differences`` from the golden model are the first few.
    """

    offered: dict[Direction, int] = field(default_factory=lambda: dict.fromkeys(Direction, 0))
    passed: dict[Direction, int] | None = None
    sums: RunSums = field(default_factory=RunSums)
    copies: int = 0
    counters: Counters = field(default_factory=Counters)
    cycles: int | None = None
    noise: int = 0
    difference_count: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def frames(self) -> int:
        """Frames offered, both directions."""
        return sum(self.offered.values())

    def add(self, directions: Sequence[Direction], result: Result, differences: Sequence[Difference]) -> None:
        """Take in one batch: the directions of its frames, what the engine said, where the model differs."""
        for direction in directions:
            self.offered[direction] += 1
        self.sums.add(result.verdicts)
        self.copies += len(result.outputs)
        self.noise += result.noise
        self.counters = result.counters  # totals since the engine was configured
        if result.cycles is not None:
            self.cycles = (self.cycles or 0) + result.cycles
        if result.production is not None:
            self._pass({way: tally.frames for way, tally in result.production.items()})
        self._differ(differences, len(differences))

    def take_in(self, other: RunTally) -> None:
        """The sums of the frames that came next; their counters are of these frames alone."""
        for way, count in other.offered.items():
            self.offered[way] += count
        self.sums.take_in(other.sums)
        self.copies += other.copies
        self.noise += other.noise
        self.counters.add(other.counters)
        if other.cycles is not None:
            self.cycles = (self.cycles or 0) + other.cycles
        if other.passed is not None:
            self._pass(other.passed)
        self._differ(other.differences, other.difference_count)

    def _pass(self, passed: Mapping[Direction, int]) -> None:
        before = self.passed or dict.fromkeys(Direction, 0)
        self.passed = {way: before[way] + count for way, count in passed.items()}

    def _differ(self, differences: Sequence[Difference], count: int) -> None:
        self.difference_count += count
        self.differences += differences[: max(0, KEPT_DIFFERENCES - len(self.differences))]


@dataclass
class RunSummary(RunTally):
    """A run and its sums. ``interrupted``: the input was ended from outside. ``identity``: what the engine says of
    itself, once it is open. ``compared`` says that the golden model judged the same frames."""

    engine: str
    seed: int
    policy: Policy
    compared: bool = False
    identity: Identity | None = None
    interrupted: bool = False

    @property
    def verdicts(self) -> dict[Verdict, FateSum]:
        """What the records sum up to by verdict, those there are, in the order of their codes."""
        return dict(sorted(self.sums.by(lambda fate: fate.verdict).items()))

    @property
    def due(self) -> dict[Direction, int]:
        """Frames that have to go on: all that were offered, but of ingress not what is dropped under guards (14.11)."""
        if not self.policy.guarded:
            return self.offered
        dropped = self.counters.verdicts.get((Direction.INGRESS, Verdict.DROPPED), Tally())
        return {**self.offered, Direction.INGRESS: self.offered[Direction.INGRESS] - dropped.frames}

    @property
    def conserved(self) -> bool:
        """Every frame offered has exactly one verdict, in the records and in the engine's counters, and has passed,
        in and, if it was due, out, at the ports that it counts."""
        counted = dict.fromkeys(Direction, 0)
        for (direction, _), tally in self.counters.verdicts.items():
            counted[direction] += tally.frames
        judged = counted == self.offered and self.sums.frames == self.frames
        ports = all(
            self.counters.passed(port) == (self.offered if port.enters else self.due)[port.direction]
            for port in Port
            if port.direction is not None
        )
        return judged and ports and self.passed in (None, self.due)

    def to_json(self) -> dict[str, Any]:
        """The summary of ``--json``; counters that are zero are left out."""
        return {
            "engine": self.engine,
            "seed": self.seed,
            "offered": self.frames,
            "passed": None if self.passed is None else sum(self.passed.values()),
            "verdicts": {str(verdict): part.frames for verdict, part in self.verdicts.items()},
            "mirrored_bytes": self.sums.total.copied,
            "copies": self.copies,
            "counters": counters_to_json(self.counters, self.policy),
            "conserved": self.conserved,
            "cycles": self.cycles,
            "noise": self.noise,
            "agreement": None if not self.compared else not self.difference_count,
            "differences": self.difference_count,
            "first_differences": [difference.describe() for difference in self.differences],
        }


def render_run(summary: RunSummary, files: Sequence[str] = ()) -> str:
    """The tables of a run: verdicts, sessions, lines on ``files``, agreement, conservation at the bottom."""
    parts = [_verdict_table(summary)]
    sessions = _session_table(summary)
    if sessions:
        parts.append(sessions)
    last = [
        f"engine {summary.engine}, seed {summary.seed}"
        + (f", {summary.cycles:,} clock cycles" if summary.cycles is not None else "")
    ]
    last += files
    if summary.compared:
        last.append(agreement(summary))
    if summary.passed is not None:
        last.append(_production(summary, summary.passed))
    if summary.noise:
        last.append(f"noise: {summary.noise:,} frames of others on the wires, told apart and left out")
    last.append(_conservation(summary))
    return "\n\n".join([*parts, "\n".join(last)])


def _verdict_table(summary: RunSummary) -> str:
    """Frames offered and their bytes; what was copied of them stands with the sessions."""
    parts = {**{str(verdict): part for verdict, part in summary.verdicts.items()}, "all": summary.sums.total}
    rows = [(name, part.frames, part.octets, share(part.frames, summary.frames)) for name, part in parts.items()]
    return table(("verdict", "frames", "bytes", "share"), rows, right="123")


def _session_table(summary: RunSummary) -> str:
    """Copies of each session; those that were skipped in a column of their own, where there are any."""
    skips = bool(summary.counters.skipped)
    rows: list[tuple[object, ...]] = []
    for eni, interface in enumerate(summary.policy.interfaces):
        for index, session in enumerate(interface.sessions):
            sent, skipped = (
                [table[way, eni, index] for way in Direction if (way, eni, index) in table]
                for table in (summary.counters.sessions, summary.counters.skipped)
            )
            rows.append(
                (
                    interface.eni_id,
                    str(session.number),
                    session.session_id,
                    str(session.vni),
                    sum(tally.frames for tally in sent),
                    sum(tally.octets for tally in sent),
                    *((sum(tally.frames for tally in skipped),) if skips else ()),
                    session.where,
                )
            )
    if not rows:
        return ""
    header = ("interface", "number", "session", "VNI", "copies", "bytes", *(("skipped",) if skips else ()), "to")
    return table(header, rows, right="13456" if skips else "1345")


def agreement(summary: RunSummary) -> str:
    """What the comparison with the golden model found, in a line."""
    if summary.difference_count:
        first = summary.differences[0].describe((REFERENCE, summary.engine))
        return (
            f"agreement: NO, {summary.difference_count:,} differences between {REFERENCE} and {summary.engine}; "
            f"first: {first}"
        )
    lost = summary.verdicts.get(Verdict.CONGESTED, FateSum()).frames
    same = summary.sums.frames - lost
    text = (
        f"agreement: golden and {summary.engine} give the same {same:,} verdicts, {summary.copies:,} copies "
        "and counters"
    )
    return f"{text}, with {lost:,} frames congested" if lost else text


def _production(summary: RunSummary, passed: dict[Direction, int]) -> str:
    out = sum(passed.values())
    same = "unchanged" if passed == summary.due else "NOT ALL"
    stopped = summary.frames - sum(summary.due.values())
    return f"production {summary.frames:,} frames in, {out:,} out, {same}" + (
        f", {stopped:,} dropped" if stopped else ""
    )


def _conservation(summary: RunSummary) -> str:
    ways = " + ".join(f"{summary.offered[direction]:,} {direction}" for direction in Direction)
    holds = "conserved" if summary.conserved else "NOT CONSERVED"
    return f"offered {summary.frames:,} ({ways}) = sum over verdicts {summary.sums.frames:,}: {holds}"
