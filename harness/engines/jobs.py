"""The golden model in several processes: batches are judged side by side, and come back in order.

What goes from frame to frame is only the sequence number of each direction and the counters, so every batch can be
judged by itself: it is handed its first numbers, and what it counted is added up. A process has one batch at a time,
so no more than one for each and the one just read are held.
"""

from __future__ import annotations

import copy
import multiprocessing
import signal
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Generic, NamedTuple, TypeVar

from halfsilver.harness.engine import Progress, Result
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import EnvironmentMissing
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Counters, Flags, Frame, Output
from halfsilver.harness.verdict import RECORD_SIZE, Direction, VerdictRecord

__all__ = ["ALONE", "GoldenJobs", "Lot"]

ALONE = 16
"""Batches that one process judges before others are started, which takes each of them as long as some batches."""

_Origin = TypeVar("_Origin")

_BAD, _DROPPED = 2, 4
"""Bits beside the direction in a packed frame's mark."""


class Lot(NamedTuple, Generic[_Origin]):
    """A batch: where it comes from, and its frames. ``waits``: nothing comes behind it for now."""

    origin: _Origin
    frames: Sequence[Frame]
    waits: bool


class _Frames(NamedTuple):
    """A batch as few large objects, which cross from process to process sooner than many small ones."""

    marks: bytes
    lengths: array[int]
    data: bytes

    @classmethod
    def pack(cls, frames: Sequence[Frame]) -> _Frames:
        marks = bytes(frame.direction | _BAD * frame.bad | _DROPPED * frame.dropped for frame in frames)
        return cls(marks, array("I", (len(frame.data) for frame in frames)), b"".join(frame.data for frame in frames))

    def unpack(self) -> list[Frame]:
        parts = _parts(self.data, self.lengths)
        return [
            Frame(data, Direction(mark & 1), bool(mark & _BAD), bool(mark & _DROPPED))
            for data, mark in zip(parts, self.marks, strict=True)
        ]


class _Answer(NamedTuple):
    """A result, likewise."""

    records: bytes
    copied: array[int]
    lengths: array[int]
    data: bytes
    counters: Counters

    @classmethod
    def pack(cls, result: Result) -> _Answer:
        copies = [output.data for output in result.outputs]
        return cls(
            b"".join(record.to_bytes() for record in result.verdicts),
            array("I", (output.frame for output in result.outputs)),
            array("I", map(len, copies)),
            b"".join(copies),
            result.counters,
        )

    def unpack(self) -> Result:
        wires = (self.records[at : at + RECORD_SIZE] for at in range(0, len(self.records), RECORD_SIZE))
        copies = zip(self.copied, _parts(self.data, self.lengths), strict=True)
        outputs = [Output(frame, data) for frame, data in copies]
        return Result(outputs, [VerdictRecord.from_bytes(wire) for wire in wires], self.counters)


class GoldenJobs:
    """Judges batches in up to ``jobs`` processes, each of them started when there is a batch for it.

    The first ``alone`` batches are judged here, as is each that nothing follows for now: for a short capture no process
    is started. A context manager; the processes end with it.
    """

    def __init__(
        self, policy: Policy, flags: Flags, jobs: int, progress: Progress | None = None, *, alone: int = ALONE
    ) -> None:
        self._policy, self._flags, self._jobs, self._progress = policy, flags, jobs, progress
        self._alone = alone
        self._next: Counter[Direction] = Counter()
        self._counters = Counters()
        self._workers: list[_Worker] = []
        self._here = _configured(policy, flags)

    def __enter__(self) -> GoldenJobs:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.end()

    def judge(self, lots: Iterable[Lot[_Origin]]) -> Iterator[tuple[Lot[_Origin], Result]]:
        """Each lot with its result, in order. EnvironmentMissing if a process dies."""
        busy: deque[tuple[_Worker, Lot[_Origin]]] = deque()
        for number, lot in enumerate(lots):
            first, self._next = self._next, self._next + Counter(frame.direction for frame in lot.frames)
            if lot.waits or number < self._alone or self._jobs == 1:
                yield from self._rest(busy)
                self._here.begin(first)
                yield lot, self._totals(self._here.process(lot.frames, self._progress))
                continue
            if len(busy) < self._jobs:
                worker = self._idle(busy)
                worker.take(first, lot.frames)
                busy.append((worker, lot))
                continue
            worker, done = busy.popleft()
            result = worker.answer()
            worker.take(first, lot.frames)
            busy.append((worker, lot))
            yield done, self._totals(result.unpack())
        yield from self._rest(busy)

    def _rest(self, busy: deque[tuple[_Worker, Lot[_Origin]]]) -> Iterator[tuple[Lot[_Origin], Result]]:
        while busy:
            worker, lot = busy.popleft()
            yield lot, self._totals(worker.answer().unpack())

    def _idle(self, busy: Iterable[tuple[_Worker, Lot[_Origin]]]) -> _Worker:
        """A worker that has nothing to do, a new one if need be."""
        taken = [worker for worker, _ in busy]
        for worker in self._workers:
            if worker not in taken:
                return worker
        self._workers.append(_Worker(self._policy, self._flags))
        return self._workers[-1]

    def _totals(self, result: Result) -> Result:
        """With the counters of all batches so far instead of its own."""
        self._counters.add(result.counters)
        return Result(result.outputs, result.verdicts, copy.deepcopy(self._counters))


class _Worker:
    """A process that judges one batch at a time."""

    def __init__(self, policy: Policy, flags: Flags) -> None:
        start = multiprocessing.get_context("spawn")  # a copy of this process would hold what its threads hold
        self._connection, other = start.Pipe()
        self._process = start.Process(target=_serve, args=(other, policy, flags), daemon=True)
        self._process.start()
        other.close()

    def take(self, first: Mapping[Direction, int], frames: Sequence[Frame]) -> None:
        """Judge a batch whose first frames have these sequence numbers."""
        with self._alive():
            self._connection.send((dict(first), _Frames.pack(frames)))

    def answer(self) -> _Answer:
        """What became of it; waits."""
        with self._alive():
            answer: _Answer = self._connection.recv()
            return answer

    def end(self) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.join()

    @contextmanager
    def _alive(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError):
            self._process.join()
            raise EnvironmentMissing(
                f"a process that judged frames ended with code {self._process.exitcode}; --jobs 1 needs no other one"
            ) from None


def _serve(connection: Connection, policy: Policy, flags: Flags) -> None:
    """A worker's whole life: it ends when its parent does, or says so; an interrupt is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    engine = _configured(policy, flags)
    with suppress(EOFError, OSError):
        while True:
            first, frames = connection.recv()
            engine.begin(first)
            connection.send(_Answer.pack(engine.process(frames.unpack())))


def _configured(policy: Policy, flags: Flags) -> GoldenEngine:
    engine = GoldenEngine()
    engine.configure(policy, flags)
    return engine


def _parts(data: bytes, lengths: Iterable[int]) -> Iterator[bytes]:
    """The bytes, cut into pieces of these lengths."""
    start = 0
    for length in lengths:
        yield data[start : start + length]
        start += length
