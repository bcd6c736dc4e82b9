"""Lots of frames judged side by side in several processes; what is made of them comes back in order.

What crosses is a lot, which is where frames are and not the frames, and what was made of it: finished bytes and sums.
Two numbers are all that a lot has of those before it, its own and that of its first frame. The latter is known when the
lots before it were counted, so a process first reads a lot and says how many frames it has, and judges it when it is
told. A process has one lot at a time; what is held here are at most two for each.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from halfsilver.harness.errors import EnvironmentMissing, HalfsilverError

__all__ = ["Jobs", "Judge", "LotLike", "processors"]


class LotLike(Protocol):
    """Some frames. ``waits``: nothing comes behind it for now."""

    @property
    def waits(self) -> bool: ...


_Lot = TypeVar("_Lot", bound=LotLike)
_TakenLot = TypeVar("_TakenLot", contravariant=True)
_Part = TypeVar("_Part")
_GivenPart = TypeVar("_GivenPart", covariant=True)


class Judge(Protocol[_TakenLot, _GivenPart]):
    """Judges lot after lot. What it makes of one depends on that one and its two numbers alone."""

    def count(self, lot: _TakenLot) -> int:
        """Read a lot; how many frames it has."""

    def judge(self, number: int, first: int) -> _GivenPart:
        """Judge the lot just read: its number from 0, and that of its first frame from 1."""

    def close(self) -> None: ...


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Jobs(Generic[_Lot, _Part]):
    """Judges lots in up to ``jobs`` processes, each of them started when there is a lot for it.

    The first ``alone`` lots are judged by ``here``, in this process, as is each that nothing follows for now: for a
    short capture no process is started, and of a stream all that came is out before more is waited for. ``opens`` makes
    the judge of another process, there. A context manager; the processes end with it.
    """

    def __init__(
        self, here: Judge[_Lot, _Part], opens: Callable[[], Judge[_Lot, _Part]], jobs: int, *, alone: int
    ) -> None:
        self._here, self._opens, self._jobs, self._alone = here, opens, jobs, alone
        self._workers: list[_Worker] = []
        self._pending: deque[_Pending] = deque()
        self._first = 1

    def __enter__(self) -> Jobs[_Lot, _Part]:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.end()

    def run(self, lots: Iterable[_Lot]) -> Iterator[_Part]:
        """What is made of each lot, in order; an error where it belongs. EnvironmentMissing if a process dies."""
        for number, lot in enumerate(lots):
            if self._jobs == 1 or lot.waits or number < self._alone:
                yield from self._given(at_most=0)
                count, first = self._here.count(lot), self._first
                self._first += count
                yield self._here.judge(number, first)
            else:
                yield from self._given(at_most=2 * self._jobs - 1)
                worker = self._free()
                worker.send((number, lot))
                self._pending.append(_Pending(worker))
        yield from self._given(at_most=0)

    def _given(self, *, at_most: int) -> Iterator[_Part]:
        """What is made of the lots in front, until so many are left and a process is free for another one."""
        pending = self._pending
        while len(pending) > at_most or (pending and len(self._busy()) == self._jobs):
            if pending[0].answer is None:
                self._hear()
            else:
                yield pending.popleft().part()

    def _busy(self) -> list[_Pending]:
        return [each for each in self._pending if each.answer is None]

    def _free(self) -> _Worker:
        """A process that has nothing to do, a new one if need be."""
        taken = [each.worker for each in self._busy()]
        for worker in self._workers:
            if worker not in taken:
                return worker
        self._workers.append(_Worker(self._opens))
        return self._workers[-1]

    def _hear(self) -> None:
        """Wait for a process to say something, and number the lots that are counted now."""
        busy = {each.worker.connection: each for each in self._busy()}
        for connection in wait(list(busy)):
            # `wait` is typed as if it gave other objects than it was given.
            busy[connection].take(busy[connection].worker.hear())  # type: ignore[index]
        for each in self._pending:
            if each.count is None:
                break
            if not each.is_numbered:
                each.is_numbered = True
                each.worker.send(self._first)
                self._first += each.count


@dataclass(slots=True)
class _Pending:
    """A lot that a process has: the count of its frames comes first, and then the answer."""

    worker: _Worker
    count: int | None = None
    is_numbered: bool = False
    answer: _Answer | None = None

    def take(self, said: int | _Answer) -> None:
        if isinstance(said, int):
            self.count = said
        else:
            self.answer = said

    def part(self) -> Any:
        assert self.answer is not None
        if self.answer.error is not None:
            raise self.answer.error
        return self.answer.part


class _Answer(NamedTuple):
    """What was made of a lot, or what went wrong."""

    part: Any = None
    error: BaseException | None = None


class _Worker:
    """A process that judges one lot at a time. What is sent and heard: EnvironmentMissing if it has died."""

    def __init__(self, opens: Callable[[], Judge[Any, Any]]) -> None:
        start = multiprocessing.get_context("spawn")  # a copy of this process would hold what its threads hold
        self.connection, other = start.Pipe()
        self._process = start.Process(target=_serve, args=(other, opens), daemon=True)
        with _interrupts_held():
            self._process.start()
        other.close()

    def send(self, what: object) -> None:
        with self._alive():
            self.connection.send(what)

    def hear(self) -> int | _Answer:
        with self._alive():
            said: int | _Answer = self.connection.recv()
            return said

    def end(self) -> None:
        self.connection.close()
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


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """A process that is started in the block gets no Ctrl-C, which is for its parent to handle."""
    resource_tracker.ensure_running()  # which lets interrupts through when it starts, that is before the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, opens: Callable[[], Judge[Any, Any]]) -> None:
    """A worker's whole life: it ends when its parent does, or says so."""
    with suppress(EOFError, OSError):
        judge: Judge[Any, Any] | None = None
        while True:
            number, lot = connection.recv()
            try:
                judge = judge or opens()
                connection.send(judge.count(lot))
                answer = _Answer(judge.judge(number, connection.recv()))
            except (EOFError, BrokenPipeError):
                raise
            except Exception as error:
                answer = _Answer(error=_portable(error))
            connection.send(answer)


def _portable(error: Exception) -> Exception:
    """The error, or one that says the same, if it cannot leave its process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return HalfsilverError("".join(traceback.format_exception_only(error)).strip())
    return error
