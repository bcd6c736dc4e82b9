"""The sums of a run, against sums made frame by frame."""

from __future__ import annotations

from collections import Counter

from halfsilver.harness.report.run_sums import EXAMPLES, Fate, FateSum, RunSums
from halfsilver.harness.verdict import Direction, Service, Verdict, VerdictRecord

IN, OUT = Direction.INGRESS, Direction.EGRESS

RECORDS = [
    VerdictRecord(0, IN, Verdict.MIRRORED, 100, eni=0, session=1, rule=2, copied=60),
    VerdictRecord(1, IN, Verdict.NO_ENI, 70),
    VerdictRecord(2, OUT, Verdict.MIRRORED, 90, eni=0, session=1, rule=2, copied=60),
    VerdictRecord(3, IN, Verdict.NOT_ELIGIBLE, 42, service=Service.ARP, eni=0),
    VerdictRecord(4, IN, Verdict.MIRRORED, 50, eni=0, session=1, rule=2, copied=50),
]


def summed(*portions: list[VerdictRecord]) -> RunSums:
    sums = RunSums()
    for portion in portions:
        sums.add(portion)
    return sums


def test_each_fate_has_its_frames_bytes_copies_and_numbers():
    sums = summed(RECORDS)
    assert sums.fates[Fate(Verdict.MIRRORED, IN, 0, 1, 2, Service.NONE)] == FateSum(2, 150, 110, [1, 5])
    assert sums.fates[Fate(Verdict.NOT_ELIGIBLE, IN, 0, None, None, Service.ARP)] == FateSum(1, 42, 0, [4])
    assert sums.by(lambda fate: fate.verdict)[Verdict.MIRRORED] == FateSum(3, 240, 170, [1, 3, 5])
    assert sums.total == FateSum(5, 352, 170, [1, 2, 3, 4, 5])
    assert RunSums().total == FateSum()


def test_batches_are_one_run():
    assert summed(RECORDS[:2], [], RECORDS[2:]) == summed(RECORDS)


def test_memory_does_not_grow_with_the_frames():
    sums = summed(*[RECORDS] * 1000)
    assert sums.frames == 5000
    assert len(sums.fates) == len(summed(RECORDS).fates)
    assert {len(part.examples) for part in sums.fates.values()} == {EXAMPLES}
    counted = Counter(record.verdict for record in RECORDS * 1000)
    assert {verdict: part.frames for verdict, part in sums.by(lambda fate: fate.verdict).items()} == counted
