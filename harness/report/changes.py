"""What two policies make of the same frames, where it is not the same: in groups, with the numbers of the first few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from halfsilver.harness.engine import Result
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.header_fields import field_at
from halfsilver.harness.report.run_sums import EXAMPLES, Fate, RunSums
from halfsilver.harness.report.verdict_lines import Names, names_of, why
from halfsilver.harness.verdict import VerdictRecord

__all__ = ["Change", "ChangeSum", "Changes", "Kind", "RuleChange", "Side"]


class Kind(StrEnum):
    """What becomes of a frame's copy; in the order of what a change may do harm with."""

    NEW = "now copied"
    GONE = "no longer copied"
    OTHER = "copied otherwise"
    SAME = "the same copy"
    NONE = "not copied"


class Change(NamedTuple):
    """Frames of one group: both fates in words, and where copies of the same fate differ first."""

    kind: Kind
    before: str
    after: str
    difference: str


@dataclass(slots=True)
class ChangeSum:
    """Frames of a change, their bytes, those copied of them before and after, numbers (from 1) of the first few."""

    frames: int = 0
    octets: int = 0
    copied_before: int = 0
    copied_after: int = 0
    examples: list[int] = field(default_factory=list)

    def count(self, number: int, before: VerdictRecord, after: VerdictRecord) -> None:
        self.frames += 1
        self.octets += before.length
        self.copied_before += before.copied
        self.copied_after += after.copied
        if len(self.examples) < EXAMPLES:
            self.examples.append(number)


class RuleChange(NamedTuple):
    """A rule whose verdicts are more or fewer: by id and number, as the policy that has it calls it."""

    session: str
    rule: str
    number: int | None
    before: int
    after: int


class Side:
    """One of the two policies, with the sums of what became of all frames; ``copies`` are those it made."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.sums = RunSums()
        self.copies = 0
        self._outcomes: dict[Fate, tuple[Names, str]] = {}

    def add(self, result: Result) -> dict[int, bytes]:
        """Sum up a batch; its copies by frame."""
        self.sums.add(result.verdicts)
        self.copies += len(result.outputs)
        return {output.frame: output.data for output in result.outputs}

    def outcome(self, record: VerdictRecord) -> tuple[Names, str]:
        """The ids that a record names, and its fate in words; both are the same where both policies say the same."""
        fate = Fate.of(record)
        found = self._outcomes.get(fate)
        if found is None:
            names = names_of(self.policy, fate.direction, fate.eni, fate.session, fate.rule)
            found = self._outcomes[fate] = names, f"{fate.direction}: {why(self.policy, fate)}"
        return found

    def rules(self) -> dict[tuple[str, str], tuple[int | None, int]]:
        """Frames of each rule that decided any: its number and how many, by session and rule."""
        hits: dict[tuple[str, str], tuple[int | None, int]] = {}
        for fate, part in self.sums.fates.items():
            names = names_of(self.policy, fate.direction, fate.eni, fate.session, fate.rule)
            if names.rule is not None and names.session is not None:
                _, before = hits.get((names.session, names.rule), (None, 0))
                hits[names.session, names.rule] = names.rule_number, before + part.frames
        return hits


class Changes:
    """Takes the results of both policies, batch by batch. Memory is bounded by the fates that the policies have."""

    def __init__(self, before: Policy, after: Policy) -> None:
        self.before, self.after = Side(before), Side(after)
        self.sums: dict[Change, ChangeSum] = {}
        self.more = ChangeSum()
        self._frames = 0

    def add(self, before: Result, after: Result) -> None:
        """What both made of the same batch."""
        copies = self.before.add(before), self.after.add(after)
        for index, records in enumerate(zip(before.verdicts, after.verdicts, strict=True)):
            self._frames += 1
            one, two = (each.get(index) for each in copies)
            change = self._change(*records, one, two)
            if change is not None:
                self.sums.setdefault(change, ChangeSum()).count(self._frames, *records)
            if records[1].copied > records[0].copied:
                self.more.count(self._frames, *records)

    def _change(
        self, before: VerdictRecord, after: VerdictRecord, one: bytes | None, two: bytes | None
    ) -> Change | None:
        (names, was), (new_names, becomes) = self.before.outcome(before), self.after.outcome(after)
        if (names, was) == (new_names, becomes) and one == two:
            return None
        return Change(_kind(one, two), was, becomes, _difference(one, two))

    @property
    def same(self) -> bool:
        """Nothing changes for any frame: the same verdicts by the same rules, and the same copies."""
        return not self.sums

    @property
    def changed(self) -> list[tuple[Change, ChangeSum]]:
        """The groups: by what becomes of the copies, and then by frames."""
        kinds = list(Kind)
        return sorted(self.sums.items(), key=lambda item: (kinds.index(item[0].kind), -item[1].frames))

    @property
    def rules(self) -> Iterator[RuleChange]:
        """The rules that decide more or fewer frames."""
        before, after = self.before.rules(), self.after.rules()
        for session, rule in sorted(before.keys() | after.keys()):
            number, was = before.get((session, rule), (None, 0))
            new_number, becomes = after.get((session, rule), (number, 0))
            if was != becomes:
                yield RuleChange(session, rule, new_number, was, becomes)

    def to_json(self) -> dict[str, Any]:
        return {
            "frames": self._frames,
            "same": self.same,
            "grows": self.more.frames > 0,
            "before": _side_to_json(self.before),
            "after": _side_to_json(self.after),
            "more": _sum_to_json(self.more),
            "changes": [
                {
                    "change": str(change.kind),
                    "before": change.before,
                    "after": change.after,
                    "difference": change.difference or None,
                    **_sum_to_json(part),
                }
                for change, part in self.changed
            ],
            "rules": [each._asdict() for each in self.rules],
        }


def _kind(one: bytes | None, two: bytes | None) -> Kind:
    if one is None and two is None:
        return Kind.NONE
    if one is None:
        return Kind.NEW
    if two is None:
        return Kind.GONE
    return Kind.SAME if one == two else Kind.OTHER


def _difference(one: bytes | None, two: bytes | None) -> str:
    """Where two copies differ: in their length, else the first field."""
    if one is None or two is None or one == two:
        return ""
    if len(one) != len(two):
        return "shorter" if len(two) < len(one) else "longer"
    at = next(at for at, (left, right) in enumerate(zip(one, two, strict=True)) if left != right)
    return field_at(two, at)


def _sum_to_json(part: ChangeSum) -> dict[str, int | Sequence[int]]:
    return {
        "frames": part.frames,
        "bytes": part.octets,
        "copied_before": part.copied_before,
        "copied_after": part.copied_after,
        "examples": part.examples,
    }


def _side_to_json(side: Side) -> dict[str, Any]:
    verdicts = sorted(side.sums.by(lambda fate: fate.verdict).items())
    return {
        "copies": side.copies,
        "copied_bytes": side.sums.total.copied,
        "verdicts": {str(verdict): part.frames for verdict, part in verdicts},
    }
