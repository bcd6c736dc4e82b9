"""What a run is worth saying: its sums, as JSON for programs and as tables for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from halfsilver.harness.engine import Result
from halfsilver.harness.engines.registry import REFERENCE
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Counters, Port, Tally
from halfsilver.harness.report.compare import Difference
from halfsilver.harness.report.verdict_lines import names_of
from halfsilver.harness.verdict import Direction, Verdict

__all__ = ["RunSummary", "render_run", "share", "table"]

KEPT_DIFFERENCES = 20
"""Differences kept in full; all are counted."""


@dataclass
class RunSummary:
    """The sums of a run, batch by batch.

    ``passed``: production frames that came out as they went in; None where the engine carries none.
    ``compared`` says that the golden model judged the same frames; ``differences`` are the first few.
    """

    engine: str
    seed: int
    policy: Policy
    compared: bool = False
    offered: dict[Direction, int] = field(default_factory=lambda: dict.fromkeys(Direction, 0))
    passed: dict[Direction, int] | None = None
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    mirrored_bytes: int = 0
    copies: int = 0
    counters: Counters = field(default_factory=Counters)
    cycles: int | None = None
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
        for record in result.verdicts:
            self.verdicts[record.verdict] += 1
            self.mirrored_bytes += record.copied
        self.copies += len(result.outputs)
        self.counters = result.counters  # totals since the engine was configured
        if result.cycles is not None:
            self.cycles = (self.cycles or 0) + result.cycles
        if result.production is not None:
            before = self.passed or dict.fromkeys(Direction, 0)
            self.passed = {way: before[way] + tally.frames for way, tally in result.production.items()}
        self.difference_count += len(differences)
        self.differences += differences[: max(0, KEPT_DIFFERENCES - len(self.differences))]

    @property
    def conserved(self) -> bool:
        """Every frame offered has exactly one verdict, in the records and in the engine's counters, and has passed,
        in and out, at the ports that it counts."""
        counted = dict.fromkeys(Direction, 0)
        for (direction, _), tally in self.counters.verdicts.items():
            counted[direction] += tally.frames
        judged = counted == self.offered and self.verdicts.total() == self.frames
        ports = all(
            self.counters.passed(port) == self.offered[port.direction] for port in Port if port.direction is not None
        )
        return judged and ports and self.passed in (None, self.offered)

    def to_json(self) -> dict[str, Any]:
        """The summary of ``--json``; counters that are zero are left out."""
        return {
            "engine": self.engine,
            "seed": self.seed,
            "offered": self.frames,
            "passed": None if self.passed is None else sum(self.passed.values()),
            "verdicts": {str(verdict): self.verdicts[verdict] for verdict in Verdict if self.verdicts[verdict]},
            "mirrored_bytes": self.mirrored_bytes,
            "copies": self.copies,
            "counters": self._counters_to_json(),
            "conserved": self.conserved,
            "cycles": self.cycles,
            "agreement": None if not self.compared else not self.difference_count,
            "differences": self.difference_count,
            "first_differences": [difference.describe() for difference in self.differences],
        }

    def _counters_to_json(self) -> dict[str, list[dict[str, Any]]]:
        counters = self.counters
        verdicts = [
            {"direction": str(direction), "verdict": str(verdict), **_tally_to_json(tally)}
            for (direction, verdict), tally in sorted(counters.verdicts.items())
        ]
        sessions = []
        for place in sorted(counters.sessions.keys() | counters.skipped.keys()):
            direction, eni, session = place
            names = names_of(self.policy, direction, eni, session)
            sent, skipped = counters.sessions.get(place, Tally()), counters.skipped.get(place, Tally())
            sessions.append(
                {
                    "direction": str(direction),
                    "eni": names.eni,
                    "session": names.session,
                    **_tally_to_json(sent),
                    **_tally_to_json(skipped, "skipped_"),
                }
            )
        rules = []
        for (direction, eni, session, rule), tally in sorted(counters.rules.items()):
            names = names_of(self.policy, direction, eni, session, rule)
            rules.append({"direction": str(direction), **asdict(names), **_tally_to_json(tally)})
        ports = [
            {
                "port": str(port),
                **_tally_to_json(counters.ports.get((port, False), Tally())),
                **_tally_to_json(counters.ports.get((port, True), Tally()), "bad_"),
            }
            for port in sorted({port for port, _ in counters.ports})
        ]
        enis = sorted({eni for _, eni, _ in counters.sessions.keys() | counters.skipped.keys()})
        metrics = [{"eni": names_of(self.policy, Direction.INGRESS, eni).eni, **counters.metrics(eni)} for eni in enis]
        return {"verdicts": verdicts, "sessions": sessions, "rules": rules, "ports": ports, "metrics": metrics}


def _tally_to_json(tally: Tally, prefix: str = "") -> dict[str, int]:
    return {f"{prefix}frames": tally.frames, f"{prefix}bytes": tally.octets}


def table(header: Sequence[str], rows: Sequence[Sequence[object]], right: str = "") -> str:
    """Columns of text. ``right`` names the columns set flush right by digits, from 0, such as ``"123"``.

    Whole numbers get thousands separators.
    """
    cells = [list(header)]
    cells += [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        line = "  ".join(
            cell.rjust(width) if str(column) in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append(line.rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def share(part: int, whole: int) -> str:
    """A percentage with one decimal; never 0.0 or 100.0 unless it is exactly that."""
    if part in (0, whole) or not whole:
        return f"{100 * part / whole if whole else 0:.1f} %"
    return f"{min(99.9, max(0.1, 100 * part / whole)):.1f} %"


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
        last.append(_agreement(summary))
    if summary.passed is not None:
        last.append(_production(summary, summary.passed))
    last.append(_conservation(summary))
    return "\n\n".join([*parts, "\n".join(last)])


def _verdict_table(summary: RunSummary) -> str:
    rows: list[tuple[object, ...]] = []
    total = 0
    for verdict in Verdict:
        if not summary.verdicts[verdict]:
            continue
        octets = sum(tally.octets for (_, of), tally in summary.counters.verdicts.items() if of is verdict)
        total += octets
        frames = summary.verdicts[verdict]
        rows.append((str(verdict), frames, octets, share(frames, summary.frames)))
    rows.append(("all", summary.verdicts.total(), total, share(summary.verdicts.total(), summary.frames)))
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
            where = str(session.outer.destination) if session.outer else "target down"
            rows.append(
                (
                    interface.eni_id,
                    str(session.number),
                    session.session_id,
                    str(session.vni),
                    sum(tally.frames for tally in sent),
                    sum(tally.octets for tally in sent),
                    *((sum(tally.frames for tally in skipped),) if skips else ()),
                    where,
                )
            )
    if not rows:
        return ""
    header = ("interface", "number", "session", "VNI", "copies", "bytes", *(("skipped",) if skips else ()), "to")
    return table(header, rows, right="13456" if skips else "1345")


def _agreement(summary: RunSummary) -> str:
    if summary.difference_count:
        first = summary.differences[0].describe((REFERENCE, summary.engine))
        return (
            f"agreement: NO, {summary.difference_count:,} differences between {REFERENCE} and {summary.engine}; "
            f"first: {first}"
        )
    lost = summary.verdicts[Verdict.CONGESTED]
    same = summary.verdicts.total() - lost
    text = (
        f"agreement: golden and {summary.engine} give the same {same:,} verdicts, {summary.copies:,} copies "
        "and counters"
    )
    return f"{text}, with {lost:,} frames congested" if lost else text


def _production(summary: RunSummary, passed: dict[Direction, int]) -> str:
    out = sum(passed.values())
    same = "unchanged" if passed == summary.offered else "NOT ALL"
    return f"production {summary.frames:,} frames in, {out:,} out, {same}"


def _conservation(summary: RunSummary) -> str:
    ways = " + ".join(f"{summary.offered[direction]:,} {direction}" for direction in Direction)
    holds = "conserved" if summary.conserved else "NOT CONSERVED"
    return f"offered {summary.frames:,} ({ways}) = sum over verdicts {summary.verdicts.total():,}: {holds}"
