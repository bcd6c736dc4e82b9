"""Those who write, group by group: whoever comes while a commit waits for the disk is of the next one.

What an event loop hands over in one round of it is of one group, and it is woken once for a group, however many of it
ask from there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

__all__ = ["LARGEST", "Writer"]

LARGEST = 64
"""Writes of a group. More of them would make the first one wait, and save nothing."""

Work = TypeVar("Work")
Result = TypeVar("Result")


class Writer(Generic[Work, Result]):
    """One thread that does what is handed to it, in order. Threads may share it.

    do   does a group: the outcome of each, in order; an exception of its own is that of all
    """

    def __init__(self, do: Callable[[Sequence[Work]], Sequence[Result | Exception]]) -> None:
        self._do = do
        self._waiting: SimpleQueue[tuple[Work, Future[Result] | asyncio.Future[Result]] | None] = SimpleQueue()
        self._gathered: dict[asyncio.AbstractEventLoop, list[tuple[Work, asyncio.Future[Result]]]] = {}
        """What is asked in one round of a loop: of the first alone the thread would make a group, and commit it."""
        self._thread = threading.Thread(target=self._run, name="halfsilver-write", daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> Future[Result]:
        """The result comes when it is committed; what was refused raises."""
        future: Future[Result] = Future()
        self._waiting.put((work, future))
        return future

    def soon(self, work: Work) -> asyncio.Future[Result]:
        """The same for the event loop that is running."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        gathered = self._gathered.setdefault(loop, [])
        if not gathered:
            loop.call_soon(self._hand_over, loop)
        gathered.append((work, future))
        return future

    def close(self) -> None:
        """Do what is waiting, and take no more."""
        self._waiting.put(None)
        self._thread.join()

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        for each in self._gathered.pop(loop):
            self._waiting.put(each)

    def _run(self) -> None:
        while True:
            first = self._waiting.get()
            if first is None:
                return
            group = [first]
            closing = False
            while len(group) < LARGEST and not closing:
                try:
                    another = self._waiting.get_nowait()
                except Empty:
                    break
                if another is None:
                    closing = True
                else:
                    group.append(another)
            self._answer(group)
            if closing:
                return

    def _answer(self, group: Sequence[tuple[Work, Future[Result] | asyncio.Future[Result]]]) -> None:
        group = [each for each in group if _is_wanted(each[1])]
        outcomes: Sequence[Result | Exception]
        try:
            outcomes = self._do([work for work, _ in group])
        except Exception as error:
            outcomes = [error] * len(group)
        of_loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Result], Result | Exception]]] = {}
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if isinstance(future, asyncio.Future):
                of_loops.setdefault(future.get_loop(), []).append((future, outcome))
            else:
                _settle(future, outcome)
        for loop, settled in of_loops.items():
            with suppress(RuntimeError):  # it is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle_all, settled)


def _is_wanted(future: Future[Result] | asyncio.Future[Result]) -> bool:
    """Who asked has not gone away; from now on a thread waits for the outcome."""
    return not future.cancelled() if isinstance(future, asyncio.Future) else future.set_running_or_notify_cancel()


def _settle_all(settled: Sequence[tuple[asyncio.Future[Result], Result | Exception]]) -> None:
    for future, outcome in settled:
        if not future.done():
            _settle(future, outcome)


def _settle(future: Future[Result] | asyncio.Future[Result], outcome: Result | Exception) -> None:
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
