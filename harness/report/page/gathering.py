"""What a page shows beside the sums of a run, gathered while it runs; bounded, whatever the capture has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.engine import Result
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.page.cuts import Cuts
from halfsilver.harness.report.page.groups import group_of
from halfsilver.harness.report.page.talkers import Talkers
from halfsilver.harness.report.page.timeline import Timeline
from halfsilver.harness.report.run_sums import Fate
from halfsilver.harness.verdict import Verdict, VerdictRecord

__all__ = ["COPIES", "Gatherer", "Gathering", "Sample"]

COPIES = "copies"
"""The name of the copies' bytes, with outer headers, on the timeline; the others are groups of verdicts."""
PER_FATE, SAMPLES = 2, 48
"""Frames kept whole: of each fate, and in all. The first of a fate is kept before the second of another."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A frame of the run with its number (from 1), its record and its copies."""

    number: int
    frame: CapturedFrame
    record: VerdictRecord
    copies: tuple[bytes, ...]


class Gathering:
    """What was gathered of a run, or of a part of it."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.cuts = Cuts()
        self.talkers = Talkers()
        self._kept: dict[Fate, list[Sample]] = {}

    def add(self, sample: Sample, policy: Policy) -> None:
        """One frame more."""
        frame, record = sample.frame, sample.record
        self.timeline.add(frame.timestamp, group_of(record.verdict).name, record.length)
        if sample.copies:
            self.timeline.add(frame.timestamp, COPIES, sum(map(len, sample.copies)))
        self.cuts.add(record, policy)
        if record.verdict is not Verdict.MIRRORED:
            self.talkers.add(frame.data, sample.number, record)
        self._keep(sample)

    def take_in(self, other: Gathering) -> None:
        """What was gathered of the frames that came next."""
        self.timeline.take_in(other.timeline)
        self.cuts.take_in(other.cuts)
        self.talkers.take_in(other.talkers)
        for kept in other._kept.values():
            for sample in kept:
                self._keep(sample)

    def _keep(self, sample: Sample) -> None:
        fate = Fate.of(sample.record)
        if len(self._kept.get(fate, ())) < PER_FATE and (fate in self._kept or len(self._kept) < SAMPLES):
            self._kept.setdefault(fate, []).append(sample)

    @property
    def samples(self) -> list[Sample]:
        """The first frames of every fate, at most ``SAMPLES``, by number."""
        ranked = sorted(
            ((place, sample) for kept in self._kept.values() for place, sample in enumerate(kept)),
            key=lambda item: (item[0], item[1].number),
        )
        return sorted((sample for _, sample in ranked[:SAMPLES]), key=lambda sample: sample.number)


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Gathers from a batch."""

    policy: Policy

    def __call__(self, batch: Sequence[CapturedFrame], result: Result, first: int) -> Gathering:
        """``first`` is the number of the batch's first frame."""
        gathering = Gathering()
        copies: dict[int, list[bytes]] = {}
        for output in result.outputs:
            copies.setdefault(output.frame, []).append(output.data)
        for index, (frame, record) in enumerate(zip(batch, result.verdicts, strict=True)):
            gathering.add(Sample(first + index, frame, record, tuple(copies.get(index, ()))), self.policy)
        return gathering
