"""Frames into a card, and what comes of them gathered: by two wires, and from the ring of verdicts.

Nothing waits by a clock: what is waited for is counted, so that a recorded run takes the same way when played back.
"""

from __future__ import annotations

from collections.abc import Sequence

from halfsilver.harness.bench.sorting import Sorted, own_records, sort_frames
from halfsilver.harness.bench.wire import FramesLost, Wire
from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.matching import names_a_session
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord

__all__ = ["SLICE", "Exchange"]

SLICE = 0.02
"""Seconds that a wire is listened to at a time, and without a frame before a batch is taken to be through."""

_NOISY = 4
"""Frames of others may have no end: for so many times the patience they are let pass as news."""

_FAR = {Direction.INGRESS: Direction.EGRESS, Direction.EGRESS: Direction.INGRESS}


class Exchange:
    """One batch.

    driver    its ring keeps all verdicts, and is empty
    wires     by the direction of the frames that go in there
    depth     of the ring
    patience  seconds without anything new after which what is missing is given up

    ``records`` by direction, oldest first; ``came``: by the direction of the frames that come out there, what came.
    """

    def __init__(
        self, driver: Driver, wires: dict[Direction, Wire], policy: Policy, depth: int, patience: float
    ) -> None:
        self._driver, self._policy, self._depth, self._patience = driver, policy, depth, patience
        self._in = wires
        self._out = {way: wires[_FAR[way]] for way in Direction}
        self._sent: list[Frame] = []
        self._count = dict.fromkeys(Direction, 0)
        self._shortest = max(wire.shortest for wire in wires.values())
        self.records: dict[Direction, list[VerdictRecord]] = {way: [] for way in Direction}
        self.came: dict[Direction, list[bytes]] = {way: [] for way in Direction}

    def offer(self, portion: Sequence[Frame]) -> None:
        """Send frames, and gather until as much has come as has to. Errors as of `finish`."""
        for way, wire in self._in.items():
            wire.send([frame.data for frame in portion if frame.direction is way])
            self._count[way] += sum(frame.direction is way for frame in portion)
        self._sent += portion
        waited, rounds = 0.0, 0
        while not self._enough():
            fresh = self._gather(listen=False) or self._gather(listen=True)
            waited = 0.0 if fresh else waited + SLICE
            rounds += 1
            if waited >= self._patience or rounds * SLICE >= _NOISY * self._patience:
                self.finish()  # says what is missing
                return

    def finish(self) -> tuple[Sorted, list[VerdictRecord], list[VerdictRecord]]:
        """What came, sorted, with the records of our frames and those of others.

        FramesLost if frames did not reach the card, or it could not keep their verdicts; HalfsilverError for what came
        out wrong, or not at all.
        """
        waited, rounds = 0.0, 0
        while True:
            fresh = self._gather(listen=True)
            waited = 0.0 if fresh else waited + SLICE
            rounds += 1
            if fresh and rounds * SLICE < self._patience:
                continue
            over = waited >= self._patience or rounds * SLICE >= _NOISY * self._patience
            try:
                found = self._sort()
            except FramesLost:
                if not over:
                    continue
                self._check_ring()
                raise
            if over or not found[0].incomplete:
                self._check_ring()
                if found[0].problem is not None:
                    raise HalfsilverError(found[0].problem)
                return found

    def _enough(self) -> bool:
        """By their number; frames of others count as well, so the end of a batch is decided by `finish`."""
        mirrored = sum(record.verdict is Verdict.MIRRORED for records in self.records.values() for record in records)
        stopped = sum(record.verdict is Verdict.DROPPED for record in self.records[Direction.INGRESS])
        ingress, egress = self._count[Direction.INGRESS], self._count[Direction.EGRESS]
        return (
            all(len(self.records[way]) >= count for way, count in self._count.items())
            and len(self.came[Direction.INGRESS]) >= ingress - stopped * self._policy.guarded
            and len(self.came[Direction.EGRESS]) >= egress + mirrored
        )

    def _gather(self, listen: bool) -> bool:
        """Take what is there; with ``listen`` wait for it a little. Whether there was anything."""
        records = self._driver.read_verdicts(self._depth)
        for record in records:
            self.records[record.direction].append(record)
        fresh = bool(records)
        for way, wire in self._out.items():
            came = [each.data.ljust(self._shortest, b"\0") for each in wire.receive(SLICE / 2 if listen else 0.0)]
            self.came[way] += came
            fresh = fresh or bool(came)
        return fresh

    def _sort(self) -> tuple[Sorted, list[VerdictRecord], list[VerdictRecord]]:
        ours: dict[int, VerdictRecord] = {}
        others: list[VerdictRecord] = []
        for way, records in self.records.items():
            indices = [index for index, frame in enumerate(self._sent) if frame.direction is way]
            frames = [self._sent[index] for index in indices]
            passed = [data for data in self.came[way] if not names_a_session(data, self._policy)]
            places = own_records(way, frames, records, passed)
            ours |= {index: records[place] for index, place in zip(indices, places, strict=True)}
            mine = set(places)
            others += [record for place, record in enumerate(records) if place not in mine]
        verdicts = [ours[index] for index in range(len(self._sent))]
        return sort_frames(self._sent, verdicts, self.came, others, self._policy), verdicts, others

    def _check_ring(self) -> None:
        lost = self._driver.lost_verdicts()
        if lost:
            raise FramesLost(
                f"the card's ring of {self._depth:,} verdicts was full and has lost {lost:,}: more frames of others "
                "came than could be read; see that nobody else speaks on these wires"
            )
