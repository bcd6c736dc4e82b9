"""What came on the wires of a card, told apart: production, copies, and frames of others.

A wire carries more than a run has sent: hosts and switches speak by themselves. What of that comes to the card passes
it, is judged and perhaps copied like any frame; it shows as records of the verdict ring that are nobody's here. So a
frame is ours if it has the bytes of one that was sent, in order; a copy is ours if it has the bytes of a frame whose
record says that it was mirrored, in the order of its direction; the rest is noise. What looks like ours and is none of
these, or what is ours and did not come, is an error.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from halfsilver.harness.bench.wire import FramesLost
from halfsilver.harness.nic.matching import copied_bytes, is_addressed_to, names_a_session
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame, Output
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord, is_stopped

__all__ = ["Sorted", "own_records", "sort_frames"]

_T = TypeVar("_T")


@dataclass
class Sorted:
    """``outputs`` are our copies as they left; ``noise`` counts frames of others. ``problem``: what is wrong, in words;
    ``incomplete`` says that frames may still come that put it right."""

    outputs: list[Output]
    noise: int
    problem: str | None
    incomplete: bool


def own_records(
    direction: Direction, frames: Sequence[Frame], records: Sequence[VerdictRecord], passed: Sequence[bytes]
) -> list[int]:
    """Places of our frames' records among all of a direction; ``passed`` is its production that came out.

    By the frames' lengths; where these fit in several ways, by the places of the frames among those that passed, if
    that is as many as there are records. FramesLost if ours cannot be told from others, or did not reach the card.
    """
    lengths = [len(frame.data) for frame in frames]
    theirs = [record.length for record in records]
    earliest = _places(lengths, theirs)
    if earliest is None:
        raise FramesLost(
            f"{len(frames):,} {direction} frames were sent, and of those of their lengths not all reached the card: "
            f"{len(records):,} have a verdict"
        )
    latest = [len(theirs) - 1 - place for place in _places(lengths[::-1], theirs[::-1]) or []][::-1]
    if earliest == latest:
        return earliest
    found = _places([frame.data for frame in frames], passed)
    if len(passed) != len(records) or found is None:
        raise FramesLost(
            f"of {len(records):,} verdicts of {direction} frames {len(records) - len(frames):,} are of frames that "
            "others sent, and which these are cannot be told: see that nobody else speaks on these wires"
        )
    return found


def _places(wanted: Sequence[_T], there: Sequence[_T]) -> list[int] | None:
    """Where the wanted ones are, in their order, each as early as can be."""
    places = []
    at = 0
    for each in wanted:
        while at < len(there) and there[at] != each:
            at += 1
        if at == len(there):
            return None
        places.append(at)
        at += 1
    return places


class _Due:
    """Frames that have to come, in order: their indices in the batch, and their bytes."""

    def __init__(self, due: Iterable[tuple[int, bytes]]) -> None:
        self.due = list(due)
        self.skipped: list[int] = []  # places that others came before
        self._next = 0
        self._places: dict[bytes, deque[int]] = defaultdict(deque)
        for place, (_, data) in enumerate(self.due):
            self._places[data].append(place)

    def take(self, data: bytes, ahead: bool = False) -> int | None:
        """The index of the next one if these are its bytes, or, ``ahead``, of a later one."""
        places = self._places.get(data, deque())
        while places and places[0] < self._next:
            places.popleft()
        if not places or (places[0] != self._next and not ahead):
            return None
        place = places.popleft()
        self.skipped += range(self._next, place)
        self._next = place + 1
        return self.due[place][0]

    @property
    def head(self) -> int | None:
        """The index of the next one."""
        return self.due[self._next][0] if self._next < len(self.due) else None

    def index_of(self, data: bytes) -> int | None:
        """The first of these bytes, whether it has come or not."""
        return next((index for index, each in self.due if each == data), None)

    @property
    def missing(self) -> list[tuple[int, bytes]]:
        """Those that have not come, or not in order."""
        return [self.due[place] for place in self.skipped] + self.due[self._next :]


def sort_frames(
    frames: Sequence[Frame],
    verdicts: Sequence[VerdictRecord],
    came: dict[Direction, list[bytes]],
    others: Sequence[VerdictRecord],
    policy: Policy,
) -> Sorted:
    """Sort what came on the far side of each direction, for a batch with these verdicts.

    ``others``: records of frames that are not ours; their copies are noise.
    """
    sorting = _Sorting(frames, verdicts, policy)
    sorting.take_all(came)
    spare = sorting.spare_copies(sum(record.verdict is Verdict.MIRRORED for record in others))
    repeated, missing = sorting.repeated(spare), sorting.missing()
    unclaimed = f"copies came that belong to no frame, {len(spare)}, the first {spare[0][:64].hex()}" if spare else None
    noise = sum(map(len, sorting.strangers.values()))
    return Sorted(sorting.outputs, noise, repeated or missing or unclaimed, incomplete=bool(missing and not repeated))


class _Sorting:
    """A batch: what is due by direction, ``strangers`` that came and were not due, and ``outputs``."""

    def __init__(self, frames: Sequence[Frame], verdicts: Sequence[VerdictRecord], policy: Policy) -> None:
        self._verdicts, self._policy = verdicts, policy
        self._production: dict[Direction, _Due] = {}
        self._copies: dict[Direction, _Due] = {}
        for way in Direction:
            ours = [
                (index, frame.data, verdicts[index]) for index, frame in enumerate(frames) if frame.direction is way
            ]
            self._production[way] = _Due(
                (index, data) for index, data, record in ours if not is_stopped(record, policy.guarded)
            )
            self._copies[way] = _Due(
                (index, data[: record.copied]) for index, data, record in ours if record.verdict is Verdict.MIRRORED
            )
        self.strangers: dict[Direction, list[bytes]] = {way: [] for way in Direction}
        self.outputs: list[Output] = []

    def take_all(self, came: dict[Direction, list[bytes]]) -> None:
        for way, production in self._production.items():
            for data in came[way]:
                if production.take(data) is not None:
                    continue
                if way is Direction.EGRESS and (index := self._take_copy(data)) is not None:
                    self.outputs.append(Output(index, data))
                elif production.take(data, ahead=True) is None:
                    self.strangers[way].append(data)

    def _take_copy(self, data: bytes) -> int | None:
        """The frame whose copy it is: of those that are next the one that its outer headers name, else a later one."""
        inner = copied_bytes(data)

        def is_named(way: Direction) -> bool:
            head = self._copies[way].head
            return head is not None and is_addressed_to(data, self._verdicts[head], self._policy)

        ways = sorted(Direction, key=is_named, reverse=True)
        found = (self._copies[way].take(inner, ahead) for ahead in (False, True) for way in ways)
        return next((index for index in found if index is not None), None)

    def spare_copies(self, others: int) -> list[bytes]:
        """Copies that came and were not due, if there are more than those of so many frames of others."""
        found = [data for data in self.strangers[Direction.EGRESS] if names_a_session(data, self._policy)]
        return found if len(found) > others else []

    def repeated(self, spare: Sequence[bytes]) -> str | None:
        """One of ours that came although it was not due, or not any more."""
        for way, strangers in self.strangers.items():
            for data in strangers:
                index = self._production[way].index_of(data)
                if index is not None:
                    return f"frame {index + 1} of the batch ({way}) came out twice, or out of order"
        for data in spare:
            indices = [copies.index_of(copied_bytes(data)) for copies in self._copies.values()]
            index = next((index for index in indices if index is not None), None)
            if index is not None:
                return f"the copy of frame {index + 1} of the batch came twice, or out of order"
        return None

    def missing(self) -> str | None:
        """One of ours that was due and did not come."""
        for way, production in self._production.items():
            if production.missing:
                index, data = production.missing[0]
                near = _nearest(data, self.strangers[way])
                return f"frame {index + 1} of the batch ({way}) did not come out as it went in{near}"
        for copies in self._copies.values():
            if copies.missing:
                index, data = copies.missing[0]
                near = _nearest(data, map(copied_bytes, self.strangers[Direction.EGRESS]))
                return f"frame {index + 1} of the batch is mirrored by its verdict, and its copy did not come{near}"
        return None


def _nearest(data: bytes, strangers: Iterable[bytes]) -> str:
    """What came instead, if there is something of the same length that is mostly the same."""
    for other in strangers:
        wrong = [at for at, (one, two) in enumerate(zip(data, other, strict=False)) if one != two]
        if wrong and len(other) == len(data) and 4 * len(wrong) < len(data):
            at = wrong[0]
            return f": one came that is different from byte {at} on, {other[at]:#04x} instead of {data[at]:#04x}"
    return ""
