"""Frames into and out of a stream, whatever its signals are called; subclasses know those."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from halfsilver.harness.records import Frame
from halfsilver.sim.benches.drivers.pace import Pace, always

__all__ = ["Beat", "FrameSink", "FrameSource"]


@dataclass(slots=True)
class Beat:
    """One beat: ``data`` has ``count`` bytes; ``ends`` is the frame it ends, None for all other beats."""

    data: bytes
    ends: Frame | None


class FrameSource(ABC):
    """Sends frames into a stream, beat by beat; subclasses know the signals.

    pace     asked for every beat
    gate     asked before a frame starts, until it says yes
    began    called when the first beat of a frame has been taken
    sent     called with a frame when its last beat has been taken
    stalled  clocks in which a beat was offered and not taken; ``offered`` all clocks with a beat
    """

    def __init__(self, width: int) -> None:
        self._octets = width // 8
        self._frames: deque[Frame] = deque()
        self._beats: deque[Beat] = deque()
        self._beat: Beat | None = None
        self.pace: Pace = always
        self.gate: Callable[[Frame], bool] = lambda frame: True
        self.began: Callable[[], None] = lambda: None
        self.sent: Callable[[Frame], None] = lambda frame: None
        self._first = True
        self.stalled = 0
        self.offered = 0

    def send(self, *frames: Frame) -> None:
        """Queue frames."""
        self._frames.extend(frames)

    @property
    def idle(self) -> bool:
        """Everything queued has been taken."""
        return not self._frames and not self._beats and self._beat is None

    @property
    def waiting(self) -> int:
        """Frames that have not started."""
        return len(self._frames)

    @property
    def in_frame(self) -> bool:
        """A frame has been taken in part."""
        return bool(self._beats)

    def drive(self) -> None:
        if self._beat is not None:
            return
        if not self._beats and self._frames and self.gate(self._frames[0]):
            frame = self._frames.popleft()
            starts = range(0, len(frame.data), self._octets)
            self._beats.extend(Beat(frame.data[start : start + self._octets], None) for start in starts)
            self._beats[-1].ends = frame
        if self._beats and self.pace():
            self._beat = self._beats.popleft()
            self._show(self._beat)
        else:
            self._hide()

    def sample(self) -> None:
        if self._beat is None:
            return
        self.offered += 1
        if not self._taken():
            self.stalled += 1
            return
        if self._first:
            self.began()
        ended, self._beat = self._beat.ends, None
        self._first = ended is not None
        if ended is not None:
            self.sent(ended)

    def reset(self) -> None:
        self._frames.clear()
        self._beats.clear()
        self._beat = None
        self._first = True
        self._hide()

    def _padded(self, beat: Beat) -> int:
        """Data of a beat; what lies behind its last byte is anything."""
        missing = self._octets - len(beat.data)
        return int.from_bytes(beat.data + random.randbytes(missing), "little")

    @abstractmethod
    def _show(self, beat: Beat) -> None:
        """Offer a beat."""

    @abstractmethod
    def _hide(self) -> None:
        """Offer nothing."""

    @abstractmethod
    def _taken(self) -> bool:
        """Whether the beat that is offered is taken in this clock."""


class FrameSink(ABC):
    """Takes frames out of a stream, and holds it to the rules: what is offered stays until it is taken.

    pace      asked in every clock: ready?
    began     called when the first beat of a frame is offered
    received  called with the bytes of every frame
    frames    that have been received
    partial   bytes of the frame that is arriving
    marks     of its last beat that was taken; what they mean, subclasses know
    idle_gaps clocks without a beat inside a frame while the sink was ready
    """

    def __init__(self, width: int) -> None:
        self._octets = width // 8
        self._held: tuple[int, ...] | None = None
        self._inside = False  # a frame has been offered and not taken whole
        self._ready = False
        self.partial = bytearray()
        self.pace: Pace = always
        self.marks = 0
        self.frames = 0
        self.began: Callable[[], None] = lambda: None
        self.received: Callable[[bytes], None] = lambda data: None
        self.idle_gaps = 0

    def drive(self) -> None:
        self._ready = self.pace()
        self._set_ready(self._ready)

    def sample(self) -> None:
        beat = self._look()
        if beat is None:
            assert self._held is None, "a beat that was offered has been withdrawn"
            self.idle_gaps += bool(self.partial) and self._ready
            return
        assert self._held in (None, beat), "a beat has changed while it was offered"
        self._held = None if self._ready else beat
        if not self._inside:
            self._inside = True
            self.began()
        if self._ready:
            data, count, last, self.marks = beat
            assert 1 <= count <= self._octets and (last or count == self._octets), f"{count} bytes, last {last}"
            self.partial += (data & (1 << 8 * count) - 1).to_bytes(count, "little")
            if last:
                self._inside = False
                self.frames += 1
                frame, self.partial = bytes(self.partial), bytearray()
                self.received(frame)

    def reset(self) -> None:
        self._held = None
        self._inside = False
        self.partial.clear()
        self._set_ready(False)

    @abstractmethod
    def _look(self) -> tuple[int, int, int, int] | None:
        """(data, count, last, marks) of the beat that is offered."""

    @abstractmethod
    def _set_ready(self, ready: bool) -> None:
        """Take beats, or do not."""
