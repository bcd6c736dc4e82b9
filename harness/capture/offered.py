"""What becomes of a capture's frames before they are offered: one may become several."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from halfsilver.harness.capture.formats import CapturedFrame, Damage
from halfsilver.harness.capture.link import Stations
from halfsilver.harness.capture.lots import Lot
from halfsilver.harness.capture.reader import CaptureReader
from halfsilver.harness.capture.segment import Segmenter
from halfsilver.harness.capture.sources import Captures

__all__ = ["BothSides", "Offered", "Steps"]

_Step: TypeAlias = Callable[[CapturedFrame], Sequence[CapturedFrame]]


class BothSides:
    """A step: a frame between two interfaces is offered twice, as two NICs have it: first as its sender's, then as its
    receiver's."""

    def __init__(self, macs: Collection[bytes]) -> None:
        self._macs = macs

    def __call__(self, frame: CapturedFrame) -> Sequence[CapturedFrame]:
        receiver, sender = frame.data[:6], frame.data[6:12]
        if sender == receiver or sender not in self._macs or receiver not in self._macs:
            return (frame,)
        return replace(frame, outbound=True), replace(frame, outbound=False)


class Steps:
    """What frames go through before they are offered: ``segmenter``, and `BothSides` if there are such addresses."""

    def __init__(self, mtu: int | None, both_sides: Collection[bytes] = ()) -> None:
        self.segmenter = Segmenter(mtu)
        self._both_sides = both_sides
        self._steps: list[_Step] = [self.segmenter]
        if both_sides:
            self._steps.append(BothSides(both_sides))

    def anew(self) -> Steps:
        """The same for other frames, with nothing counted."""
        return Steps(self.segmenter.asked, self._both_sides)

    def take(self, frame: CapturedFrame) -> Sequence[CapturedFrame]:
        """The frames to offer for one of a capture."""
        frames: Sequence[CapturedFrame] = (frame,)
        for step in self._steps:
            frames = [after for before in frames for after in step(before)]
        return frames


class Offered:
    """Captures whose frames take some steps; all else is as of the captures, as are ``lots``."""

    def __init__(self, captures: Captures, steps: Steps) -> None:
        self.steps = steps
        self._captures = captures

    @property
    def name(self) -> str:
        return self._captures.name

    @property
    def size(self) -> int | None:
        return self._captures.size

    @property
    def consumed(self) -> int:
        return self._captures.consumed

    @property
    def damage(self) -> Sequence[Damage]:
        return self._captures.damage

    @property
    def readers(self) -> Sequence[CaptureReader]:
        return self._captures.readers

    @property
    def left_out(self) -> Sequence[str]:
        return self._captures.left_out

    def know(self, stations: Stations) -> None:
        self._captures.know(stations)

    def __iter__(self) -> Iterator[CapturedFrame]:
        return (frame for frame in self.flow() if frame is not None)

    def flow(self) -> Iterator[CapturedFrame | None]:
        for frame in self._captures.flow():
            if frame is None:
                yield None
            else:
                yield from self.steps.take(frame)

    def lots(self, records: int, octets: int) -> Iterator[Lot]:
        """Of frames that are still to take the steps."""
        return self._captures.lots(records, octets)
